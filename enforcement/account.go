package enforcement

import (
	"net/netip"
	"strings"
	"unicode/utf8"
)

// account is a name of policies and roles: user, user@host, an ALIYUN$ or RAM$ name, or a pattern.
type account struct {
	user string
	wild bool // user holds '*'
	// host is the host part as given; "" matches every host. hosts is its pattern, with '*' and '?' for
	// '%' and '_'; net is set when it is an address block.
	host, hosts string
	net         netip.Prefix
}

// account reads a name as the options tell: a vendor prefix and a mail tail fall away.
func (o *Options) account(name string) account {
	name = strings.Trim(strings.TrimSpace(name), "`")
	prefixed := false
	for _, p := range o.prefixes() {
		if len(name) > len(p) && strings.EqualFold(name[:len(p)], p) {
			name, prefixed = name[len(p):], true
			if _, user, ok := strings.Cut(name, ":"); ok && strings.EqualFold(p, "RAM$") {
				name = user
			}
			break
		}
	}
	user, host := name, ""
	if i := strings.LastIndexByte(name, '@'); i > 0 {
		user, host = name[:i], name[i+1:]
		switch {
		case o.mailTail(host, prefixed):
			host = ""
		case prefixed && !hostLike(host):
			user, host = name, ""
		}
	}
	a := account{user: unquote(user), host: unquote(host)}
	a.wild = wild(a.user)
	a.setHost()
	return a
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '\'' || s[0] == '"') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

func (o *Options) prefixes() []string {
	if o.Prefixes == nil {
		return []string{"ALIYUN$", "RAM$"}
	}
	return o.Prefixes
}

// mailTail tells whether what follows an '@' is a mail domain, not a host. Without configured
// tails every domain behind a vendor prefix is one.
func (o *Options) mailTail(host string, prefixed bool) bool {
	if o.MailTails == nil {
		return prefixed && !hostLike(host)
	}
	for _, t := range o.MailTails {
		if t == "*" && !hostLike(host) || strings.EqualFold(strings.TrimPrefix(t, "@"), host) {
			return true
		}
	}
	return false
}

// hostLike tells whether a text can only be a host pattern of the warehouse.
func hostLike(host string) bool {
	if host == "" || host == "localhost" || strings.ContainsAny(host, "%_/:") {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

func (a *account) setHost() {
	if a.host == "" || a.host == "%" || a.host == "*" {
		a.host = ""
		return
	}
	a.hosts = strings.NewReplacer("%", "*", "_", "?").Replace(a.host)
	if p, ok := parseNet(a.host); ok {
		a.net = p
		return
	}
	// MySQL's own form: an address and a netmask.
	if ip, mask, ok := strings.Cut(a.host, "/"); ok {
		base, err1 := netip.ParseAddr(ip)
		m, err2 := netip.ParseAddr(mask)
		if err1 == nil && err2 == nil && base.Is4() && m.Is4() {
			if bits, ok := maskBits(m.As4()); ok {
				a.net = netip.PrefixFrom(base, bits).Masked()
			}
		}
	}
}

func maskBits(m [4]byte) (int, bool) {
	bits, open := 0, true
	for _, b := range m {
		for i := 7; i >= 0; i-- {
			one := b>>i&1 == 1
			if one && !open {
				return 0, false
			}
			if one {
				bits++
			}
			open = open && one
		}
	}
	return bits, true
}

// matches tells whether a subject is meant. A host matches the account's own host text or the
// client's address.
func (a *account) matches(s *Subject) bool {
	if a.wild {
		if !glob(a.user, s.User, false) {
			return false
		}
	} else if a.user != s.User || a.user == "" {
		return false
	}
	return a.matchesHost(s)
}

func (a *account) matchesHost(s *Subject) bool {
	if a.host == "" || strings.EqualFold(a.host, s.Host) {
		return true
	}
	if !s.Address.IsValid() {
		return false
	}
	address := s.Address.Unmap().WithZone("")
	if a.net.IsValid() {
		return a.net.Contains(address)
	}
	var room [48]byte
	return glob(a.hosts, address.AppendTo(room[:0]), true)
}

// accounts is a set of names, found by hash where they are literal.
type accounts struct {
	literal map[string][]account
	wild    []account
}

func (o *Options) accounts(names []string) accounts {
	var s accounts
	for _, n := range names {
		a := o.account(n)
		if a.wild {
			s.wild = append(s.wild, a)
			continue
		}
		if s.literal == nil {
			s.literal = make(map[string][]account, len(names))
		}
		s.literal[a.user] = append(s.literal[a.user], a)
	}
	return s
}

func (s *accounts) match(sub *Subject) bool {
	if s.literal != nil {
		for i := range s.literal[sub.User] {
			if s.literal[sub.User][i].matches(sub) {
				return true
			}
		}
	}
	for i := range s.wild {
		if s.wild[i].matches(sub) {
			return true
		}
	}
	return false
}

// NameOf spells a subject's account as roles and policies name it, whatever host it comes from where that can be said. It reports
// false for an account whose name reads as another one's there: with blanks or quotes around it, a vendor's prefix, a star.
func (s *Snapshot) NameOf(sub Subject) (string, bool) {
	for _, name := range []string{sub.User, sub.User + "@" + sub.Host} {
		a := s.options.account(name)
		if whole := a.host == "" || strings.EqualFold(a.host, sub.Host); a.user == sub.User && !a.wild && whole && checkAccount(name) == nil && utf8.ValidString(name) {
			return name, true
		}
	}
	return "", false
}

// Names tells whether a role's or a grant's name is that of a user, from whatever host.
func (s *Snapshot) Names(name, user string) bool {
	a := s.options.account(name)
	return a.user == user && user != ""
}

// strict removes patterns: a role or a grant names one account.
func (s accounts) strict() accounts {
	s.wild = nil
	return s
}
