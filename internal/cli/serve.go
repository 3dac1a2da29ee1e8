package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"hotswap/internal/app"
)

// stopTime bounds an orderly stop: requests under way have at most 180 s by the API.
const stopTime = 200 * time.Second

// metricsLag is the variable that shortens how far back metrics lie with --azure-like. It is for tests.
const metricsLag = "HOTSWAP_METRICS_LAG"

func newServe(s *session) *cobra.Command {
	o := app.Options{Guard: []string{"/proc/self/exe", "guard"}}
	var level string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the server: Azure ML's online endpoints on this machine",
		Long: `Serve runs the management plane, token service, artifact store, scoring gateway and model workers
on this machine. All state is under one folder. The first start makes a workspace and a service
principal and writes its JSON there. SIGTERM drains and stops in order.`,
		Example: `  hotswap serve
  hotswap serve --listen 127.0.0.1:9443 --state-dir ./state
  hotswap serve --listen 0.0.0.0:8443 --scoring-listen 0.0.0.0:9443 --hostname ml.example.org`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := s.serveOptions(&o, level); err != nil {
				return err
			}
			return s.serve(c.Context(), o)
		},
	}
	c.Flags().StringVar(&o.StateDir, "state-dir", "", "`DIR` of all state (default: $XDG_STATE_HOME/hotswap)")
	c.Flags().StringVar(&o.Addr, "listen", "127.0.0.1:8443", "`HOST:PORT` to listen on; port 0 picks a free one")
	c.Flags().StringVar(&o.ScoringAddr, "scoring-listen", "", "`HOST:PORT` of a listener of its own for scoring (default: the same one)")
	c.Flags().StringVar(&o.Hostname, "hostname", "localhost", "`NAME` under which clients reach the server")
	c.Flags().BoolVar(&o.AzureLike, "azure-like", false, "be as slow and as eventually consistent as Azure")
	c.Flags().BoolVar(&o.Strict, "strict", false, "refuse a Python version that is not installed, instead of taking the nearest")
	c.Flags().StringVar(&level, "log-level", "info", "`LEVEL`: debug, info, warn or error")
	return c
}

func (s *session) serveOptions(o *app.Options, level string) error {
	var min slog.Level
	if err := min.UnmarshalText([]byte(level)); err != nil {
		return usagef("--log-level is %q, want debug, info, warn or error", level)
	}
	o.Log = slog.New(slog.NewTextHandler(s.Stderr, &slog.HandlerOptions{Level: min}))
	if o.StateDir == "" {
		o.StateDir = s.defaultStateDir()
	}
	o.StateDir = s.path(o.StateDir)
	if lag := s.Getenv(metricsLag); lag != "" {
		var err error
		if o.MetricsLag, err = time.ParseDuration(lag); err != nil || o.MetricsLag <= 0 {
			return usagef("%s is %q, want a duration like 2s", metricsLag, lag)
		}
	}
	return nil
}

// defaultStateDir is as the XDG Base Directory Specification, "XDG_STATE_HOME", has it.
func (s *session) defaultStateDir() string {
	if dir := s.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "hotswap")
	}
	return filepath.Join(s.Getenv("HOME"), ".local", "state", "hotswap")
}

func (s *session) serve(ctx context.Context, o app.Options) (err error) {
	a, err := app.New(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		err = errors.Join(err, a.Stop(stopping))
	}()
	if err := s.announce(a); err != nil {
		return err
	}
	return a.Run(ctx)
}

// announce prints where the server is and what a client needs. The credentials' text is not shown.
func (s *session) announce(a *app.App) error {
	if s.output == "json" {
		return json.NewEncoder(s.Stdout).Encode(map[string]string{
			"management": a.URL(), "scoring": a.ScoringURL(), "ca": a.CAFile(), "credentials": a.CredentialsFile(),
		})
	}
	_, err := fmt.Fprintf(s.Stdout, `management   %s
scoring      %s
CA           %s
credentials  %s

In the shell of a client:

export SSL_CERT_FILE=%q
export AZURE_CREDENTIALS="$(cat %q)"
`, a.URL(), a.ScoringURL(), a.CAFile(), a.CredentialsFile(), a.CAFile(), a.CredentialsFile())
	return err
}
