package integration

import (
	"regexp"
	"strings"
)

// A small reader of mysqltest scripts: it gives the statements that a script would send, without running
// anything. Control flow is read through (each branch and each loop once), variables that a script gave a
// literal are filled in, and a statement that still holds a variable is left out.

// sent is a statement of a script with the session settings that the script had made before it.
type sent struct {
	sql, mode, charset string
}

// placed is a statement with the current schema that it is sent in.
type placed struct {
	sent
	schema string
}

// connected is what a script did to one of its connections.
type connected struct{ mode, charset, schema string }

type scriptReader struct {
	connected // the connection in use

	text      string
	pos       int
	sourced   map[string]int
	delimiter string
	vars      map[string]string
	using     string               // the name of the connection in use
	others    map[string]connected // by name
	out       []placed
	include   func(name string) (text string, ok bool) // gives the text of a file that the script sources
}

// maxSourced bounds how often a script is taken to source one file: each branch is read, also that which would end a loop.
const maxSourced = 8

func readScript(text string, include func(name string) (text string, ok bool)) []placed {
	r := &scriptReader{delimiter: ";", vars: map[string]string{}, sourced: map[string]int{}, include: include,
		connected: connected{schema: "test"}, using: "default", others: map[string]connected{}}
	r.read(text)
	return r.out
}

// read takes a text, the script's own or one that it sources: that stands where it is sourced, and shares the variables.
func (r *scriptReader) read(text string) {
	outer, pos := r.text, r.pos
	r.text, r.pos = text, 0
	for r.pos < len(r.text) {
		r.step()
	}
	r.text, r.pos = outer, pos
}

// line takes the rest of the line.
func (r *scriptReader) line() string {
	end := strings.IndexByte(r.text[r.pos:], '\n')
	if end < 0 {
		end = len(r.text) - r.pos
	}
	s := r.text[r.pos : r.pos+end]
	r.pos = min(r.pos+end+1, len(r.text))
	return s
}

func (r *scriptReader) step() {
	rest := r.text[r.pos:]
	switch {
	case strings.TrimLeft(rest[:1], " \t\r\n;{}") == "":
		r.pos++
	case rest[0] == '#':
		r.line()
	case strings.HasPrefix(rest, "--"):
		s := strings.TrimSpace(strings.TrimPrefix(r.line(), "--"))
		if isCommand(s) {
			r.command(s)
		}
	default:
		r.command(r.upToDelimiter())
	}
}

// upToDelimiter reads one command, which may span lines: quotes hide the delimiter, and the brace that
// opens a block ends its head.
func (r *scriptReader) upToDelimiter() string {
	start, quote := r.pos, byte(0)
	block := blockHead.MatchString(r.text[r.pos:])
	for ; r.pos < len(r.text); r.pos++ {
		c := r.text[r.pos]
		switch {
		case quote != 0:
			if c == '\\' && quote != '`' {
				r.pos++
			} else if c == quote {
				quote = 0
			}
		case strings.HasPrefix(r.text[r.pos:], r.delimiter):
			s := r.text[start:r.pos]
			r.pos += len(r.delimiter)
			return strings.TrimSpace(s)
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case block && c == '{':
			r.pos++
			return strings.TrimSpace(r.text[start : r.pos-1])
		}
	}
	r.pos = len(r.text)
	return strings.TrimSpace(r.text[start:])
}

var (
	blockHead   = regexp.MustCompile(`^(?i)(if|while)\s*\(`)
	letCommand  = regexp.MustCompile(`(?is)^let\s+\$?(\w+)\s*=\s*(.*)$`)
	variable    = regexp.MustCompile(`\$(\w+)`)
	modeSetting = regexp.MustCompile(`(?i)^set\s+(?:session\s+|local\s+|@@session\.|@@local\.|@@)?sql_mode\s*=\s*(?:'([^']*)'|"([^"]*)"|(default)|([a-z_]+))\s*$`)
	namesOf     = regexp.MustCompile(`(?i)^set\s+(?:names|character\s+set|charset|(?:session\s+|@@)?character_set_client\s*=)\s*['"]?(\w+)['"]?(?:\s+collate.*)?$`)
	prefixed    = regexp.MustCompile(`(?is)^(eval|evalp|query|query_vertical|query_horizontal|send|send_eval)\s+(.*)$`)
	backticks   = regexp.MustCompile("`([^`]*)`")
	heredoc     = regexp.MustCompile(`(?i)^(?:perl|write_file|append_file)\b`)
	connecting  = regexp.MustCompile(`(?is)^connect\s*\(?\s*([^,\s]+)\s*,[^,]*,[^,]*(?:,[^,)]*(?:,\s*([^,)\s]*))?)?`)
	using       = regexp.MustCompile(`(?is)^connection\s+(\S+)`)
	useSchema   = regexp.MustCompile("(?is)^use\\s+`?([^`\\s]+)`?$")
	heredocEnd  = regexp.MustCompile(`(?i)^(?:perl|(?:write_file|append_file)\s+\S+)\s+(\w+)\s*$`)
)

// commands are the words of the script language itself; eval, query and send carry a statement.
var commands = map[string]bool{}

func init() {
	for w := range strings.FieldsSeq(`append_file assert cat_file change_user character_set chmod connect connection copy_file
		copy_files_wildcard dec delimiter diff_files die dirty_close disable_abort_on_error disable_cursor_protocol
		disable_connect_log disable_info disable_metadata disable_non_blocking_api disable_parsing disable_ps2_protocol
		disable_ps_protocol disable_query_log disable_reconnect disable_result_log disable_rpl_parse disable_service_connection
		disable_session_track_info disable_testcase disable_view_protocol disable_warnings disable_column_names disable_prepare_warnings disconnect echo
		enable_abort_on_error enable_cursor_protocol enable_connect_log enable_info enable_metadata enable_non_blocking_api
		enable_parsing enable_ps2_protocol enable_ps_protocol enable_query_log enable_reconnect enable_result_log
		enable_rpl_parse enable_service_connection enable_session_track_info enable_testcase enable_view_protocol
		enable_warnings enable_column_names enable_prepare_warnings end end_timer error eval evalp exec exec_in_background execw exit file_exists force-cpdir force-rmdir horizontal_results
		if inc let list_files list_files_append_file list_files_write_file lowercase_result mkdir move_file output perl ping
		ps_close ps_execute ps_prepare query query_attributes query_get_value query_horizontal query_vertical real_sleep reap
		remove_file remove_files_wildcard replace_column replace_numeric_round replace_regex replace_result require reset_connection
		result_format rmdir save_master_pos send send_eval send_quit send_shutdown shutdown_server skip sleep sorted_result partially_sorted_result
		source start_timer sync_slave_with_master sync_with_master system vertical_results wait_for_slave_to_stop while
		write_file write_line optimizer_trace evalp start_server restart_server`) {
		commands[w] = true
	}
}

func isCommand(s string) bool {
	word, _, _ := strings.Cut(s, " ")
	word, _, _ = strings.Cut(word, "(")
	return commands[strings.ToLower(strings.TrimSpace(word))]
}

// command takes one command of a script.
func (r *scriptReader) command(s string) {
	word := strings.ToLower(regexp.MustCompile(`^[\w-]*`).FindString(s))
	if m := prefixed.FindStringSubmatch(s); m != nil {
		r.evaluated(m[2])
		return
	}
	switch {
	case word == "delimiter":
		if d := strings.TrimSpace(s[len(word):]); d != "" {
			r.delimiter = d
		}
	case word == "let":
		r.let(s)
	case word == "connect" || word == "connection":
		r.connect(s)
	case word == "source":
		name := r.filled(strings.TrimSpace(s[len(word):]))
		if text, ok := r.include(name); ok && r.sourced[name] < maxSourced {
			r.sourced[name]++
			r.read(text)
		}
	case (word == "if" || word == "while") && !ambiguous(word, s):
		for _, m := range backticks.FindAllStringSubmatch(s, -1) {
			r.evaluated(m[1])
		}
	case heredoc.MatchString(s):
		end := "EOF"
		if m := heredocEnd.FindStringSubmatch(s); m != nil {
			end = m[1]
		}
		for r.pos < len(r.text) && strings.TrimSpace(r.line()) != end {
		}
	case word == "exec" || word == "end" && strings.Contains(strings.ToLower(s), "begin"):
	case word == "disable_parsing":
		for r.pos < len(r.text) && !strings.Contains(r.line(), "enable_parsing") {
		}
	case commands[word] && !ambiguous(word, s):
	default:
		r.statement(s)
	}
}

// ambiguous tells apart words that begin a statement too.
func ambiguous(word, s string) bool {
	rest := strings.TrimSpace(s[len(word):])
	switch word {
	case "if", "while":
		return !strings.HasPrefix(rest, "(")
	case "end":
		return rest != ""
	default:
		return false
	}
}

// connect opens a connection, or goes over to one that was opened before: each has its own settings and current schema.
func (r *scriptReader) connect(s string) {
	s = r.filled(s)
	name, opened := "", connected{schema: "test"}
	if m := connecting.FindStringSubmatch(s); m != nil {
		name = m[1]
		if schema := strings.Trim(m[2], `"'`); schema != "" {
			opened.schema = strings.TrimPrefix(strings.TrimPrefix(schema, "*NO-ONE*"), "*")
		}
	} else if m := using.FindStringSubmatch(s); m != nil {
		name = m[1]
		if before, ok := r.others[name]; ok {
			opened = before
		}
	} else {
		return
	}
	if name == r.using && !connecting.MatchString(s) {
		return
	}
	r.others[r.using] = r.connected
	r.using, r.connected = name, opened
}

// let keeps a literal and sends what stands in backticks.
func (r *scriptReader) let(s string) {
	m := letCommand.FindStringSubmatch(s)
	if m == nil {
		return
	}
	value := strings.TrimSpace(m[2])
	if inner, ok := strings.CutPrefix(value, "`"); ok {
		r.evaluated(strings.TrimSuffix(inner, "`"))
		delete(r.vars, m[1])
		return
	}
	if strings.HasPrefix(value, "query_get_value") {
		delete(r.vars, m[1])
		return
	}
	r.vars[m[1]] = r.filled(value)
}

func (r *scriptReader) filled(s string) string {
	for range 4 {
		next := variable.ReplaceAllStringFunc(s, func(v string) string {
			if value, ok := r.vars[v[1:]]; ok {
				return value
			}
			return v
		})
		if next == s {
			break
		}
		s = next
	}
	return s
}

// evaluated is a statement with variables.
func (r *scriptReader) evaluated(s string) {
	if s = r.filled(s); !variable.MatchString(s) {
		r.statement(s)
	}
}

func (r *scriptReader) statement(s string) {
	if s = strings.TrimSpace(s); s == "" || len(s) > 1<<20 {
		return
	}
	r.out = append(r.out, placed{sent{s, r.mode, r.charset}, r.schema})
	if m := useSchema.FindStringSubmatch(s); m != nil {
		r.schema = m[1]
	}
	if m := modeSetting.FindStringSubmatch(s); m != nil {
		r.mode = strings.ToUpper(m[1] + m[2] + m[4])
	}
	if m := namesOf.FindStringSubmatch(s); m != nil {
		if r.charset = strings.ToLower(m[1]); r.charset == "default" {
			r.charset = ""
		}
	}
}
