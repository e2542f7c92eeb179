package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sluice/enforcement"
	"sluice/lineage"
	"sluice/lineage/catalog"
)

// sameException tells whether a project's exception policy is the present one: its seals then stay as they are. A file
// approves nothing by the seals that it lists.
func (t *truthTool) sameException(p *enforcement.Project) (*enforcement.Project, bool) {
	have := t.store.Current().Policy().Projects[p.Name]
	return have, have != nil && have.Exception == p.Exception
}

// asSealed gives the policy of a file as it will be once its new exceptions are sealed, for planning.
func (t *truthTool) asSealed(next *enforcement.Policy) *enforcement.Policy {
	out := next.Clone()
	snapshot := t.store.Current()
	for _, p := range out.Projects {
		p.Seals = nil
		if have, same := t.sameException(p); same {
			p.Seals = have.Clone().Seals
			continue
		}
		policy, err := enforcement.ParsePolicy(p.Exception, p.Name)
		if p.Exception == "" || err != nil {
			continue // building the policy says what is wrong
		}
		for _, o := range snapshot.SealTargets(p.Name, policy) {
			p.Seals = append(p.Seals, enforcement.Seal{Schema: o.Schema, Table: o.Name})
		}
	}
	return out
}

// sealTargets finds the tables that new and changed exceptions name, with the project of each.
func (t *truthTool) sealTargets(ctx context.Context, next *enforcement.Policy) (targets []enforcement.SealTarget, owners []string, err error) {
	snapshot := t.store.Current()
	for name, p := range next.Projects {
		if _, same := t.sameException(p); same || p.Exception == "" {
			continue
		}
		policy, err := enforcement.ParsePolicy(p.Exception, name)
		if err != nil {
			return nil, nil, fmt.Errorf("project %s: %w", name, err)
		}
		for _, o := range snapshot.SealTargets(name, policy) {
			target, err := t.sealTarget(ctx, o)
			if errors.Is(err, errNoTable) && len(snapshot.Schemas(name)) > 1 {
				continue // the name is a table of another schema of the group
			}
			if err != nil {
				return nil, nil, fmt.Errorf("project %s: %w", name, err)
			}
			targets, owners = append(targets, target), append(owners, name)
		}
	}
	return targets, owners, nil
}

var errNoTable = errors.New("there is no such table, and an exception seals what its owner saw")

// sealTarget finds what a view is read through to.
func (t *truthTool) sealTarget(ctx context.Context, o lineage.Object) (enforcement.SealTarget, error) {
	target := enforcement.SealTarget{Object: o}
	reader, reading, err := t.reader(ctx)
	if err != nil {
		return target, err
	}
	kind := func(o lineage.Object) (catalog.Kind, bool, error) {
		current, err := reader.Catalog.Current(ctx)
		if err != nil {
			return 0, false, err
		}
		schema, err := current.Schema(ctx, o.Schema)
		if err != nil {
			return 0, false, err
		}
		have := schema.Objects[o.Name]
		if have == nil {
			return 0, false, nil
		}
		return have.Kind, true, nil
	}
	is, found, err := kind(o)
	if err == nil && !found {
		err = errNoTable
	}
	if err != nil || is != catalog.View {
		return target, wrapTable(o, err)
	}
	script, err := reader.Parse([]byte("SELECT * FROM `"+strings.ReplaceAll(o.Schema, "`", "``")+"`.`"+strings.ReplaceAll(o.Name, "`", "``")+"`"), reading)
	if err != nil {
		return target, wrapTable(o, err)
	}
	graph, err := reader.Graph(ctx, script, 0, lineage.Scope{})
	if err != nil {
		return target, wrapTable(o, err)
	}
	target.Bases = slices.Clone(graph.Reads)
	for _, n := range graph.Names {
		if is, found, err := kind(n); err != nil {
			return target, wrapTable(o, err)
		} else if !found || is != catalog.View {
			n = lineage.RoutineObject(n.Schema, n.Name)
		}
		if n != o && !slices.Contains(target.Bases, n) {
			target.Bases = append(target.Bases, n)
		}
	}
	return target, nil
}

func wrapTable(o lineage.Object, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", o, err)
}

// replace puts the projects of a file in the place of the policy's. Seals stay with an exception that stays, and come
// from the measure for one that is new.
func replace(p, next *enforcement.Policy, seals []enforcement.Seal, owners []string) {
	projects := next.Clone().Projects
	for name, project := range projects {
		keepMarks(p.Projects[name], project)
		project.Seals = nil
		if have := p.Projects[name]; have != nil && have.Exception == project.Exception {
			project.Seals = have.Seals
			continue
		}
		for i := range seals {
			if owners[i] == name {
				project.Seals = append(project.Seals, seals[i])
			}
		}
	}
	p.Projects = projects
}

// keepMarks leaves what is known of the objects that stay in their packages: since the export they may have been built
// anew, which was followed. One that left and is put back by a file keeps the file's marks: it comes back if it is still
// the object that it was.
func keepMarks(have, next *enforcement.Project) {
	if have == nil {
		return
	}
	for key, k := range next.Packages {
		if have.Packages[key] == nil {
			continue
		}
		for i := range k.Items {
			for _, was := range have.Packages[key].Items {
				if was.Name == k.Items[i].Name {
					k.Items[i].Definition, k.Items[i].Identity, k.Items[i].Rebuilding = was.Definition, was.Identity, was.Rebuilding
				}
			}
		}
	}
}
