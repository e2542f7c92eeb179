package enforcement

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"sluice/parser"
)

// names gives the projects with an entry, sorted.
func (p *Policy) names() []string {
	return slices.Sorted(maps.Keys(p.Projects))
}

func packageNames(p *Project) []string {
	return slices.Sorted(maps.Keys(p.Packages))
}

// Clone copies a policy deeply.
func (p *Policy) Clone() *Policy {
	out := &Policy{Revision: p.Revision, Projects: make(map[string]*Project, len(p.Projects))}
	for name, have := range p.Projects {
		out.Projects[name] = have.Clone()
	}
	return out
}

// Clone copies a project's policy deeply.
func (p *Project) Clone() *Project {
	c := *p
	c.Seals = cloneSeals(p.Seals)
	c.Trusted = slices.Clone(p.Trusted)
	c.Owners = slices.Clone(p.Owners)
	c.Admins = slices.Clone(p.Admins)
	c.Installed = slices.Clone(p.Installed)
	for i := range c.Installed {
		c.Installed[i].Readers = slices.Clone(c.Installed[i].Readers)
	}
	if p.MaxRow != nil {
		n := *p.MaxRow
		c.MaxRow = &n
	}
	if p.Packages != nil {
		c.Packages = make(map[string]*Package, len(p.Packages))
		for name, k := range p.Packages {
			c.Packages[name] = k.clone()
		}
	}
	return &c
}

func (k *Package) clone() *Package {
	c := *k
	c.Items = slices.Clone(k.Items)
	for i := range c.Items {
		c.Items[i].Privileges = slices.Clone(c.Items[i].Privileges)
		c.Items[i].Rebuilding = slices.Clone(c.Items[i].Rebuilding)
	}
	c.Allowed = slices.Clone(k.Allowed)
	c.Lost = slices.Clone(k.Lost)
	return &c
}

func cloneSeals(l []Seal) []Seal {
	out := slices.Clone(l)
	for i := range out {
		out[i].Bases = cloneSeals(out[i].Bases)
		if b := out[i].Broken; b != nil {
			c := *b
			out[i].Broken = &c
		}
	}
	return out
}

// Encode gives the policy's one JSON form: equal policies encode equally.
func (p *Policy) Encode() ([]byte, error) {
	if p.Projects == nil {
		return json.Marshal(&Policy{Revision: p.Revision, Projects: map[string]*Project{}})
	}
	return json.Marshal(p)
}

// Decode reads what Encode wrote and validates it. Unknown fields are an error: a newer gateway's
// policy may mean more than this one understands.
func Decode(data []byte) (*Policy, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var p Policy
	if err := d.Decode(&p); err != nil {
		return nil, fmt.Errorf("decode policy: %w", err)
	}
	if d.More() {
		return nil, errors.New("decode policy: text after its end")
	}
	if p.Projects == nil {
		p.Projects = map[string]*Project{}
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return &p, nil
}

// Digest identifies a policy's content and revision, in hexadecimal SHA-256.
func (p *Policy) Digest() (string, error) {
	b, err := p.Encode()
	if err != nil {
		return "", fmt.Errorf("digest policy: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Validate checks all but the exception policies' texts, which Build reads. An error names the project.
func (p *Policy) Validate() error {
	for _, name := range p.names() {
		if err := p.Projects[name].validate(name); err != nil {
			return fmt.Errorf("policy revision %d: project %q: %w", p.Revision, name, err)
		}
	}
	return nil
}

func (p *Project) validate(name string) error {
	switch {
	case p == nil:
		return errors.New("has no content")
	case p.Name != name:
		return fmt.Errorf("is named %q inside", p.Name)
	case p.Protection > parser.DryRun:
		return fmt.Errorf("protection %d is unknown", p.Protection)
	case p.Exception != "" && p.Protection == parser.Unprotected:
		return errors.New("has an exception policy but is not protected")
	case p.MaxRow != nil && *p.MaxRow < 0:
		return fmt.Errorf("READ_TABLE_MAX_ROW %d is negative", *p.MaxRow)
	case len(p.Packages) > MaxPackages:
		return fmt.Errorf("has more than %d packages", MaxPackages)
	case len(p.Installed) > MaxInstalled:
		return fmt.Errorf("has more than %d packages installed", MaxInstalled)
	}
	if err := checkProjectName(name); err != nil {
		return err
	}
	for _, key := range packageNames(p) {
		if err := p.Packages[key].validate(key); err != nil {
			return fmt.Errorf("package %q: %w", key, err)
		}
	}
	for i := range p.Seals {
		if p.Seals[i].Table == "" || p.Seals[i].Schema == "" {
			return errors.New("has a seal that names no table")
		}
	}
	return nil
}

func (k *Package) validate(key string) error {
	if k == nil {
		return errors.New("has no content")
	}
	if packageKey(k.Name) != key {
		return fmt.Errorf("is named %q inside", k.Name)
	}
	if err := checkPackageName(k.Name); err != nil {
		return err
	}
	if len(k.Items) > MaxItems {
		return fmt.Errorf("has more than %d objects", MaxItems)
	}
	if len(k.Allowed) > MaxAllowed {
		return fmt.Errorf("is allowed to more than %d projects", MaxAllowed)
	}
	for i := range k.Items {
		if !strings.EqualFold(k.Items[i].Type, "table") || k.Items[i].Name == "" {
			return fmt.Errorf("object %d is no table", i+1)
		}
		for _, v := range k.Items[i].Privileges {
			if _, known := privilegeUses[strings.ToLower(v)]; !known {
				return fmt.Errorf("object %s: privilege %q is unknown", k.Items[i].Name, v)
			}
		}
	}
	return nil
}

// packageKey is a package's key in Project.Packages: names differ in more than case.
func packageKey(name string) string { return strings.ToLower(name) }

func checkPackageName(name string) error {
	ok := name != "" && len(name) <= 128 && (name[0] < '0' || name[0] > '9')
	for i := 0; ok && i < len(name); i++ {
		c := lower(name[i])
		ok = c == '_' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
	}
	if !ok {
		return fmt.Errorf("%s is no package name: letters, digits and _, not beginning with a digit, at most 128 characters", quoted(name))
	}
	return nil
}

func checkProjectName(name string) error {
	if systemSchema(name) {
		return fmt.Errorf("%s is a system schema, which is no project", quoted(name))
	}
	if name == "" || utf8.RuneCountInString(name) > 64 || name == "*" {
		return fmt.Errorf("%s is no name of a project", quoted(name))
	}
	return nil
}

func sortedSeals(l []SealUse) []SealUse {
	sort.Slice(l, func(i, j int) bool {
		a, b := l[i], l[j]
		if a.Project != b.Project {
			return a.Project < b.Project
		}
		if a.Seal.Schema != b.Seal.Schema {
			return a.Seal.Schema < b.Seal.Schema
		}
		return a.Seal.Table < b.Seal.Table
	})
	return l
}

func uniqueUses(l []PackageUse) []PackageUse {
	slices.SortFunc(l, func(a, b PackageUse) int {
		return strings.Compare(a.Project+"\x00"+a.Package+"\x00"+a.Item, b.Project+"\x00"+b.Package+"\x00"+b.Item)
	})
	return slices.Compact(l)
}
