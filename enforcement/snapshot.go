package enforcement

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"sluice/lineage"
	"sluice/parser"
)

// Options are the settings that a policy is read with. They are the same in every gateway.
type Options struct {
	// Groups joins schemas into projects; a schema in no group is a project of its own.
	Groups map[string][]string
	// SuperAdministrators are accounts: user or user@host.
	SuperAdministrators []string
	// OwnerExempt lets owners' own statements out of their projects (contract 3, default off).
	OwnerExempt bool
	// Prefixes stand before account names in policies; nil means ALIYUN$ and RAM$.
	Prefixes []string
	// MailTails are the mail domains that may follow account names in policies; "*" means any. nil
	// means any, but only behind a prefix.
	MailTails []string
	// Folds is set when the warehouse folds the names of schemas and tables to lower case.
	Folds bool
}

// Snapshot is a policy compiled for decisions. It is immutable and safe for concurrent use.
type Snapshot struct {
	policy   *Policy
	options  Options
	schemas  map[string]string // of groups: schema to project
	grouped  map[string][]string
	projects map[string]*project
	supers   accounts
	// guarded are the projects that are protected (first) and in dry run (from protected on), each sorted.
	guarded   []*project
	protected int
	seals     map[lineage.Object][]SealUse // by sealed table and base
	shared    map[lineage.Object][]PackageUse
}

// project is one compiled project.
type project struct {
	*Project
	dry        bool
	maxRow     int64
	trusted    map[string]struct{}
	owners     accounts
	admins     accounts
	exceptions exceptions
	policy     *ExceptionPolicy
	packages   shares
}

// Build compiles a policy. The policy must not be changed afterwards. An error names the project and
// what is wrong with it: a policy that cannot be compiled decides nothing.
func Build(p *Policy, o Options) (*Snapshot, error) { return BuildFrom(nil, p, o) }

// BuildFrom is Build that takes the parsed exception policies over from an earlier snapshot where their
// text is the same.
func BuildFrom(earlier *Snapshot, p *Policy, o Options) (*Snapshot, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	s := &Snapshot{
		policy: p, options: o, schemas: map[string]string{}, grouped: map[string][]string{},
		projects: make(map[string]*project, len(p.Projects)),
		seals:    map[lineage.Object][]SealUse{}, shared: map[lineage.Object][]PackageUse{},
		supers: o.accounts(o.SuperAdministrators).strict(),
	}
	if err := s.group(); err != nil {
		return nil, err
	}
	for _, name := range p.names() {
		if err := s.compile(earlier, name, p.Projects[name]); err != nil {
			return nil, fmt.Errorf("build policy revision %d: project %s: %w", p.Revision, name, err)
		}
	}
	s.install()
	s.order()
	return s, nil
}

// group takes the configured groups in.
func (s *Snapshot) group() error {
	names := make([]string, 0, len(s.options.Groups))
	for name := range s.options.Groups {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		p := s.fold(name)
		if name == "" || systemSchema(name) {
			return fmt.Errorf("projects: %q cannot be the name of a project", name)
		}
		for _, schema := range s.options.Groups[name] {
			schema = s.fold(schema)
			if schema == "" || systemSchema(schema) {
				return fmt.Errorf("projects.%s: %q is a system schema, which is in no project", name, schema)
			}
			if other, twice := s.schemas[schema]; twice && other != p {
				return fmt.Errorf("projects.%s: schema %s is in project %s already", name, schema, other)
			}
			s.schemas[schema] = p
			s.grouped[p] = append(s.grouped[p], schema)
		}
	}
	return nil
}

func (s *Snapshot) fold(name string) string {
	if s.options.Folds {
		return strings.ToLower(name)
	}
	return name
}

// compile adds one project.
func (s *Snapshot) compile(earlier *Snapshot, name string, p *Project) error {
	name = s.fold(name)
	if s.projects[name] != nil {
		return fmt.Errorf("two projects have this name in the case that the warehouse folds to")
	}
	c := &project{Project: p, maxRow: DefaultMaxRow, dry: p.Protection == parser.DryRun}
	if p.MaxRow != nil {
		c.maxRow = *p.MaxRow
	}
	if len(p.Trusted) > 0 {
		c.trusted = make(map[string]struct{}, len(p.Trusted))
		for _, t := range p.Trusted {
			c.trusted[s.fold(t)] = struct{}{}
		}
	}
	c.owners = s.options.accounts(p.Owners).strict()
	c.admins = s.options.accounts(p.Admins).strict()
	if p.Exception != "" {
		var err error
		if c.policy, err = parseAgain(earlier, name, p); err != nil {
			return err
		}
		s.sealAll(name, p)
		c.exceptions = s.index(name, p, c.policy)
	}
	c.packages = s.share(name, p)
	s.projects[name] = c
	return nil
}

// parseAgain parses an exception's text unless an earlier snapshot has done so.
func parseAgain(earlier *Snapshot, name string, p *Project) (*ExceptionPolicy, error) {
	if earlier != nil {
		if old := earlier.projects[name]; old != nil && old.policy != nil && old.Exception == p.Exception && old.Name == p.Name {
			return old.policy, nil
		}
	}
	return ParsePolicy(p.Exception, p.Name)
}

// order sorts the guarded projects out.
func (s *Snapshot) order() {
	var dry []*project
	for _, c := range s.projects {
		switch {
		case c.dry:
			dry = append(dry, c)
		case c.Protection != parser.Unprotected:
			s.guarded = append(s.guarded, c)
		}
	}
	byName := func(l []*project) {
		sort.Slice(l, func(i, j int) bool { return l[i].Name < l[j].Name })
	}
	byName(s.guarded)
	byName(dry)
	s.protected = len(s.guarded)
	s.guarded = append(s.guarded, dry...)
}

// systemSchema tells whether a schema is no project (contract 1).
func systemSchema(name string) bool {
	if len(name) < 3 || len(name) > len("performance_schema") {
		return false
	}
	switch lower(name[0]) {
	case 'm', 'i', 'p', 's':
	default:
		return false
	}
	for _, system := range [...]string{"mysql", "information_schema", "performance_schema", "sys", "sluice", "metrics_schema"} {
		if strings.EqualFold(name, system) {
			return true
		}
	}
	return false
}

// ProjectOf gives the project of a schema; "" for system schemas and for "".
func (s *Snapshot) ProjectOf(schema string) string {
	if schema == "" || systemSchema(schema) {
		return ""
	}
	schema = s.fold(schema)
	if p, ok := s.schemas[schema]; ok {
		return p
	}
	return schema
}

// Schemas gives the schemas of a project.
func (s *Snapshot) Schemas(name string) []string {
	name = s.fold(name)
	if g := s.grouped[name]; g != nil {
		return g
	}
	return []string{name}
}

// Protected tells whether any project is protected or in dry run.
func (s *Snapshot) Protected() bool { return len(s.guarded) > 0 }

// Revision is that of the policy.
func (s *Snapshot) Revision() uint64 { return s.policy.Revision }

// Policy gives the policy that the snapshot was built from; it must not be changed.
func (s *Snapshot) Policy() *Policy { return s.policy }

// Options gives the settings that the snapshot was built with.
func (s *Snapshot) Options() Options { return s.options }

// Project gives a project's policy; one without an entry has the defaults. It must not be changed.
func (s *Snapshot) Project(name string) *Project {
	if c := s.projects[s.fold(name)]; c != nil {
		return c.Project
	}
	return &Project{Name: name}
}

// Unclaimed tells whether a project is one schema of its own name of which the policy knows nothing.
func (s *Snapshot) Unclaimed(name string) bool {
	name = s.fold(name)
	return s.projects[name] == nil && s.grouped[name] == nil
}

// Exception gives a project's parsed exception policy, or nil.
func (s *Snapshot) Exception(name string) *ExceptionPolicy {
	if c := s.projects[s.fold(name)]; c != nil {
		return c.policy
	}
	return nil
}

// DisplayCap is the number of rows that a project lets be shown.
func (p *Project) DisplayCap() int64 {
	if p.MaxRow == nil {
		return DefaultMaxRow
	}
	return *p.MaxRow
}

// Role is what a subject may do to a project's policy.
type Role uint8

// The roles, each with all that the ones before may do.
const (
	None Role = iota
	Admin
	Owner
	SuperAdministrator
)

// String names the role as the commands do.
func (r Role) String() string {
	switch r {
	case Admin:
		return "admin"
	case Owner:
		return "owner"
	case SuperAdministrator:
		return "Super_Administrator"
	default:
		return "none"
	}
}

// Role gives a subject's role in a project. An anonymous account has none.
func (s *Snapshot) Role(sub Subject, name string) Role {
	return s.role(&sub, s.projects[s.fold(name)])
}

func (s *Snapshot) role(sub *Subject, c *project) Role {
	switch {
	case sub.User == "":
		return None
	case s.supers.match(sub):
		return SuperAdministrator
	case c == nil:
		return None
	case c.owners.match(sub):
		return Owner
	case c.admins.match(sub):
		return Admin
	}
	return None
}

// RoleUnder is Role under a policy that may be newer than the snapshot: the one that a change is about to edit.
func (s *Snapshot) RoleUnder(p *Policy, sub Subject, name string) Role {
	c := &project{}
	if have := p.Projects[name]; have != nil {
		c.owners = s.options.accounts(have.Owners).strict()
		c.admins = s.options.accounts(have.Admins).strict()
	}
	return s.role(&sub, c)
}

// noCap is the display cap of a result that no project limits.
const noCap = math.MaxInt64
