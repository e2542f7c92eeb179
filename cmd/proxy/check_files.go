package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sluice/config"
)

// checkCertificate reads the certificate that clients are shown, and holds it against the day.
func checkCertificate(cfg *config.Config, out io.Writer) error {
	if cfg.TLS.Cert == "" {
		return nil
	}
	pair, err := certificate(cfg.TLS.Cert, cfg.TLS.Key)
	if err != nil {
		return err
	}
	if err := validAt(cfg.TLS.Cert, pair, time.Now()); err != nil {
		return err
	}
	fmt.Fprintf(out, "certificate     %s: %s, until %s\n", cfg.TLS.Cert, pair.Leaf.Subject, pair.Leaf.NotAfter.Format(time.DateOnly))
	return nil
}

// checkAudit tells whether the decision log can be written, and leaves it as it is. A gateway that runs may have it open.
func checkAudit(cfg *config.Config, out io.Writer) error {
	name := cfg.Audit.File
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if os.IsNotExist(err) {
		if f, err = os.CreateTemp(filepath.Dir(name), ".sluice-check-*"); err == nil {
			defer os.Remove(f.Name())
		}
	}
	if err != nil {
		return fmt.Errorf("audit.file: is %s, expected a file that can be written: %w", name, err)
	}
	_ = f.Close()
	fmt.Fprintf(out, "decision log    %s: can be written\n", name)
	return nil
}

// checkProjects holds the configured projects against the schemas that there are. A project with the name of a schema that
// it does not list would have that one beside its own: by the schema's own name and by the project's.
func checkProjects(projects map[string][]string, schemas []string, folds bool, out io.Writer) []error {
	same := func(a, b string) bool { return a == b || folds && strings.EqualFold(a, b) }
	has := func(list []string, name string) bool {
		return slices.ContainsFunc(list, func(other string) bool { return same(other, name) })
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(projects)) {
		if has(schemas, name) && !has(projects[name], name) {
			faults = append(faults, fmt.Errorf("projects.%s: is [%s], expected the schema %s among them: a project with the name of a schema lists it", name, strings.Join(projects[name], ", "), name))
		}
		for _, schema := range projects[name] {
			if !has(schemas, schema) {
				fmt.Fprintf(out, "projects        %s: the warehouse has no schema %s yet\n", name, schema)
			}
		}
	}
	return faults
}
