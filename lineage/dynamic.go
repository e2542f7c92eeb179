package lineage

import (
	"slices"
	"strings"

	"sluice/parser"
)

// dynamicTexts is what the stored programs that a statement runs prepare and execute. Prepared statements belong to
// the session: a name may be prepared in one program and executed in another, or in another round of a loop,
// so every text of a name counts for every EXECUTE of it.
type dynamicTexts struct {
	texts    map[string][]preparedText
	executed map[string][]parser.Reading // the settings of the programs that execute a name
	// unsettled: a text was read that means something else under other settings.
	unsettled bool
}

// preparedText is a text with what it is read by: the warehouse keeps the schema of PREPARE.
type preparedText struct {
	text, schema string
	reading      parser.Reading
}

// dynamicStatement reads PREPARE, EXECUTE, EXECUTE IMMEDIATE and DEALLOCATE: the session finds out the text
// and judges that; inside a stored program a text that is a value cannot be read.
func (t *tracer) dynamicStatement(e *parser.Extra) {
	d := e.Dynamic
	if !t.body {
		t.g.Effects.Dynamic = d
		// What USING and the text's own expression read may come out wherever the text writes; the session
		// joins the two.
		t.sink(Sink{Kind: ResultSink})
		return
	}
	text := preparedText{d.Text, t.schema, t.reading}
	switch d.Verb {
	case "immediate":
		t.runText(text, text.reading)
	case "prepare":
		t.prepares(d.Name, text)
	case "execute":
		t.executes(d.Name)
	}
}

func (t *tracer) prepares(name string, text preparedText) {
	if t.dynamic.texts == nil {
		t.dynamic.texts = map[string][]preparedText{}
	}
	for _, known := range t.dynamic.texts[name] {
		if known == text {
			return
		}
	}
	t.dynamic.texts[name] = append(t.dynamic.texts[name], text)
	t.g.Effects.Prepares = append(t.g.Effects.Prepares, name)
	for _, by := range t.dynamic.executed[name] {
		t.runText(text, by)
	}
}

func (t *tracer) executes(name string) {
	if slices.Contains(t.dynamic.executed[name], t.reading) {
		return
	}
	put(&t.dynamic.executed, name, append(t.dynamic.executed[name], t.reading))
	t.g.Effects.Executes = append(t.g.Effects.Executes, name)
	texts := t.dynamic.texts[name]
	if len(texts) == 0 || !plainName(name) {
		t.opaque("dynamic SQL inside a stored program")
	}
	for _, text := range texts {
		t.runText(text, t.reading)
	}
}

// runText reads a text that a stored program with the given settings runs. The warehouse parses a prepared text again by the
// settings of then, and MySQL reads a literal's UTF-8 in the client's character set: a text to which that matters is
// read where the settings are those that it was prepared by, and in UTF-8.
func (t *tracer) runText(text preparedText, by parser.Reading) {
	settled := parser.ModeFree(text.text)
	if strings.TrimSpace(text.text) == "" || !settled && (by != text.reading || text.reading.Respelt()) {
		t.opaque("dynamic SQL inside a stored program")
		return
	}
	t.dynamic.unsettled = t.dynamic.unsettled || !settled
	script, err := parser.Parse(text.text, text.reading)
	if err != nil || len(script.Statements) != 1 || script.Statements[0].Command != nil {
		t.opaque("dynamic SQL inside a stored program")
		return
	}
	defer t.enter(text.schema, text.reading)()
	t.bodyStatement(&script.Statements[0])
}
