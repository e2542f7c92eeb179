package enforcement

import "sluice/parser"

// RoleFor gives the role in the session project that a command needs (semantics 1.2 and 1.4; contract 3).
// A command that it does not know needs a Super_Administrator.
func RoleFor(c parser.Command) Role {
	switch c.(type) {
	case parser.SetTaskType, *parser.SetTaskType, parser.ExplainFlow, *parser.ExplainFlow:
		return None
	case parser.ShowSecurityConfiguration, *parser.ShowSecurityConfiguration,
		parser.ListTrustedProjects, *parser.ListTrustedProjects,
		parser.ListOwners, *parser.ListOwners, parser.ListAdmins, *parser.ListAdmins,
		parser.DescribePackage, *parser.DescribePackage, parser.ShowPackages, *parser.ShowPackages,
		parser.InstallPackage, *parser.InstallPackage, parser.UninstallPackage, *parser.UninstallPackage,
		parser.GrantRead, *parser.GrantRead, parser.RevokeRead, *parser.RevokeRead,
		parser.ShowFlowLog, *parser.ShowFlowLog, parser.ShowFlowReach, *parser.ShowFlowReach,
		parser.CheckProtection, *parser.CheckProtection, parser.ShowSeals, *parser.ShowSeals:
		return Admin
	case parser.SetProtection, *parser.SetProtection,
		parser.AddTrustedProject, *parser.AddTrustedProject, parser.RemoveTrustedProject, *parser.RemoveTrustedProject,
		parser.CreatePackage, *parser.CreatePackage, parser.DropPackage, *parser.DropPackage,
		parser.AddToPackage, *parser.AddToPackage, parser.RemoveFromPackage, *parser.RemoveFromPackage,
		parser.AllowInstall, *parser.AllowInstall, parser.DisallowInstall, *parser.DisallowInstall,
		parser.SetProject, *parser.SetProject,
		parser.AddOwner, *parser.AddOwner, parser.RemoveOwner, *parser.RemoveOwner,
		parser.AddAdmin, *parser.AddAdmin, parser.RemoveAdmin, *parser.RemoveAdmin:
		return Owner
	default:
		return SuperAdministrator
	}
}
