package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/enforcement"
	"sluice/enforcement/audit"
	"sluice/lineage"
	"sluice/lineage/catalog"
)

// viewDigest is what a view means: its definition, and those of the views and functions that it is read through to.
// Whoever may change one of them may change what the view shows.
func (c *Commander) viewDigest(ctx context.Context, env *CommandEnv, def *catalog.Object) (string, error) {
	judged, err := env.Judge(ctx, "SELECT * FROM "+quoteName(def.Schema)+"."+quoteName(def.Name))
	if err != nil {
		return "", fmt.Errorf("read the view %s.%s through: %w", def.Schema, def.Name, err)
	}
	var b strings.Builder
	b.WriteString(def.Definition)
	for i := range judged {
		for _, n := range judged[i].Graph.Names { // sorted
			text, err := c.definitionText(ctx, n)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "\x00%s %s", n, text)
		}
	}
	return audit.Digest(b.String()), nil
}

// definitionText gives the definition of a view or the body of a function.
func (c *Commander) definitionText(ctx context.Context, o lineage.Object) (string, error) {
	snapshot, err := c.Catalog.Current(ctx)
	if err != nil {
		return "", err
	}
	have, err := snapshot.Object(ctx, o.Schema, o.Name)
	if err != nil {
		return "", err
	}
	if have != nil {
		return have.Definition, nil
	}
	programs, err := snapshot.Programs(ctx, o.Schema)
	if err != nil {
		return "", err
	}
	if have := programs.Routines["function "+strings.ToLower(o.Name)]; have != nil {
		return have.Body, nil
	}
	return "", nil
}

// standing is what became of a shared object since it was added to its package.
type standing uint8

const (
	another    standing = iota // it is another object, or means something else
	same                       // it is the same
	marked                     // it is the same, and the policy now knows it by its present marks
	rebuilding                 // a statement at some gateway builds it anew just now
)

// Standing compares a shared object with what was added to its package.
func (c *Commander) Standing(ctx context.Context, use *enforcement.SharedObject, env *CommandEnv) (standing, error) {
	snapshot, err := c.Catalog.Current(ctx)
	if err != nil {
		return another, err
	}
	def, err := snapshot.Object(ctx, use.Object.Schema, use.Object.Name)
	if err != nil {
		return another, err
	}
	switch {
	case def == nil:
		return another, nil
	case def.Kind == catalog.View && use.Identity == "":
		return c.viewStanding(ctx, use, def, env)
	case def.Kind == catalog.View || use.Definition != "":
		return another, nil // a view in the place of a table, or a table in a view's
	}
	compared, err := snapshot.Compare(ctx, use.Object.Schema, use.Object.Name, use.Identity)
	switch {
	case err != nil:
		return another, err
	case compared.Same && compared.Marks == "":
		return same, nil
	case compared.Same:
		return marked, c.mark(ctx, func(p *enforcement.Policy) {
			p.Mark(use.Project, use.Package, use.Item, use.Identity, compared.Marks)
		})
	}
	for _, statement := range use.Rebuilding {
		if lives, err := c.Policies.Lives(ctx, statement); lives || err != nil {
			return rebuilding, err
		}
	}
	return another, nil
}

func (c *Commander) viewStanding(ctx context.Context, use *enforcement.SharedObject, def *catalog.Object, env *CommandEnv) (standing, error) {
	digest, err := c.viewDigest(ctx, env, def)
	switch {
	case err != nil:
		return another, err
	case digest == use.Definition:
		return same, nil
	case use.Definition == "": // a policy file named it
		return marked, c.mark(ctx, func(p *enforcement.Policy) { p.MarkView(use.Project, use.Package, use.Item, digest) })
	}
	return another, nil
}

func (c *Commander) mark(ctx context.Context, edit func(p *enforcement.Policy)) error {
	_, err := c.Policies.Change(ctx, "sluice", "(other marks of the same object noted at use)", func(p *enforcement.Policy) error {
		edit(p)
		return nil
	})
	return err
}

// Changed takes an object that is another one by now out of its package.
func (c *Commander) Changed(ctx context.Context, use *enforcement.SharedObject) error {
	cause := "a change past the gateways: it was dropped and made again, or built anew there"
	if use.Definition != "" {
		cause = "a changed definition: of the view, or of what it is read through to"
	}
	_, err := c.Policies.Change(ctx, "sluice", "(a changed object found at use)", func(p *enforcement.Policy) error {
		if !p.LoseChanged(use, cause, time.Now()) {
			return errOutdated
		}
		return nil
	})
	if errors.Is(err, errOutdated) {
		time.Sleep(rebuildPause / 2) // the policy that is there now is about to be this gateway's
		return nil
	}
	return err
}

// errOutdated says that an object was compared with what a policy said that is no longer the newest.
var errOutdated = errors.New("the policy knows more by now")

// rebuild is a statement under way that may give shared tables other marks.
type rebuild struct {
	name string
	uses []enforcement.PackageUse
}

// BeginRebuild notes, before it is forwarded, that a statement builds shared tables anew: ALTER, TRUNCATE, OPTIMIZE. Until it
// is over nobody takes them for other tables.
func (c *Commander) BeginRebuild(ctx context.Context, uses []enforcement.PackageUse, env *CommandEnv, text string) (*rebuild, error) {
	r := &rebuild{name: c.Policies.Begin(), uses: uses}
	_, err := c.Policies.Change(ctx, env.Subject.User+"@"+env.Subject.Host, "(a shared table is built anew) "+audit.Redact(shorten(text)), func(p *enforcement.Policy) error {
		for _, u := range uses {
			p.Rebuild(u.Project, u.Package, u.Item, r.name)
		}
		return nil
	})
	if err != nil {
		c.Policies.End(r.name)
		return nil, err
	}
	return r, nil
}

// EndRebuild notes the marks that the tables have now. When the warehouse's answer is not known the marks stay: a table that
// has others then is taken for another one.
func (c *Commander) EndRebuild(ctx context.Context, r *rebuild, answered bool) error {
	defer c.Policies.End(r.name)
	marks := make([]string, len(r.uses))
	for i, u := range r.uses {
		if !answered {
			continue
		}
		var err error
		if marks[i], err = c.Catalog.Marks(ctx, u.Object.Schema, u.Object.Name); err != nil {
			marks[i] = ""
		}
	}
	_, err := c.Policies.Change(ctx, "sluice", "(a shared table was built anew)", func(p *enforcement.Policy) error {
		for i, u := range r.uses {
			p.Rebuilt(u.Project, u.Package, u.Item, r.name, marks[i])
		}
		return nil
	})
	return err
}
