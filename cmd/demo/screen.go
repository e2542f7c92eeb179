package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// lineWidth is where answers wrap.
const lineWidth = 108

// screen writes for people: wrapped, aligned, and in colour on a terminal.
type screen struct {
	w      io.Writer
	colour bool
}

func newScreen(w io.Writer) *screen {
	s := &screen{w: w}
	if f, ok := w.(*os.File); ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" {
		info, err := f.Stat()
		s.colour = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return s
}

// The styles, as SGR parameters.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	cyan  = "36"
)

func (s *screen) style(text, style string) string {
	if !s.colour || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

func (s *screen) line(text string) { fmt.Fprintln(s.w, text) }

func (s *screen) heading(text string) {
	rule := strings.Repeat("─", max(3, lineWidth-4-utf8.RuneCountInString(text)))
	s.line("")
	s.line(s.style("── "+text+" "+rule, bold))
}

// block writes text wrapped and indented, its first line behind a mark.
func (s *screen) block(mark, text, style string) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(mark))
	for i, l := range wrap(text, lineWidth-len(indent)) {
		if i > 0 {
			mark = indent
		}
		s.line(s.style(mark+l, style))
	}
}

func (s *screen) note(text string) { s.line(""); s.block("", text, "") }

func (s *screen) statement(user, project, text string) {
	s.line("")
	prompt := user + "@" + project + "> "
	indent := strings.Repeat(" ", len(prompt))
	for i, l := range wrap(text+";", lineWidth-len(prompt)) {
		if i == 0 {
			s.line(s.style(prompt, cyan) + s.style(l, bold))
		} else {
			s.line(indent + s.style(l, bold))
		}
	}
}

// table writes rows under their columns; the last column wraps.
func (s *screen) table(columns []string, rows [][]string) {
	widths := make([]int, len(columns))
	for _, r := range append([][]string{columns}, rows...) {
		for i, v := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(v))
		}
	}
	const margin = "    "
	last, before := len(columns)-1, len(margin)
	for _, w := range widths[:last] {
		before += w + 2
	}
	widths[last] = max(30, min(widths[last], lineWidth-before))
	put := func(r []string, style string) {
		for n, part := range wrap(r[last], widths[last]) {
			line := margin
			for i, v := range r[:last] {
				if n > 0 {
					v = ""
				}
				line += v + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(v)+2)
			}
			s.line(s.style(strings.TrimRight(line+part, " "), style))
		}
	}
	put(columns, dim)
	for _, r := range rows {
		put(r, "")
	}
}

// wrap breaks text at spaces so that lines have at most width runes; a longer word is cut.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		for utf8.RuneCountInString(word) > width {
			if line != "" {
				lines, line = append(lines, line), ""
			}
			r := []rune(word)
			lines, word = append(lines, string(r[:width])), string(r[width:])
		}
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}
