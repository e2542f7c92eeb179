package parser

// packageCommand reads the commands whose verbs are also those of SQL: they are commands only with
// the word PACKAGE where SQL has none. `CREATE PACKAGE k AS …` of the ORACLE mode is not.
func (c *commandReader) packageCommand() Command {
	switch {
	case c.accept("CREATE", "PACKAGE"):
		return CreatePackage{c.ownPackage()}
	case c.accept("DROP", "PACKAGE"), c.accept("DELETE", "PACKAGE"):
		return DropPackage{c.ownPackage()}
	case len(c.tokens) > 2 && !c.tokens[2].is(c.text, ";") && (c.accept("DESC", "PACKAGE") || c.accept("DESCRIBE", "PACKAGE")):
		project, name := c.packageName(false)
		return DescribePackage{project, name}
	case c.accept("ALLOW"):
		project, name := c.install()
		a := AllowInstall{Project: project, Package: name}
		if c.accept("USING", "LABEL") {
			a.Label = int(c.number("a level from 0 to 9"))
		}
		return a
	case c.accept("DISALLOW"):
		project, name := c.install()
		return DisallowInstall{project, name}
	case c.accept("INSTALL", "PACKAGE"):
		project, name := c.packageName(true)
		return InstallPackage{project, name}
	case c.accept("UNINSTALL", "PACKAGE"):
		project, name := c.packageName(true)
		return UninstallPackage{project, name}
	case c.accept("GRANT", "READ", "ON", "PACKAGE"):
		project, name := c.packageName(true)
		c.expect("TO", "USER")
		return GrantRead{project, name, c.user()}
	case c.accept("REVOKE", "READ", "ON", "PACKAGE"):
		project, name := c.packageName(true)
		c.expect("FROM", "USER")
		return RevokeRead{project, name, c.user()}
	}
	return nil
}

func (c *commandReader) install() (project, name string) {
	c.expect("PROJECT")
	if c.accept("*") {
		project = "*"
	} else {
		project = c.name("a project or *")
	}
	c.expect("TO", "INSTALL", "PACKAGE")
	return project, c.ownPackage()
}
