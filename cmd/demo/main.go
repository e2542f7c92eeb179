// Command demo shows Sluice on a machine that has Go and nothing else: a warehouse and a Redis in memory,
// the gateway wired as cmd/proxy wires it, sample projects and accounts. It listens on loopback only, keeps its
// decision log in a temporary folder, and leaves nothing behind.
//
// Without a flag it prints what to type in a mysql client and serves until it is interrupted. With --play it
// plays the story of project data protection through the gateway and exits 0 when every answer was the
// expected one, 1 otherwise.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program: exit code 0, 1 for a failure explained on stderr, 2 for a bad command line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	playIt := flags.Bool("play", false, "play the story and exit, instead of serving")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "demo: unexpected argument %q\n", flags.Arg(0))
		return 2
	}
	logrus.SetOutput(io.Discard) // the embedded warehouse logs each connection
	if err := demonstrate(ctx, newScreen(stdout), *playIt); err != nil {
		fmt.Fprintf(stderr, "demo: %v\n", err)
		return 1
	}
	return 0
}

// startTimeout bounds the time until everything listens and the sample projects are there.
const startTimeout = 30 * time.Second

func demonstrate(ctx context.Context, out *screen, playIt bool) (err error) {
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	w, err := start(starting)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := w.close(); err == nil {
			err = closeErr
		}
	}()
	if err := w.seed(starting); err != nil {
		return err
	}
	w.introduce(out)
	if playIt {
		return w.play(ctx, out)
	}
	w.invite(out)
	select {
	case <-ctx.Done():
		out.line("")
		out.line("Stopped.")
		return nil
	case <-w.failed:
		return nil // close gives the error
	}
}
