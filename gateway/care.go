package gateway

import (
	"context"
	"errors"
	"time"

	"sluice/enforcement"
)

// needsCare tells whether something must happen before a permitted statement is forwarded: seals that it
// rests on or breaks, package objects that it takes away, definitions that it changes.
func (s *Session) needsCare(f *flight) bool {
	if f.preparing {
		return false
	}
	return len(f.decision.Seals) > 0 || len(f.decision.Shared) > 0 || len(f.graph.Effects.Definitions) > 0 || overtakes(f)
}

// overtakes tells whether a statement breaks seals, takes objects out of packages or builds them anew.
func overtakes(f *flight) bool {
	if len(f.graph.Writes) == 0 && len(f.graph.Effects.Definitions) == 0 && f.graph.Effects.DropsSchema == "" {
		return false
	}
	s := f.snapshot
	return len(s.SealsAffected(f.graph)) > 0 || len(s.PackagesAffected(f.graph)) > 0 || f.rebuild == nil && len(s.PackagesRebuilt(f.graph)) > 0
}

// errHopeless says that a statement is not sent: the warehouse told that it would refuse it.
var errHopeless = errors.New("the warehouse refuses the statement")

// care does it. It reports true when the policy changed by it, so that the statement is judged anew.
func (s *Session) care(ctx context.Context, f *flight, verified *map[*enforcement.Seal]bool) (bool, error) {
	for _, use := range f.decision.Seals {
		if (*verified)[use.Seal] {
			continue
		}
		drift, err := s.g.Policies.VerifySeal(ctx, use.Seal)
		if err != nil {
			s.g.Log.Warn("verify a seal", "table", use.Seal.Table, "error", err)
			drift = "it could not be compared with its seal"
			s.deny(f, enforcement.SealBroken, drift)
			return false, nil
		}
		if drift != "" {
			return true, s.g.Commander.Drifted(ctx, use, drift)
		}
		if *verified == nil {
			*verified = make(map[*enforcement.Seal]bool)
		}
		(*verified)[use.Seal] = true
	}
	for _, use := range f.decision.Shared {
		if changed, err := s.stands(ctx, f, use); changed || err != nil || !f.decision.Permitted() {
			return changed, err
		}
	}
	if overtakes(f) {
		if f.hopeless = s.warehouseRefusal(ctx, f); f.hopeless != nil {
			return false, errHopeless
		}
		changed, err := s.g.Commander.BeforeWrite(ctx, f.snapshot, f.graph, s.environment(), f.statement.Text, time.Now())
		if err != nil || changed {
			return changed, err
		}
		if uses := f.snapshot.PackagesRebuilt(f.graph); len(uses) > 0 && f.rebuild == nil {
			f.rebuild, err = s.g.Commander.BeginRebuild(ctx, uses, s.environment(), f.statement.Text)
			return true, err
		}
	}
	if len(f.graph.Effects.Definitions) > 0 && !f.announced {
		f.announced = true
		s.g.Definitions.Invalidate()
		return false, s.g.Definitions.Announce(ctx, f.graph.Effects.Definitions)
	}
	return false, nil
}

// rebuildPause is how long a statement waits before it looks again at a shared table that is built anew.
const rebuildPause = 50 * time.Millisecond

// stands sees to one object of a package that a permit rests on. It reports true when the statement is to be judged anew.
func (s *Session) stands(ctx context.Context, f *flight, use *enforcement.SharedObject) (bool, error) {
	standing, err := s.g.Commander.Standing(ctx, use, s.environment())
	if err != nil {
		s.g.Log.Warn("compare a shared object", "object", use.Object, "error", err)
		s.deny(f, enforcement.NotUnderstood, "an object that a package shares could not be compared with what was shared")
		return false, nil
	}
	f.awaits = standing == rebuilding
	switch standing {
	case same:
		return false, nil
	case marked:
		return true, nil
	case rebuilding:
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(rebuildPause):
		}
		return true, nil
	default:
		return true, s.g.Commander.Changed(ctx, use)
	}
}

// rebuilt ends what care began for a statement that builds shared tables anew.
func (s *Session) rebuilt(ctx context.Context, f *flight, answered bool) {
	if f.rebuild == nil {
		return
	}
	if err := s.g.Commander.EndRebuild(context.WithoutCancel(ctx), f.rebuild, answered); err != nil {
		s.g.Log.Warn("note that a shared table was built anew", "error", err)
	}
	f.rebuild = nil
}

// absent tells whether the schema that a statement creates is not there yet.
func (s *Session) absent(ctx context.Context, schema string) bool {
	if schema == "" {
		return false
	}
	absent, err := s.g.Commander.Absent(ctx, schema)
	if err != nil {
		s.g.Log.Warn("ask whether a schema is new; it gets no owner", "schema", schema, "error", err)
	}
	return absent
}

// owned makes the one who created a schema its owner.
func (s *Session) owned(ctx context.Context, schema string) {
	if s.abandoned() {
		return // a Super_Administrator names the owner
	}
	if err := s.g.Commander.Created(ctx, schema, s.environment()); err != nil {
		s.g.Log.Warn("note the owner of a new schema", "schema", schema, "error", err)
	}
}
