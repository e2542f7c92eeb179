package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"sluice/enforcement"
	"sluice/parser"
)

// writePolicy prints a policy as a document for version control.
func writePolicy(w io.Writer, p *enforcement.Policy, format string) error {
	text, err := p.Pretty()
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // otherwise a large number would come out as 1e+06
	var document any
	if err := decoder.Decode(&document); err != nil {
		return err
	}
	document = plainNumbers(document)
	eachProtection(document, func(v any) any {
		if n, is := v.(int64); is {
			return parser.Protection(n).String()
		}
		return v
	})
	if format == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(document)
	}
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(document); err != nil {
		return err
	}
	return encoder.Close()
}

// eachProtection changes the protection of every project of a document: a file spells it as SET does.
func eachProtection(document any, change func(v any) any) {
	root, _ := document.(map[string]any)
	projects, _ := root["projects"].(map[string]any)
	for _, p := range projects {
		if project, is := p.(map[string]any); is && project["protection"] != nil {
			project["protection"] = change(project["protection"])
		}
	}
}

// protectionNumber reads true, false or dryrun, in quotes or not; what else there is stays as it is.
func protectionNumber(v any) any {
	for _, known := range []parser.Protection{parser.Unprotected, parser.Protected, parser.DryRun} {
		if strings.EqualFold(fmt.Sprint(v), known.String()) {
			return int64(known)
		}
	}
	return v
}

// plainNumbers makes integers of JSON's numbers: the policy has no others.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = plainNumbers(v[key])
		}
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
	}
	return v
}

// readPolicy reads a policy file, YAML or JSON; an unknown key is an error, and so is what no command could set.
func readPolicy(path string) (*enforcement.Policy, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var document any
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var fault error
	eachProtection(document, func(v any) any {
		n := protectionNumber(v)
		if _, word := n.(string); word {
			fault = fmt.Errorf("%s: protection: is %v, expected true, false or dryrun", path, v)
		}
		return n
	})
	if fault != nil {
		return nil, fault
	}
	plain, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	p, err := enforcement.Decode(plain)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", path, strings.TrimPrefix(err.Error(), "decode policy: "))
	}
	return p, nil
}
