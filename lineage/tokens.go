package lineage

import (
	"strings"

	"sluice/lineage/catalog"
	"sluice/parser"
)

// tokens bounds a statement that no reader understands by the names among its tokens (sql.md 0.3 c):
// every object that it can name counts as read, and as flowing out. So does the current schema as a whole:
// an unqualified name that we do not recognise can only mean something there.
func (t *tracer) tokens(st *parser.Statement) {
	t.g.Unread = st.Unparsed
	if t.g.Unread == "" {
		t.g.Unread = strings.ToUpper(st.Kind)
	}
	e := &t.g.Effects
	e.Mode, e.Charset, e.Routine = true, true, true
	out := Sink{Kind: FileSink, Name: "a statement that is not understood"}
	t.sink(out)
	t.sink(Sink{Kind: ResultSink})
	if t.schema != "" && !IsSystem(t.schema) {
		t.read(Source{Kind: TableSource, Object: Object{t.b.fold(t.schema), "*"}})
	}
	names := map[string]bool{}
	st.Names(func(name string, _, _ bool) { names[name] = true })
	for _, token := range st.Tokens {
		if token.Kind == parser.UserVariable {
			t.carrierSource(st.Text[token.Start:token.End])
			t.carrierSink(strings.ToLower(st.Text[token.Start:token.End]))
		}
	}
	schemas := map[string]bool{}
	if t.schema != "" {
		schemas[t.schema] = true
	}
	all := t.b.snapshot.Names()
	for name := range names {
		if strings.EqualFold(name, PolicySchema) {
			t.forbid(Object{PolicySchema, ""})
		}
		if all[strings.ToLower(name)] && !IsSystem(name) {
			schemas[name] = true
			t.read(Source{Kind: TableSource, Object: Object{t.b.fold(name), "*"}})
		} else if IsSystem(name) && name != "" {
			t.read(Source{Kind: SystemSource, Object: Object{strings.ToLower(name), "*"}})
		}
		if t.b.snapshot.Foreign(strings.ToLower(name)) || strings.EqualFold(name, "load_file") {
			t.opaque("function %s", name)
		}
	}
	for schema := range schemas {
		t.touch(schema, names)
	}
}

// touch adds the objects of a schema that names can mean.
func (t *tracer) touch(schema string, names map[string]bool) {
	if IsSystem(schema) {
		return
	}
	s, ok := t.b.schema(schema)
	if !ok {
		t.missing[schema] = struct{}{}
		return
	}
	for name := range names {
		def := s.Objects[t.b.fold(name)]
		if def == nil {
			for key, o := range s.Objects {
				if strings.EqualFold(key, name) {
					def = o
				}
			}
		}
		if def != nil {
			t.touchObject(def)
		}
		for _, kind := range []string{"function", "procedure"} {
			t.routine(kind, s.Name, name)
		}
	}
}

func (t *tracer) touchObject(def *catalog.Object) {
	o := Object{def.Schema, def.Name}
	t.readDefined(o, def)
	if def.Kind == catalog.View {
		t.writeView(o, def, []string{onInsert, onUpdate, onDelete})
		return
	}
	t.writeBase(o, def, []string{onInsert, onUpdate, onDelete})
	t.writes[Write{o, true}] = struct{}{}
}
