package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/enforcement"
	"sluice/enforcement/audit"
	"sluice/lineage"
)

// BeforeWrite breaks the seals and empties the package places that a statement is about to overtake,
// before it is forwarded (contract 4). It reports whether the policy changed.
func (c *Commander) BeforeWrite(ctx context.Context, s *enforcement.Snapshot, g *lineage.Graph, env *CommandEnv, text string, now time.Time) (bool, error) {
	seals, packages := s.SealsAffected(g), s.PackagesAffected(g)
	if len(seals) == 0 && len(packages) == 0 {
		return false, nil
	}
	by := env.Subject.User + "@" + env.Subject.Host
	cause := g.Kind
	_, err := c.Policies.Change(ctx, by, "(by a statement) "+audit.Redact(shorten(text)), func(p *enforcement.Policy) error {
		for _, use := range seals {
			p.BreakSeal(use.Project, use.Seal.Schema, use.Seal.Table, enforcement.Breach{By: by, Time: now, Cause: cause})
		}
		for _, use := range packages {
			p.LoseItem(use.Project, use.Package, use.Item, cause+" by "+by, now)
		}
		return nil
	})
	return true, err
}

func shorten(text string) string {
	if len(text) > 500 {
		return text[:500]
	}
	return text
}

// Drifted breaks a seal whose table changed past every gateway.
func (c *Commander) Drifted(ctx context.Context, use enforcement.SealUse, drift string) error {
	_, err := c.Policies.Change(ctx, "sluice", "(drift found at use)", func(p *enforcement.Policy) error {
		if !p.HasSeal(use) {
			return errOutdated
		}
		p.BreakSeal(use.Project, use.Seal.Schema, use.Seal.Table, enforcement.Breach{By: "somebody past the gateway", Time: time.Now(), Cause: drift})
		return nil
	})
	if errors.Is(err, errOutdated) {
		time.Sleep(rebuildPause / 2) // an owner approved the table again: what was compared is an older seal
		return nil
	}
	return err
}

// Absent tells whether a schema is not there yet. CREATE DATABASE IF NOT EXISTS succeeds without making one, and its
// note can be switched off: only this question tells who made a schema.
func (c *Commander) Absent(ctx context.Context, schema string) (bool, error) {
	rows, err := c.Warehouse.Query(ctx, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = ?", schema)
	return err == nil && value(firstOf(rows), 0) == "0", err
}

func firstOf(rows [][]*string) []*string {
	if len(rows) == 0 {
		return nil
	}
	return rows[0]
}

// Created makes the creator of a schema the owner of its project, unless the project has a policy already, which outlives
// DROP DATABASE, or is a group of schemas, whose owner is for a Super_Administrator to name.
func (c *Commander) Created(ctx context.Context, schema string, env *CommandEnv) error {
	s := c.Policies.Current()
	project := s.ProjectOf(schema)
	if project == "" || env.Subject.User == "" || !s.Unclaimed(project) {
		return nil
	}
	owner, can := s.NameOf(env.Subject)
	if !can {
		return fmt.Errorf("the name of '%s'@'%s' reads as another account's: a Super_Administrator names the owner", env.Subject.User, env.Subject.Host)
	}
	_, err := c.Policies.Change(ctx, env.Subject.User+"@"+env.Subject.Host, "(CREATE DATABASE) ADD OWNER", func(p *enforcement.Policy) error {
		if p.Projects[project] != nil {
			return nil // somebody was first
		}
		return p.AddOwner(project, owner)
	})
	return err
}
