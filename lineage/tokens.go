package lineage

import (
	"strings"
	"unicode"

	"sluice/lineage/catalog"
	"sluice/parser"
)

// tokens bounds a statement that no reader understands by the names among its tokens:
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
	t.hidden(st)
	schemas := map[string]bool{}
	if t.schema != "" {
		schemas[t.schema] = true
	}
	all := t.b.snapshot.Names()
	if len(all) == 0 {
		t.refuse("%s is not understood, and no definitions tell what it could touch", strings.ToUpper(st.Kind))
	}
	for name := range names {
		if IsPolicySchema(name) {
			t.forbid(Object{PolicySchema, ""})
		}
		if all[strings.ToLower(name)] && !IsSystem(name) {
			schemas[name] = true
			t.read(Source{Kind: TableSource, Object: Object{t.b.fold(name), "*"}})
		} else if IsSystem(name) && name != "" {
			t.read(Source{Kind: SystemSource, Object: Object{strings.ToLower(name), "*"}})
		}
		if t.b.snapshot.Foreign(name) || showsOthers[strings.ToLower(name)] != "" || strings.EqualFold(name, "load_file") {
			t.opaque("function %s", name)
		}
	}
	for schema := range schemas {
		t.rules(schema)
		t.touch(schema, names)
		for name := range names {
			t.carried(schema, name)
		}
	}
	if st.Spells("HANDLER") {
		for name := range names {
			t.carrierSource("handler " + strings.ToLower(name))
		}
	}
	if len(t.sources.list)*len(t.sinks.list) > maxBound {
		t.refuse("%s is not understood and names too much to be bounded by its names", strings.ToUpper(st.Kind))
		t.sinks = distinct[Sink]{}
	}
}

// maxBound is how many flows the token bound may make of one statement.
const maxBound = 100_000

// carried adds what a name may mean besides the catalog's objects: a temporary table, whether this session is
// known to have it or not.
func (t *tracer) carried(schema, name string) {
	o := Object{t.b.fold(schema), t.b.fold(name)}
	if carrier, _, is := t.temporary(o); is {
		t.carrierSource(carrier)
		t.carrierSink(carrier)
	}
}

// hidden adds what stands in no name of a statement: session state, texts that it runs, server files.
func (t *tracer) hidden(st *parser.Statement) {
	st.Variables(func(name string) {
		t.carrierSource(name)
		t.carrierSink(name)
	})
	if st.Spells("LAST_INSERT_ID") {
		t.carrierSource("last_insert_id")
		t.carrierSink("last_insert_id")
	}
	if st.Spells("DIAGNOSTICS", "WARNINGS", "ERRORS", "RESIGNAL") {
		t.carrierSource("diagnostics")
	}
	if st.Spells("PREPARE", "EXECUTE", "CALL") {
		t.opaque("a statement that may run a text or a routine, in a form that is not understood")
	}
	if strings.HasPrefix(st.Kind, "set") && st.Spells("INIT_CONNECT", "INIT_SLAVE", "INIT_REPLICA", "TIDB_CLOUD_STORAGE_URI") {
		t.opaque("a setting that moves data past the gateway, in a form that is not understood")
	}
	if st.Spells("INFILE", "TABLESPACE", "BINLOG", "BACKUP") {
		t.opaque("a statement that may read files, in a form that is not understood")
	}
}

// touch adds the objects of a schema that names can mean.
func (t *tracer) touch(schema string, names map[string]bool) {
	if IsSystem(schema) {
		return
	}
	s, ok := t.whole(schema)
	if !ok {
		return
	}
	folded := make(map[string]bool, len(names))
	for name := range names {
		folded[foldKey(name)] = true
	}
	for key, def := range s.Objects {
		if folded[foldKey(key)] {
			t.touchObject(def)
		}
	}
	for name := range names {
		for _, kind := range []string{"function", "procedure", "package"} {
			t.routine(kind, s.Name, name)
		}
	}
}

func (t *tracer) touchObject(def *catalog.Object) {
	o := Object{def.Schema, def.Name}
	t.readDefined(o, def)
	if def.Kind == catalog.View {
		t.writeView(o, def, changes(onInsert, onUpdate, onDelete))
		return
	}
	t.writeBase(o, def, changes(onInsert, onUpdate, onDelete))
	t.writes.add(Write{o, true, Ends}) // whatever it does
}

// foldKey gives texts that differ by case alone (strings.EqualFold) the same key.
func foldKey(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, s)
}
