package wire

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestMessages decodes messages of the protocol pages and of real clients and servers.
func TestMessages(t *testing.T) {
	datadriven.Walk(t, "testdata/message", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			caps, ext := scriptCaps(t, d)
			p := scriptBytes(t, d.Input)
			before := bytes.Clone(p)
			out, again, err := decode(t, d, p, caps, ext)
			if !bytes.Equal(before, p) {
				t.Error("decoding changed the payload")
			}
			if err != nil {
				return fmt.Sprintf("error: %v\n", err)
			}
			switch {
			case again == nil:
			case bytes.Equal(again, p):
				out += "\nwritten again: the same bytes"
			default:
				out += fmt.Sprintf("\nwritten again: % x", again)
			}
			return out + "\n"
		})
	})
}

// decode gives a message's fields and its bytes when it is written again, nil for one that the
// package only reads.
func decode(t *testing.T, d *datadriven.TestData, p []byte, caps Capability, ext ExtCapability) (out string, again []byte, err error) {
	switch d.Cmd {
	case "greeting":
		g, err := ParseGreeting(p)
		if err != nil {
			return "", nil, err
		}
		return fmt.Sprintf("version %q (%s, MariaDB %v)\nconnection %d\nsalt % x\ncapabilities %#08x extended %#x\ncollation %d status %#04x\nplugin %q",
			g.Version, g.ServerVersion(), g.MariaDB(), g.ConnectionID, g.AuthData, uint32(g.Capabilities), uint32(g.Extended), g.Collation, g.Status, g.AuthPlugin), g.Encode(), nil
	case "response":
		r, err := ParseHandshakeResponse(p)
		if err != nil {
			return "", nil, err
		}
		out := fmt.Sprintf("SSLRequest %v\ncapabilities %#08x extended %#x\nlimit %d collation %d\nuser %q proof % x\ndatabase %q plugin %q zstd %d%s",
			IsSSLRequest(p), uint32(r.Capabilities), uint32(r.Extended), r.MaxPacket, r.Collation, r.User, r.AuthResponse, r.Database, r.AuthPlugin, r.ZstdLevel, attributesText(r.Attributes))
		clear := Capability(0)
		for _, a := range d.CmdArgs {
			if a.Key == "clear" {
				for _, v := range a.Vals {
					clear |= named(t, capabilityNames, v)
				}
			}
		}
		r.Capabilities &^= clear
		return out, r.Encode(), nil
	case "change-user":
		u, err := ParseChangeUser(p, caps)
		if err != nil {
			return "", nil, err
		}
		out := fmt.Sprintf("user %q proof % x\ndatabase %q plugin %q collation %d %v%s", u.User, u.AuthResponse, u.Database, u.AuthPlugin, u.Collation, u.HasCollation, attributesText(u.Attributes))
		agreed := caps
		for _, a := range d.CmdArgs {
			if a.Key == "clear" {
				for _, v := range a.Vals {
					agreed &^= named(t, capabilityNames, v)
				}
			}
		}
		return out, u.Encode(agreed), nil
	case "auth-switch":
		s, err := ParseAuthSwitch(p)
		if err != nil {
			return "", nil, err
		}
		return fmt.Sprintf("plugin %q salt % x", s.Plugin, s.Salt()), s.Encode(), nil
	case "auth-more":
		data, err := ParseAuthMoreData(p)
		return fmt.Sprintf("data % x", data), EncodeAuthMoreData(data), err
	case "next-factor":
		f, err := ParseAuthNextFactor(p)
		if err != nil {
			return "", nil, err
		}
		return fmt.Sprintf("plugin %q data % x", f.Plugin, f.Data), f.Encode(), nil
	}
	return decodeAnswer(t, d, p, caps, ext)
}

func decodeAnswer(t *testing.T, d *datadriven.TestData, p []byte, caps Capability, ext ExtCapability) (out string, again []byte, err error) {
	switch d.Cmd {
	case "ok":
		ok, err := ParseOK(p, caps)
		if err != nil {
			return "", nil, err
		}
		changes, err := ParseStateChanges(ok.Changes)
		if err != nil {
			return "", nil, err
		}
		out := fmt.Sprintf("ends rows %v affected %d id %d status %#04x warnings %d info %q", ok.EndsRows, ok.AffectedRows, ok.InsertID, ok.Status, ok.Warnings, ok.Info)
		for _, c := range changes {
			out += fmt.Sprintf("\nchanged: kind %d %q %q", c.Kind, c.Name, c.Value)
		}
		if len(changes) > 0 {
			ok.Changes = EncodeStateChanges(changes)
		}
		return out, ok.Encode(caps), nil
	case "eof":
		e, err := ParseEOF(p)
		return fmt.Sprintf("warnings %d status %#04x", e.Warnings, e.Status), e.Encode(), err
	case "err":
		e, err := ParseERR(p)
		if err != nil {
			return "", nil, err
		}
		return fmt.Sprintf("%v", e), e.Encode(caps), nil
	case "column":
		c, err := ParseColumn(p, ext)
		if err != nil {
			return "", nil, err
		}
		schema, table, err := ColumnOrigin(p)
		return fmt.Sprintf("%+v\norigin %q.%q", c, schema, table), c.Append(nil, ext), err
	case "prepare-ok":
		ok, err := ParsePrepareOK(p)
		return fmt.Sprintf("%+v", ok), ok.Encode(), err
	case "infile":
		name, err := ParseLocalInfile(p)
		return fmt.Sprintf("file %q", name), EncodeLocalInfile(name), err
	case "query":
		q, err := ParseQuery(p, caps)
		return fmt.Sprintf("attributes % x\nsql %q", q.Attributes, q.SQL), q.Encode(), err
	case "execute":
		e, err := ParseExecute(p)
		return fmt.Sprintf("statement %d flags %#x cursor %v iterations %d rest % x", e.StatementID, e.Flags, e.WantsCursor(), e.Iterations, e.Rest), nil, err
	case "fetch":
		f, err := ParseFetch(p)
		return fmt.Sprintf("%+v", f), f.Encode(), err
	case "statement":
		id, err := ParseStatementID(p)
		return fmt.Sprintf("statement %d", id), EncodeStatement(Command(p[0]), id), err
	case "field-list":
		f, err := ParseFieldList(p)
		return fmt.Sprintf("%+q", f), nil, err
	case "init-db":
		s, err := ParseInitDB(p)
		return fmt.Sprintf("schema %q", s), nil, err
	case "process-kill":
		id, err := ParseProcessKill(p)
		return fmt.Sprintf("connection %d", id), nil, err
	case "set-option":
		o, err := ParseSetOption(p)
		return fmt.Sprintf("option %d", o), nil, err
	}
	d.Fatalf(t, "no message %q", d.Cmd)
	return "", nil, nil
}

func attributesText(attributes []Attribute) string {
	var b strings.Builder
	for _, a := range attributes {
		fmt.Fprintf(&b, "\nattribute %q = %q", a.Key, a.Value)
	}
	return b.String()
}
