package gateway

import (
	"context"
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
	s, err := snapshot.Schema(ctx, o.Schema)
	if err != nil {
		return "", err
	}
	if have := s.Objects[o.Name]; have != nil {
		return have.Definition, nil
	}
	if have := s.Routines["function "+strings.ToLower(o.Name)]; have != nil {
		return have.Body, nil
	}
	return "", nil
}

// SameView tells whether a shared view still means what it did when it was added to its package.
func (c *Commander) SameView(ctx context.Context, use *enforcement.SharedView, env *CommandEnv) (bool, error) {
	snapshot, err := c.Catalog.Current(ctx)
	if err != nil {
		return false, err
	}
	s, err := snapshot.Schema(ctx, use.Object.Schema)
	if err != nil {
		return false, err
	}
	def := s.Objects[use.Object.Name]
	if def == nil || def.Kind != catalog.View {
		return false, nil
	}
	digest, err := c.viewDigest(ctx, env, def)
	return digest == use.Definition, err
}

// ViewChanged takes a view out of its package.
func (c *Commander) ViewChanged(ctx context.Context, use *enforcement.SharedView) error {
	_, err := c.Policies.Change(ctx, "sluice", "(a changed view found at use)", func(p *enforcement.Policy) error {
		p.LoseItem(use.Project, use.Package, use.Item, "a changed definition: of the view, or of what it is read through to", time.Now())
		return nil
	})
	return err
}
