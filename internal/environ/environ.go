// Package environ builds the Python environments that workers run in.
//
// An environment is addressed by what it is made of: the interpreter and the packages asked for. So
// deployments with the same conda file share one, and a changed file makes another. It is built in
// its final place, for a virtual environment that is renamed breaks, and its marker is written last: a
// folder without one is what a crash left, and is built anew.
package environ

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"

	"hotswap/internal/online"
)

// Options is what an operator may set.
type Options struct {
	Dir    string // the state folder; environments lie in its folder environments
	Strict bool   // a Python version that is not installed is an error, not a warning
	Run    Runner // nil for Direct
	Log    *slog.Logger
}

// Tool is a program that builds environments, with what it is given.
type Tool struct {
	Argv, Env []string
	Dir       string
	Output    io.Writer
}

// A Runner runs a tool to its end, and ends it, with all that it started, when ctx ends.
type Runner func(ctx context.Context, t Tool) error

// Environment is where a worker finds its packages.
type Environment struct {
	Python   string   // path of the interpreter
	Warnings []string // what differs from what was asked for, for the user
}

// Builder makes environments and reuses them.
type Builder struct {
	dir    string
	strict bool
	run    Runner
	log    *slog.Logger
	python pythons

	mu    sync.Mutex
	turns map[string]chan struct{} // by hash: holds a token while nobody builds it
}

// New returns a Builder. It looks for Python when it first needs one.
func New(o Options) *Builder {
	if o.Run == nil {
		o.Run = Direct
	}
	return &Builder{dir: o.Dir, strict: o.Strict, run: o.Run, log: o.Log, turns: map[string]chan struct{}{}}
}

// Build returns the environment of a conda file's text, which is built where it is not there yet;
// log gets the progress. No text, or one that asks for no packages, makes no environment: then it is
// the interpreter alone.
func (b *Builder) Build(ctx context.Context, conda string, log io.Writer) (Environment, error) {
	w, err := parse(conda)
	if err != nil {
		return Environment{}, err
	}
	python, exact, err := b.python.choose(ctx, w.python)
	if err != nil {
		return Environment{}, err
	}
	if !exact {
		if b.strict {
			return Environment{}, online.Errorf(online.Invalid, "conda file asks for python %v, which is not installed (installed: %s): install it, or ask for another", w.python, b.python.list(ctx))
		}
		w.warnings = append(w.warnings, fmt.Sprintf("conda file asks for python %v, which is not installed: python %v is used", w.python, python.version))
	}
	for _, line := range append(w.warnings, w.notes...) {
		fmt.Fprintln(log, line)
	}
	if len(w.requirements) == 0 {
		fmt.Fprintf(log, "no packages asked for: %s (python %v) is used as it is\n", python.path, python.version)
		return Environment{python.path, w.warnings}, nil
	}
	path, err := b.provide(ctx, recipe{python.path, python.version.String(), w.requirements}, log)
	return Environment{path, w.warnings}, err
}

// list names the installed versions.
func (p *pythons) list(ctx context.Context) string {
	var words []string
	for _, one := range p.installed(ctx) {
		words = append(words, one.version.String())
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}
