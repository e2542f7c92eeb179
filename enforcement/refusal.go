package enforcement

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"sluice/lineage"
)

// maxRefusal is the longest text of a refusal in bytes: what every client shows whole (contract 3).
const maxRefusal = 500

// Refusal gives the text of the ERR packet for a denied statement: the classic sentence, the flow, the
// id of the audit entry, and what can be done about it. It has at most 500 bytes.
func Refusal(d *Decision, r *Request, id string) string {
	reason, more := deciding(d)
	// Long names are shortened, those after the classic sentence first; the id always stays.
	for _, limit := range [...]struct{ head, tail int }{{256, 256}, {256, 64}, {256, 24}, {64, 24}, {24, 16}} {
		w := writer{d: d, r: r, id: id, head: limit.head, tail: limit.tail}
		text, hint := w.text(reason, more), w.hint(reason)
		if s := join(text, hint); len(s) <= maxRefusal {
			return s
		}
		if limit.tail <= 64 && len(text) <= maxRefusal {
			return cutTo(join(text, hint), maxRefusal)
		}
	}
	w := writer{d: d, r: r, id: id, head: 24, tail: 16}
	return cutTo(w.text(reason, more), maxRefusal)
}

// CapRefusal gives the text of the ERR packet that ends a shown result at its display cap. It has at
// most 500 bytes.
func CapRefusal(d *Decision, r *Request) string {
	p := plain(d.CapProject, 64)
	return cutTo(fmt.Sprintf("The result holds data of project '%s', which is protected, and is stopped at its display cap of %d rows "+
		"(READ_TABLE_MAX_ROW). Go on with LIMIT %d or fewer rows at a time; or an owner of %s can set an exception policy that allows %s "+
		"odps:Select for odps:TaskType DT, to download it after SET odps.task.type = 'DT'", p, d.Cap, d.Cap, p, plain(r.Subject.User, 32)), maxRefusal)
}

// DryCapText tells, for the decision log, that a result went past the display cap of a project in dry run.
func DryCapText(d *Decision) string {
	return fmt.Sprintf("the result holds data of project '%s', which would have stopped it at its display cap of %d rows", d.DryCapProject, d.DryCap)
}

func join(text, hint string) string {
	if hint == "" {
		return text
	}
	return text + " " + hint
}

// deciding finds the refusal to tell about and how many more there are. What is not understood and what
// another hand did to a seal say more than a flow without a rule.
func deciding(d *Decision) (*Reason, int) {
	var best *Reason
	n := 0
	for i := range d.Reasons {
		r := &d.Reasons[i]
		if r.Effect == Permit || r.DryRun {
			continue
		}
		n++
		if best == nil || weight(r.Rule) > weight(best.Rule) {
			best = r
		}
	}
	if best == nil {
		return &Reason{Rule: NotUnderstood, Detail: "no reason was given"}, 0
	}
	return best, n - 1
}

func weight(r Rule) int {
	switch r {
	case Forbidden, Stale, NotRecorded:
		return 3
	case NotUnderstood:
		return 2
	case SealBroken, DeniedByException:
		return 1
	default:
		return 0
	}
}

type writer struct {
	d          *Decision
	r          *Request
	id         string
	head, tail int // most bytes of a name in the classic sentence and after it
}

// classic is the sentence of the original, byte for byte.
func (w *writer) classic(project, table string) string {
	project = plain(project, w.head)
	return fmt.Sprintf("ODPS-0130013:Authorization exception - Authorization Failed [4021], You have NO privilege 'odps:Select' on "+
		"{acs:odps:*:projects/%s/tables/%s}. project '%s' is protected. You need to contact the project owner to set the exception policy for you.",
		project, plain(table, w.head), project)
}

func (w *writer) text(r *Reason, more int) string {
	if r.Project == "" {
		return fmt.Sprintf("ODPS-0130013:Authorization exception - Authorization Failed [4021], %s%s.", plain(w.detail(r), 240), bracket(w.id))
	}
	table := r.Flow.Source.Object.Name
	if o := r.Flow.Source.Object; r.Flow.Source.Kind != lineage.TableSource {
		table = "*"
	} else if !strings.EqualFold(o.Schema, r.Project) {
		table = o.Schema + "." + o.Name
	}
	s := w.classic(r.Project, table)
	if r.Flow.Sink.Kind == 0 {
		return s + " " + upperFirst(plain(w.detail(r), 160)) + bracket(w.id) + "."
	}
	s += " Flow " + w.source(r) + " -> " + w.sink(r)
	if more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s + bracket(w.id) + "."
}

func bracket(id string) string {
	if id == "" {
		return ""
	}
	return " [" + plain(id, 64) + "]"
}

func (w *writer) detail(r *Reason) string {
	if r.Rule == NotUnderstood {
		return "the statement is not understood: " + r.Detail
	}
	if r.Detail != "" {
		return r.Detail
	}
	return r.Rule.String()
}

func (w *writer) source(r *Reason) string {
	s := &r.Flow.Source
	if s.Object.Name == "" || s.Kind == lineage.CarrierSource {
		return plain(s.Name, w.tail)
	}
	return plain(s.Object.Schema, w.tail) + "." + plain(s.Object.Name, w.tail)
}

func (w *writer) sink(r *Reason) string {
	k := &r.Flow.Sink
	switch {
	case k.Kind == lineage.TableSink:
		return plain(k.Object.Schema, w.tail) + "." + plain(k.Object.Name, w.tail)
	case k.Kind == lineage.FileSink:
		return "file " + plain(k.Name, w.tail)
	case w.r.Task != SQL:
		return "download (" + w.r.Task.String() + ")"
	case r.Target != "":
		return "result in " + plain(r.Target, w.tail)
	}
	return "result"
}

// hint says who can do what about the refusal.
func (w *writer) hint(r *Reason) string {
	owner := "An owner of " + plain(r.Project, w.tail)
	switch r.Rule {
	case SealBroken:
		return upperFirst(plain(r.Detail, 200)) + ". " + owner + " approves it again: SET ProjectProtection=true WITH EXCEPTION 'policy'"
	case DeniedByException:
		return upperFirst(r.Detail) + " denies it"
	case NoDisplay:
		return plain(r.Project, w.tail) + " shows no rows. " + owner + " can: SETPROJECT READ_TABLE_MAX_ROW = 10000"
	case SystemData:
		return "It shows what other sessions do; while a project is protected only a Super_Administrator may read it"
	case NotUnderstood:
		if r.Flow.Sink.Kind != 0 {
			return "Where that data comes from cannot be read: " + plain(r.Detail, 160)
		}
		return ""
	case NoRule:
		return w.way(r, owner)
	}
	return ""
}

// way says how the flow could be let out.
func (w *writer) way(r *Reason, owner string) string {
	unread := ""
	if g := w.r.Graph; g != nil && g.Unread != "" {
		unread = "Not understood, so all it names counts as read: " + plain(g.Unread, 100) + ". "
	}
	shown := r.Flow.Sink.Kind == lineage.ResultSink && w.r.Task == SQL
	switch {
	case shown && r.Target == "" && w.oneProject(r.Project):
		schema := plain(r.Flow.Source.Object.Schema, w.tail)
		return unread + "Set the database of your connection to " + schema + ", or: USE " + schema
	case r.Target != "" && shown && w.oneProject(r.Project):
		return unread + owner + " can: ADD TRUSTEDPROJECT " + plain(r.Target, w.tail) + ". Or read it there: USE " + plain(r.Flow.Source.Object.Schema, w.tail)
	case r.Target != "":
		return unread + owner + " can: ADD TRUSTEDPROJECT " + plain(r.Target, w.tail)
	}
	task := w.r.Task
	if task == SQL && r.Flow.Sink.Kind == lineage.FileSink {
		task = DT
	}
	return unread + owner + " can: SET ProjectProtection=true WITH EXCEPTION a policy that allows " + plain(w.r.Subject.User, w.tail) +
		" odps:Select on it for odps:TaskType " + task.String()
}

// oneProject tells whether every refused flow is a shown result of one project's data.
func (w *writer) oneProject(project string) bool {
	for i := range w.d.Reasons {
		r := &w.d.Reasons[i]
		if r.Effect == Deny && !r.DryRun && (r.Project != project || r.Flow.Sink.Kind != lineage.ResultSink) {
			return false
		}
	}
	return true
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// plain makes a name fit for a message: no control characters, at most n bytes.
func plain(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
	return cutTo(s, n)
}

// cutTo shortens a text to n bytes, at a character, with an ellipsis.
func cutTo(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n = max(n-len("…"), 0)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
