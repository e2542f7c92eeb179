package enforcement

import (
	"slices"
	"strings"
	"time"
)

// DefaultPrivileges are those of an object that is added without any.
var DefaultPrivileges = []string{"Read", "Describe", "Select"}

// pkg finds a package.
func (p *Policy) pkg(name, pkg string) (*Package, error) {
	if c := p.Projects[name]; c != nil {
		if k := c.Packages[packageKey(pkg)]; k != nil {
			return k, nil
		}
	}
	return nil, refusedEdit(Unknown, "package %s.%s does not exist", name, pkg)
}

// Package finds a package of the project by its name, in any case; nil when there is none.
func (p *Project) Package(name string) *Package { return p.Packages[packageKey(name)] }

// CreatePackage is CREATE PACKAGE.
func (p *Policy) CreatePackage(name, pkg string, now time.Time) error {
	if err := checkPackageName(pkg); err != nil {
		return refusedEdit(Invalid, "%v", err)
	}
	c, err := p.project(name)
	if err != nil {
		return err
	}
	switch {
	case c.Packages[packageKey(pkg)] != nil:
		return refusedEdit(Duplicate, "package %s.%s exists already", name, pkg)
	case len(c.Packages) >= MaxPackages:
		return refusedEdit(Limit, "project %s has %d packages, which is the limit", name, MaxPackages)
	}
	if c.Packages == nil {
		c.Packages = map[string]*Package{}
	}
	c.Packages[packageKey(pkg)] = &Package{Name: pkg, Created: now.UTC()}
	return nil
}

// DropPackage is DROP PACKAGE: every permission that was granted through it goes with it. It gives the
// projects that had it installed.
func (p *Policy) DropPackage(name, pkg string) (installedIn []string, err error) {
	if _, err := p.pkg(name, pkg); err != nil {
		return nil, err
	}
	delete(p.Projects[name].Packages, packageKey(pkg))
	for _, other := range p.names() {
		c := p.Projects[other]
		n := len(c.Installed)
		c.Installed = slices.DeleteFunc(slices.Clone(c.Installed), func(in Installation) bool { return in.is(name, pkg) })
		if len(c.Installed) < n {
			installedIn = append(installedIn, other)
		}
		if len(c.Installed) == 0 {
			c.Installed = nil
		}
	}
	return installedIn, nil
}

func (in *Installation) is(project, pkg string) bool {
	return in.Project == project && packageKey(in.Package) == packageKey(pkg)
}

// AddToPackage is ADD [TABLE] t TO PACKAGE. An object and its privileges are one unit: they cannot
// be changed, only removed and added again.
func (p *Policy) AddToPackage(name, pkg string, item Item) error {
	k, err := p.pkg(name, pkg)
	if err != nil {
		return err
	}
	if err := checkItem(name, &item); err != nil {
		return err
	}
	switch {
	case k.item(item.Name) >= 0:
		return refusedEdit(Duplicate, "%s is in package %s.%s already: to change its privileges, remove it and add it again", item.Name, name, pkg)
	case len(k.Items) >= MaxItems:
		return refusedEdit(Limit, "package %s.%s has %d objects, which is the limit", name, pkg, MaxItems)
	}
	k.Items = append(slices.Clone(k.Items), item)
	k.Lost = slices.DeleteFunc(slices.Clone(k.Lost), func(l LostItem) bool { return l.Name == item.Name })
	if len(k.Lost) == 0 {
		k.Lost = nil
	}
	return nil
}

func (k *Package) item(name string) int {
	return slices.IndexFunc(k.Items, func(have Item) bool { return have.Name == name })
}

// checkItem checks an object and spells its type and privileges as they are kept.
func checkItem(project string, item *Item) error {
	switch t := strings.ToLower(item.Type); t {
	case "", "table", "view":
		item.Type = "table"
	case "project":
		return refusedEdit(Invalid, "a project cannot be added to a package")
	default:
		return refusedEdit(Invalid, "only tables and views can be shared, not %s", quoted(t))
	}
	switch {
	case item.Name == "" || strings.ContainsAny(item.Name, "\x00/"):
		return refusedEdit(Invalid, "%s is no name of a table", quoted(item.Name))
	case strings.HasPrefix(item.Name, project+"."):
		return refusedEdit(Invalid, "the name of a package's object stands without its project: %s", strings.TrimPrefix(item.Name, project+"."))
	}
	if len(item.Privileges) == 0 {
		item.Privileges = slices.Clone(DefaultPrivileges)
		return nil
	}
	var out []string
	for _, v := range item.Privileges {
		if _, known := privilegeUses[strings.ToLower(v)]; !known {
			return refusedEdit(Invalid, "%s is no privilege: Describe, Select, Read, Alter, Update, Drop, ShowHistory, Download or All", quoted(v))
		}
		v = titled(v)
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	item.Privileges = out
	return nil
}

func titled(v string) string {
	if strings.EqualFold(v, "ShowHistory") {
		return "ShowHistory"
	}
	return strings.ToUpper(v[:1]) + strings.ToLower(v[1:])
}

// RemoveFromPackage is REMOVE [TABLE] t FROM PACKAGE.
func (p *Policy) RemoveFromPackage(name, pkg, item string) error {
	k, err := p.pkg(name, pkg)
	if err != nil {
		return err
	}
	i := k.item(item)
	if i < 0 {
		return refusedEdit(Unknown, "%s is not in package %s.%s", item, name, pkg)
	}
	k.Items = slices.Delete(slices.Clone(k.Items), i, i+1)
	return nil
}

// AllowInstall is ALLOW PROJECT p|* TO INSTALL PACKAGE [USING LABEL n]. The label is kept; no table has a
// level here, so it limits nothing.
func (p *Policy) AllowInstall(name, pkg string, to Allowed) error {
	k, err := p.pkg(name, pkg)
	if err != nil {
		return err
	}
	if to.Project != "*" {
		if err := checkProjectName(to.Project); err != nil {
			return refusedEdit(Invalid, "%v", err)
		}
	}
	switch {
	case to.Project == name:
		return refusedEdit(Invalid, "project %s has its own package without installing it", name)
	case to.Label < 0 || to.Label > 9:
		return refusedEdit(Invalid, "a label is a number from 0 to 9")
	case k.allowed(to.Project) >= 0:
		return refusedEdit(Duplicate, "project %s may install package %s.%s already", to.Project, name, pkg)
	case len(k.Allowed) >= MaxAllowed:
		return refusedEdit(Limit, "package %s.%s is allowed to %d projects, which is the limit", name, pkg, MaxAllowed)
	}
	k.Allowed = append(slices.Clone(k.Allowed), to)
	return nil
}

func (k *Package) allowed(project string) int {
	return slices.IndexFunc(k.Allowed, func(a Allowed) bool { return a.Project == project })
}

// Allows tells whether a project may install the package.
func (k *Package) Allows(project string) bool { return k.allowed("*") >= 0 || k.allowed(project) >= 0 }

// DisallowInstall is DISALLOW PROJECT p|* TO INSTALL PACKAGE. What is installed there stops working.
func (p *Policy) DisallowInstall(name, pkg, to string) error {
	k, err := p.pkg(name, pkg)
	if err != nil {
		return err
	}
	i := k.allowed(to)
	if i < 0 {
		return refusedEdit(Unknown, "project %s was not allowed to install package %s.%s", to, name, pkg)
	}
	k.Allowed = slices.Delete(slices.Clone(k.Allowed), i, i+1)
	return nil
}

// InstallPackage is INSTALL PACKAGE source.pkg in the project name.
func (p *Policy) InstallPackage(name, source, pkg string, now time.Time) error {
	if source == name {
		return refusedEdit(Invalid, "project %s has its own package without installing it", name)
	}
	k, err := p.pkg(source, pkg)
	if err != nil {
		return err
	}
	if !k.Allows(name) {
		return refusedEdit(Refused, "project %s is not allowed to install package %s.%s: an owner of %s can: ALLOW PROJECT %s TO INSTALL PACKAGE %s", name, source, pkg, source, name, pkg)
	}
	c, err := p.project(name)
	if err != nil {
		return err
	}
	same := 0
	for i := range c.Installed {
		if c.Installed[i].is(source, pkg) {
			return refusedEdit(Duplicate, "package %s.%s is installed in %s already", source, pkg, name)
		}
		if c.Installed[i].Project == source {
			same++
		}
	}
	if same >= MaxInstalls {
		return refusedEdit(Limit, "project %s has %d packages of %s installed, which is the limit", name, MaxInstalls, source)
	}
	if len(c.Installed) >= MaxInstalled {
		return refusedEdit(Limit, "project %s has %d packages installed, which is the limit", name, MaxInstalled)
	}
	c.Installed = append(slices.Clone(c.Installed), Installation{Project: source, Package: k.Name, Time: now.UTC()})
	return nil
}

// installation finds an installed package.
func (p *Policy) installation(name, source, pkg string) (*Installation, error) {
	if c := p.Projects[name]; c != nil {
		for i := range c.Installed {
			if c.Installed[i].is(source, pkg) {
				return &c.Installed[i], nil
			}
		}
	}
	return nil, refusedEdit(Unknown, "package %s.%s is not installed in %s", source, pkg, name)
}

// UninstallPackage is UNINSTALL PACKAGE: the Read grants go with it.
func (p *Policy) UninstallPackage(name, source, pkg string) error {
	if _, err := p.installation(name, source, pkg); err != nil {
		return err
	}
	c := p.Projects[name]
	c.Installed = slices.DeleteFunc(slices.Clone(c.Installed), func(in Installation) bool { return in.is(source, pkg) })
	if len(c.Installed) == 0 {
		c.Installed = nil
	}
	return nil
}

// GrantRead is GRANT READ ON PACKAGE source.pkg TO USER user, in the project that installed it.
func (p *Policy) GrantRead(name, source, pkg, user string) error {
	if err := checkAccount(user); err != nil {
		return err
	}
	in, err := p.installation(name, source, pkg)
	if err != nil {
		return err
	}
	if slices.Contains(in.Readers, user) {
		return refusedEdit(Duplicate, "%s has Read on package %s.%s in %s already", user, source, pkg, name)
	}
	in.Readers = insertSorted(in.Readers, user)
	return nil
}

// RevokeRead is REVOKE READ ON PACKAGE source.pkg FROM USER user.
func (p *Policy) RevokeRead(name, source, pkg, user string) error {
	in, err := p.installation(name, source, pkg)
	if err != nil {
		return err
	}
	if !slices.Contains(in.Readers, user) {
		return refusedEdit(Unknown, "%s has no Read on package %s.%s in %s", user, source, pkg, name)
	}
	in.Readers = remove(in.Readers, user)
	return nil
}
