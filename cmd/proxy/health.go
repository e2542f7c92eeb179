package main

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// healthCommand asks a running gateway on its admin port whether clients may come: for containers, which
// have no other program to ask with.
func healthCommand() *cobra.Command {
	c := &cobra.Command{Use: "health", Short: "ask the gateway of this configuration whether it is ready", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		cfg, err := load(c)
		if err != nil {
			return err
		}
		client := http.Client{Timeout: 2 * time.Second}
		r, err := client.Get("http://" + cfg.Admin.Listen + "/readyz")
		if err != nil {
			return fmt.Errorf("admin.listen: is %s, expected a gateway that answers: %w", cfg.Admin.Listen, err)
		}
		defer r.Body.Close()
		text, err := io.ReadAll(io.LimitReader(r.Body, 1000))
		if err != nil {
			return err
		}
		if r.StatusCode != http.StatusOK {
			return fmt.Errorf("not ready: %s", text)
		}
		_, err = c.OutOrStdout().Write(text)
		return err
	}}
	configFlags(c)
	return c
}
