package gateway

import (
	"context"
	"unicode/utf8"

	"sluice/enforcement"
	"sluice/gateway/wire"
	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
)

// account is what is known of whose session it is, besides its name.
type account struct {
	before    uint64 // the reading of the warehouse's accounts before the login began
	looked    bool
	at        *catalog.Accounts // the reading that was looked at last
	abandoned bool
	plainly   bool // the account was asked for in words that a rule of the plugin Rewriter may replace
}

// loginBegins notes which accounts there were before the warehouse lets anybody in.
func (s *Session) loginBegins() {
	s.account = account{before: s.g.accounts().Reading()}
}

func (g *Gateway) accounts() *catalog.Accounts {
	if g.Reader == nil {
		return nil
	}
	return g.Reader.Catalog.Accounts()
}

// abandoned tells whether the session goes on under a name that was taken from its account since the login: DROP USER and RENAME
// USER end no session, and the name may be another person's by now. What the policy allows to that name is not for this session.
func (s *Session) abandoned() bool {
	if s.nameless() {
		return false
	}
	now := s.g.accounts()
	if a := &s.account; !a.looked || a.at != now {
		a.looked, a.at = true, now
		a.abandoned = !now.Same(s.subject.User, s.subject.Host, a.before)
	}
	return s.account.abandoned
}

// authorizes is the version of MariaDB that has SET SESSION AUTHORIZATION, which makes a session another account's.
const authorizes = 120000

// mayBeAnother tells whether the session may be another account's behind a statement that ran: one that sets what is not
// understood, by itself or as a text, and on servers that can, whatever else is not read through, but for files.
func (s *Session) mayBeAnother(g *lineage.Graph) bool {
	if g.Tier == parser.TierTokens && (g.Kind == "set" || g.Kind == "execute") {
		return true
	}
	d := &s.state.reading.Dialect
	return len(g.Opaque) > 0 && g.Kind != "load data" && d.Flavor == parser.MariaDB && d.Version >= authorizes
}

// sayExpired refuses what an account may not do before it has another password, in the warehouse's words.
func (s *Session) sayExpired() error { return s.client.WritePacket(s.expired.Encode(s.caps)) }

// nameless tells whether nothing can be allowed to the session's name: it has none, or it is longer than the server's room for it,
// which is a byte too short for the longest.
func (s *Session) nameless() bool { return s.subject.User == "" || !utf8.ValidString(s.subject.User) }

// know looks whether the account is a new one.
func (s *Session) know(ctx context.Context) {
	if s.nameless() {
		return
	}
	if err := s.g.Reader.Catalog.KnowAccount(ctx, s.subject.User, s.subject.Host); err != nil {
		s.g.Log.Warn("read the warehouse's accounts", "error", err)
	}
}

// abandonment is what such a session is told.
const abandonment = "the account of this session was dropped or renamed after it logged in: log in again"

// byName are the rules that ask who somebody is.
var byName = map[enforcement.Rule]bool{
	enforcement.ByPackage: true, enforcement.ByException: true, enforcement.ByOwner: true, enforcement.SystemData: true,
}

// restsOnName tells whether a permit could be another one for another account.
func restsOnName(d *enforcement.Decision) bool {
	if !d.Recorded {
		return false
	}
	for i := range d.Reasons {
		if r := &d.Reasons[i]; r.Effect == enforcement.Permit && byName[r.Rule] {
			return true
		}
	}
	return false
}

// sayAbandoned refuses a command that needs a role.
func (s *Session) sayAbandoned() error {
	return s.sayError(wire.ErrAccessDenied, "28000", "Sluice: "+abandonment)
}
