// Package cli is the command line: one file for each command. It is the only package that prints.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"hotswap/internal/online"
)

// Env is all that a command may touch of the world outside.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Dir            string // the working directory
}

// Exit codes, part of the contract with pipelines.
const (
	done       = 0
	failed     = 1
	usage      = 2
	rolledBack = 3 // the rollout ended on the old deployment: traffic is safe
	locked     = 4 // someone else holds the endpoint
	refused    = 5 // the traffic is untouched
	drifted    = 6 // what is live is not what main stands for
)

// Main runs one command and returns the exit code.
func Main(ctx context.Context, args []string, env Env) int {
	s := &session{Env: env, commands: env.Stderr, plain: env.Stdout}
	if s.inWorkflow() { // a runner looks for commands in both
		s.Stdout, s.Stderr = &harmless{to: env.Stdout}, &harmless{to: env.Stderr}
	}
	root := newRoot(s)
	root.SetArgs(args)
	began := false
	runsAsked(root, &began)
	ran, err := root.ExecuteContextC(ctx)
	if err == nil {
		return done
	}
	if _, is := errors.AsType[usageError](err); is || !began {
		err = usagef("%w; see %s --help", err, ran.CommandPath())
	}
	err = stopped(ctx, err)
	fmt.Fprintln(s.Stderr, "hotswap:", err)
	s.annotateError(err)
	return exitCode(err)
}

// stopped makes an error that came of an interruption say so, beside what it says of where things
// were left.
func stopped(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	switch {
	case cause == nil || !errors.Is(err, context.Canceled):
		return err
	case !errors.Is(err, cause):
		err = cause
	}
	return fmt.Errorf("stopped on the way: %w", err)
}

// exitCode is the only place that turns an error into an exit code.
func exitCode(err error) int {
	if _, is := errors.AsType[usageError](err); is {
		return usage
	}
	if _, is := errors.AsType[driftError](err); is {
		return drifted
	}
	switch online.CodeOf(err) {
	case online.Invalid:
		return usage
	case online.RolledBack:
		return rolledBack
	case online.Locked:
		return locked
	case online.Refused:
		return refused
	}
	return failed
}

// session is one command's view of the world: what it was given and what every command may set.
type session struct {
	Env
	credentials, subscription, group, workspace string
	output                                      string
	verbose                                     bool

	commands io.Writer // where a runner looks for its commands: stderr, unguarded
	plain    io.Writer // stdout, unguarded, for who reads it is no runner
	raised   *raised   // where the candidate's scoring script failed, as its log says; nil: it does not
}

func newRoot(s *session) *cobra.Command {
	root := group(&cobra.Command{
		Use:   "hotswap",
		Short: "Put a new version of a model into production without dropping a request",
		Long: `Hotswap deploys models to Azure ML managed online endpoints, or to its own server that
speaks the same API: into the slot that carries no traffic, tested there, then swapped live.

Exit codes: 0 done, 1 failed, 2 usage, 3 rolled back, 4 locked by another rollout,
5 refused with the traffic untouched, 6 what is live is not what main stands for.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return s.check() },
	})
	root.SetIn(s.Stdin)
	root.SetOut(s.Stdout)
	root.SetErr(s.Stderr)
	root.SetFlagErrorFunc(flagError)
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if not .HasAvailableSubCommands}}", 1))
	root.SetHelpCommand(newHelp())
	root.PersistentFlags().StringVarP(&s.output, "output", "o", "table", "`FORMAT` of what is printed: table or json")
	for _, make := range []func(*session) *cobra.Command{
		newDeploy, newTest, newSwap, newRollout, newRollback, newResume, newPromote, newAbort, newStatus, newHistory, newShow,
		newLock, newUnlock, newGate, newDrift, newModel, newEndpoint, newDeployment, newLogin, newDoctor, newPrincipal,
	} {
		c := make(s)
		s.workspaceFlags(c)
		root.AddCommand(c)
	}
	root.AddCommand(newChecks(s), newConfig(s), newInit(s), newProtect(s), newPR(s), newServe(s), newDemo(s), newVersion(s), newGuard(s))
	root.InitDefaultCompletionCmd()
	if c, _, err := root.Find([]string{"completion"}); err == nil {
		group(c)
	}
	return root
}

// runsAsked makes whatever fails before a command runs a usage error: only cobra knows of it.
func runsAsked(c *cobra.Command, began *bool) {
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			*began = true
			return run(c, args)
		}
	}
	for _, sub := range c.Commands() {
		runsAsked(sub, began)
	}
}

// workspaceFlags are those of every command that speaks to a workspace.
func (s *session) workspaceFlags(c *cobra.Command) {
	f := c.PersistentFlags()
	f.StringVar(&s.credentials, "credentials", "", "`FILE` with a service principal's JSON (default: $AZURE_CREDENTIALS, the AZURE_* variables, the az session)")
	f.StringVar(&s.subscription, "subscription", "", "`ID` of the subscription")
	f.StringVarP(&s.group, "resource-group", "g", "", "`NAME` of the resource group")
	f.StringVarP(&s.workspace, "workspace-name", "w", "", "`NAME` of the Azure ML workspace")
	f.BoolVarP(&s.verbose, "verbose", "v", false, "tell which credential and workspace are used, and where they come from")
}

func (s *session) check() error {
	if s.output != "table" && s.output != "json" {
		return usagef("--output is %q, want table or json", s.output)
	}
	return nil
}

// say tells people how things go, on stderr: stdout is for data.
func (s *session) say(format string, args ...any) { fmt.Fprintf(s.Stderr, format+"\n", args...) }
