package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
)

// dialects are what a flavor is read as without a warehouse that says its version.
var dialects = map[string]parser.Dialect{
	"mariadb": {Flavor: parser.MariaDB, Version: 101119},
	"mysql":   {Flavor: parser.MySQL, Version: 90704},
	"tidb":    {Flavor: parser.TiDB, Version: 80500},
}

type lineageOptions struct {
	schema, flavor, catalog string
	jsonl                   bool
}

func lineageCommand() *cobra.Command {
	o := &lineageOptions{}
	c := &cobra.Command{
		Use:   "lineage [file|-]",
		Short: "print the flows of SQL statements, without a warehouse",
		Long:  "Reads SQL from a file or standard input and prints, for each statement, which tables its data flows from and to.\nWith --jsonl each line of the input is {\"id\",\"sql\",\"default_schema\"} and each line of the output its report.",
		Args:  cobra.MaximumNArgs(1),
		RunE:  func(c *cobra.Command, args []string) error { return o.run(c, args) },
	}
	c.Flags().StringVar(&o.schema, "schema", "", "the current schema, for unqualified names")
	c.Flags().StringVar(&o.flavor, "flavor", "mariadb", "mariadb, mysql or tidb")
	c.Flags().StringVar(&o.catalog, "catalog", "", "a file of CREATE statements: tables, views, triggers, routines")
	c.Flags().BoolVar(&o.jsonl, "jsonl", false, "JSON lines in and out")
	return c
}

func (o *lineageOptions) run(c *cobra.Command, args []string) error {
	d, ok := dialects[o.flavor]
	if !ok {
		return &usageError{fmt.Errorf("--flavor: is %q, expected mariadb, mysql or tidb", o.flavor)}
	}
	definitions := ""
	if o.catalog != "" {
		text, err := os.ReadFile(o.catalog)
		if err != nil {
			return fmt.Errorf("--catalog: %w", err)
		}
		definitions = string(text)
	}
	loader, err := lineage.LoadDefinitions(definitions, d, o.schema)
	if err != nil {
		return fmt.Errorf("--catalog %s: %w", o.catalog, err)
	}
	for _, text := range loader.Unread() {
		fmt.Fprintf(c.ErrOrStderr(), "proxy: --catalog %s: not understood, so what it defines is not known: %s\n", o.catalog, beginning(text))
	}
	in := c.InOrStdin()
	if len(args) == 1 && args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	snapshot, err := catalog.New(loader, 0).Current(c.Context())
	if err != nil {
		return err
	}
	r := &statementReader{ctx: c.Context(), dialect: d, snapshot: snapshot}
	out := bufio.NewWriter(c.OutOrStdout())
	defer out.Flush()
	if o.jsonl {
		return r.lines(in, out, o.schema)
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	return r.draw(string(text), out, o.schema)
}

// beginning shows a statement in a line.
func beginning(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 60 {
		text = string(runes[:60]) + "…"
	}
	return text
}

func (r *statementReader) draw(sql string, out io.Writer, schema string) error {
	traced, err := r.script(sql, schema)
	if err != nil {
		return err
	}
	for _, t := range traced {
		if err := lineage.Draw(out, t.text, t.graph, t.whole); err != nil {
			return err
		}
	}
	return nil
}

type lineIn struct {
	ID            json.RawMessage `json:"id"`
	SQL           string          `json:"sql"`
	DefaultSchema string          `json:"default_schema"`
}

type lineOut struct {
	ID         json.RawMessage  `json:"id"`
	Statements []lineage.Report `json:"statements"`
}

// lines answers each line with a line. A text that cannot be lexed is one refused statement; a line that
// is no JSON ends the run with its number.
func (r *statementReader) lines(in io.Reader, out io.Writer, schema string) error {
	reader := bufio.NewReaderSize(in, 1<<20)
	encoder := json.NewEncoder(out)
	for n := 1; ; n++ {
		line, err := reader.ReadBytes('\n')
		if len(line) == 0 && errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(trim(line)) == 0 {
			continue
		}
		var l lineIn
		if err := json.Unmarshal(line, &l); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if l.ID == nil {
			l.ID = json.RawMessage("null")
		}
		if err := encoder.Encode(r.answer(l, schema)); err != nil {
			return err
		}
	}
}

func trim(line []byte) []byte {
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r' || line[len(line)-1] == ' ') {
		line = line[:len(line)-1]
	}
	return line
}

func (r *statementReader) answer(l lineIn, schema string) lineOut {
	if l.DefaultSchema != "" {
		schema = l.DefaultSchema
	}
	o := lineOut{ID: l.ID, Statements: []lineage.Report{}}
	traced, err := r.script(l.SQL, schema)
	if err != nil {
		o.Statements = append(o.Statements, lineage.Report{Kind: "unknown", Reads: []string{}, Writes: []string{}, Tier: "tokens", Refused: err.Error()})
		return o
	}
	for _, t := range traced {
		o.Statements = append(o.Statements, lineage.ReportOf(t.graph, t.whole))
	}
	return o
}
