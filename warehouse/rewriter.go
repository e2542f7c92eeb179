package warehouse

import (
	"crypto/rand"
	"strings"

	"github.com/go-mysql-org/go-mysql/client"
)

// MySQL's plugin Rewriter puts other statements in the place of those that it has rules for, the service account's too: a rule could
// answer for the policy's truth. It finds a rule by the text without its literals, but with its names. So where the plugin is, each
// text gets a name that nobody can guess, in a hint that changes nothing.

// Disguise says whether the server has the plugin.
func (p *Pool) Disguise(needed bool) { p.disguise.Store(needed) }

// look finds out on a new connection, before anything is believed that is read on it.
func (p *Pool) look(c *client.Conn) error {
	if v := c.GetServerVersion(); strings.Contains(v, "MariaDB") || strings.Contains(v, "TiDB") {
		return nil
	}
	_, rows, err := query(c, "SHOW GLOBAL STATUS WHERE variable_name = 'Rewriter_number_loaded_rules'") // which no rule can take
	if err == nil && len(rows) > 0 {
		p.Disguise(true)
	}
	return err
}

// worded gives a text as it goes out.
func (p *Pool) worded(text string) string {
	if p.disguise.Load() {
		return disguised(text)
	}
	return text
}

// rewritten are the statements that rules can take.
var rewritten = []string{"SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE"}

// disguised gives a text that no rule can have been written for.
func disguised(text string) string {
	for _, verb := range rewritten {
		if rest, is := strings.CutPrefix(text, verb); is && strings.IndexAny(rest, " \n\t") == 0 {
			return verb + " /*+ QB_NAME(s" + rand.Text() + ") */" + rest
		}
	}
	return text
}
