package parser

// Command is a statement to the gateway itself (contract section 3). The set is
// closed: every member is in this file. String gives the canonical spelling, and
// parsing that gives the command back.
type Command interface {
	String() string
	command()
}

// Protection is the value of SET ProjectProtection.
type Protection uint8

// The protection states. The zero value is unprotected, the default of a project.
const (
	Unprotected Protection = iota
	Protected
	DryRun
)

// String gives the value as SET spells it: false, true, dryrun.
func (p Protection) String() string {
	switch p {
	case Protected:
		return "true"
	case DryRun:
		return "dryrun"
	default:
		return "false"
	}
}

// The gateway commands.
type (
	// SetProtection is SET ProjectProtection = true|false|dryrun [WITH EXCEPTION 'policy'].
	SetProtection struct {
		Value Protection
		// Policy is inline JSON (it begins with '{'); File is the name of a file of the client.
		// At most one of both is set.
		Policy, File string
	}
	// ShowSecurityConfiguration is SHOW SECURITYCONFIGURATION.
	ShowSecurityConfiguration struct{}
	// ListTrustedProjects is LIST TRUSTEDPROJECTS.
	ListTrustedProjects struct{}
	// AddTrustedProject is ADD TRUSTEDPROJECT p.
	AddTrustedProject struct{ Project string }
	// RemoveTrustedProject is REMOVE TRUSTEDPROJECT p.
	RemoveTrustedProject struct{ Project string }
	// CreatePackage is CREATE PACKAGE k.
	CreatePackage struct{ Package string }
	// DropPackage is DROP|DELETE PACKAGE k.
	DropPackage struct{ Package string }
	// ShowPackages is SHOW PACKAGES.
	ShowPackages struct{}
	// DescribePackage is DESC|DESCRIBE|SHOW PACKAGE [p.]k; Project is "" for the session project.
	DescribePackage struct{ Project, Package string }
	// AddToPackage is ADD [TABLE] t TO PACKAGE k [WITH PRIVILEGES …]; Object may hold '*'.
	AddToPackage struct {
		Type, Object, Package string // Type is "table" when omitted
		Privileges            []string
	}
	// RemoveFromPackage is REMOVE [TABLE] t FROM PACKAGE k.
	RemoveFromPackage struct{ Type, Object, Package string }
	// AllowInstall is ALLOW PROJECT p|* TO INSTALL PACKAGE k [USING LABEL n].
	AllowInstall struct {
		Project, Package string
		Label            int
	}
	// DisallowInstall is DISALLOW PROJECT p|* TO INSTALL PACKAGE k.
	DisallowInstall struct{ Project, Package string }
	// InstallPackage is INSTALL PACKAGE p.k.
	InstallPackage struct{ Project, Package string }
	// UninstallPackage is UNINSTALL PACKAGE p.k.
	UninstallPackage struct{ Project, Package string }
	// GrantRead is GRANT READ ON PACKAGE p.k TO USER u.
	GrantRead struct{ Project, Package, User string }
	// RevokeRead is REVOKE READ ON PACKAGE p.k FROM USER u.
	RevokeRead struct{ Project, Package, User string }
	// SetProject is SETPROJECT READ_TABLE_MAX_ROW = n.
	SetProject struct{ ReadTableMaxRow int64 }
	// SetTaskType is SET odps.task.type = 'DT'|'SQL'|'MapReduce': it acts on this connection only.
	SetTaskType struct{ Type string }
	// ListOwners is LIST OWNERS.
	ListOwners struct{}
	// AddOwner is ADD OWNER u.
	AddOwner struct{ User string }
	// RemoveOwner is REMOVE OWNER u.
	RemoveOwner struct{ User string }
	// ListAdmins is LIST ADMINS.
	ListAdmins struct{}
	// AddAdmin is ADD ADMIN u.
	AddAdmin struct{ User string }
	// RemoveAdmin is REMOVE ADMIN u.
	RemoveAdmin struct{ User string }
	// ExplainFlow is EXPLAIN FLOW <statement>.
	ExplainFlow struct{ Statement string }
	// ShowFlowLog is SHOW FLOW LOG [WHERE column op value [AND …]] [LIMIT n].
	ShowFlowLog struct {
		Where []Comparison
		Limit int  // 0 when absent
		None  bool // LIMIT 0: the columns alone
	}
	// ShowFlowReach is SHOW FLOW REACH [FROM p]; Project is "" for the session project.
	ShowFlowReach struct{ Project string }
	// CheckProtection is CHECK PROJECTPROTECTION.
	CheckProtection struct{}
	// ShowSeals is SHOW SEALS.
	ShowSeals struct{}
)

// Comparison is one clause of SHOW FLOW LOG … WHERE. Op is one of = != < <= > >= LIKE.
type Comparison struct{ Column, Op, Value string }

func (SetProtection) command()             {}
func (ShowSecurityConfiguration) command() {}
func (ListTrustedProjects) command()       {}
func (AddTrustedProject) command()         {}
func (RemoveTrustedProject) command()      {}
func (CreatePackage) command()             {}
func (DropPackage) command()               {}
func (ShowPackages) command()              {}
func (DescribePackage) command()           {}
func (AddToPackage) command()              {}
func (RemoveFromPackage) command()         {}
func (AllowInstall) command()              {}
func (DisallowInstall) command()           {}
func (InstallPackage) command()            {}
func (UninstallPackage) command()          {}
func (GrantRead) command()                 {}
func (RevokeRead) command()                {}
func (SetProject) command()                {}
func (SetTaskType) command()               {}
func (ListOwners) command()                {}
func (AddOwner) command()                  {}
func (RemoveOwner) command()               {}
func (ListAdmins) command()                {}
func (AddAdmin) command()                  {}
func (RemoveAdmin) command()               {}
func (ExplainFlow) command()               {}
func (ShowFlowLog) command()               {}
func (ShowFlowReach) command()             {}
func (CheckProtection) command()           {}
func (ShowSeals) command()                 {}
