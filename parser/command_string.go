package parser

import (
	"strconv"
	"strings"
)

// ident quotes a name.
func ident(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// quote gives a string that stringText reads back.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + "'"
}

func user(s string) string {
	name, host, ok := strings.Cut(s, "@")
	if !ok {
		return quote(name)
	}
	return quote(name) + "@" + quote(host)
}

func object(kind, name string) string {
	if strings.Contains(name, "*") {
		return strings.ToUpper(kind) + " " + name
	}
	return strings.ToUpper(kind) + " " + ident(name)
}

// String gives the command's canonical spelling.
func (c SetProtection) String() string {
	s := "SET ProjectProtection = " + c.Value.String()
	switch {
	case c.Policy != "":
		s += " WITH EXCEPTION " + quote(c.Policy)
	case c.File != "":
		s += " WITH EXCEPTION " + quote(c.File)
	}
	return s
}

func (ShowSecurityConfiguration) String() string { return "SHOW SECURITYCONFIGURATION" }
func (ListTrustedProjects) String() string       { return "LIST TRUSTEDPROJECTS" }
func (c AddTrustedProject) String() string       { return "ADD TRUSTEDPROJECT " + ident(c.Project) }
func (c RemoveTrustedProject) String() string    { return "REMOVE TRUSTEDPROJECT " + ident(c.Project) }
func (c CreatePackage) String() string           { return "CREATE PACKAGE " + ident(c.Package) }
func (c DropPackage) String() string             { return "DROP PACKAGE " + ident(c.Package) }
func (ShowPackages) String() string              { return "SHOW PACKAGES" }
func (c DescribePackage) String() string {
	return "DESCRIBE PACKAGE " + packagePath(c.Project, c.Package)
}

func packagePath(project, name string) string {
	if project == "" {
		return ident(name)
	}
	return ident(project) + "." + ident(name)
}

func (c AddToPackage) String() string {
	s := "ADD " + object(c.Type, c.Object) + " TO PACKAGE " + ident(c.Package)
	if len(c.Privileges) > 0 {
		s += " WITH PRIVILEGES " + strings.Join(c.Privileges, ", ")
	}
	return s
}

func (c RemoveFromPackage) String() string {
	return "REMOVE " + object(c.Type, c.Object) + " FROM PACKAGE " + ident(c.Package)
}

func projectOrAll(p string) string {
	if p == "*" {
		return p
	}
	return ident(p)
}

func (c AllowInstall) String() string {
	s := "ALLOW PROJECT " + projectOrAll(c.Project) + " TO INSTALL PACKAGE " + ident(c.Package)
	if c.Label != 0 {
		s += " USING LABEL " + strconv.Itoa(c.Label)
	}
	return s
}

func (c DisallowInstall) String() string {
	return "DISALLOW PROJECT " + projectOrAll(c.Project) + " TO INSTALL PACKAGE " + ident(c.Package)
}
func (c InstallPackage) String() string {
	return "INSTALL PACKAGE " + packagePath(c.Project, c.Package)
}
func (c UninstallPackage) String() string {
	return "UNINSTALL PACKAGE " + packagePath(c.Project, c.Package)
}
func (c GrantRead) String() string {
	return "GRANT READ ON PACKAGE " + packagePath(c.Project, c.Package) + " TO USER " + user(c.User)
}
func (c RevokeRead) String() string {
	return "REVOKE READ ON PACKAGE " + packagePath(c.Project, c.Package) + " FROM USER " + user(c.User)
}
func (c SetProject) String() string {
	return "SETPROJECT READ_TABLE_MAX_ROW = " + strconv.FormatInt(c.ReadTableMaxRow, 10)
}
func (c SetTaskType) String() string { return "SET odps.task.type = " + quote(c.Type) }
func (ListOwners) String() string    { return "LIST OWNERS" }
func (c AddOwner) String() string    { return "ADD OWNER " + user(c.User) }
func (c RemoveOwner) String() string { return "REMOVE OWNER " + user(c.User) }
func (ListAdmins) String() string    { return "LIST ADMINS" }
func (c AddAdmin) String() string    { return "ADD ADMIN " + user(c.User) }
func (c RemoveAdmin) String() string { return "REMOVE ADMIN " + user(c.User) }
func (c ExplainFlow) String() string { return "EXPLAIN FLOW " + c.Statement }
func (c ShowFlowLog) String() string {
	s := "SHOW FLOW LOG"
	for i, w := range c.Where {
		s += map[bool]string{true: " WHERE ", false: " AND "}[i == 0] + ident(w.Column) + " " + w.Op + " " + quote(w.Value)
	}
	if c.Limit > 0 || c.None {
		s += " LIMIT " + strconv.Itoa(c.Limit)
	}
	return s
}
func (c ShowFlowReach) String() string {
	if c.Project == "" {
		return "SHOW FLOW REACH"
	}
	return "SHOW FLOW REACH FROM " + ident(c.Project)
}
func (CheckProtection) String() string { return "CHECK PROJECTPROTECTION" }
func (ShowSeals) String() string       { return "SHOW SEALS" }
