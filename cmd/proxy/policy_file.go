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
)

// writePolicy prints a policy as a document for version control.
func writePolicy(w io.Writer, p *enforcement.Policy, format string) error {
	text, err := p.Pretty()
	if err != nil {
		return err
	}
	if format == "json" {
		_, err = w.Write(text)
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // otherwise a large number would come out as 1e+06
	var document any
	if err := decoder.Decode(&document); err != nil {
		return err
	}
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(plainNumbers(document)); err != nil {
		return err
	}
	return encoder.Close()
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
