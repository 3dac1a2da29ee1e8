// Package spec reads the YAML files that users write: endpoints, deployments and models, in the
// format of Azure ML's own command line (learn.microsoft.com, "CLI (v2) managed online endpoint
// YAML schema" and its neighbours). Every fault is one error that begins with file:line:column.
//
// A file becomes a tree of nodes that know their positions; the readers take what they know out
// of its mappings, each value by its type, and what nobody took is an unknown key. Of several
// faults the first in the file is told, but a key that is missing only when nothing else is
// wrong: a misspelt key is then told as what it is.
package spec

import (
	"fmt"
	"os"
	"path/filepath"

	"hotswap/internal/online"
)

// Endpoint is what an endpoint's file says.
type Endpoint struct {
	online.Endpoint
	Keys map[string]bool // the keys at the top of the file, so that a merge knows what was said
}

// Deployment is what a deployment's file says, with defaults where it is silent. What is a
// reference is in the Deployment; what is local is beside it, and yet to be uploaded.
type Deployment struct {
	online.Deployment
	CodeDir          string              // absolute; "" where there is no code folder
	LocalModel       *LocalModel         // nil where the model is a reference, or none
	LocalEnvironment *online.Environment // nil where the environment is a reference, or none
}

// LocalModel is a model that a file describes, with its files on this machine.
type LocalModel struct {
	Name, Version string // "" where the file gives none
	Path          string // absolute, a file or a folder
	Type          string // custom_model, mlflow_model or triton_model
	Description   string
	Tags          map[string]string
	Properties    map[string]string
}

// reader collects the faults of one file.
type reader struct {
	path    string
	wrong   []fault
	missing []fault
}

type fault struct {
	at      position
	message string
}

func (r *reader) fail(at position, format string, args ...any) {
	r.wrong = append(r.wrong, fault{at, fmt.Sprintf(format, args...)})
}

// err is the one fault to tell, or nil.
func (r *reader) err() error {
	faults := r.wrong
	if len(faults) == 0 {
		faults = r.missing
	}
	if len(faults) == 0 {
		return nil
	}
	first := faults[0]
	for _, f := range faults {
		if f.at.before(first.at) {
			first = f
		}
	}
	return r.errorAt(first.at, first.message)
}

func (r *reader) errorAt(at position, message string) error {
	return online.Errorf(online.Invalid, "%s:%d:%d: %s", r.path, at.line, at.column, message)
}

// open parses the file, whose whole must be one mapping.
func open(path, what string) (*reader, *mapping, error) {
	r := &reader{path: path}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, online.Errorf(online.Invalid, "read the %s's file: %w", what, err)
	}
	root, err := r.parse(text)
	if err != nil {
		return nil, nil, err
	}
	return r, &mapping{reader: r, node: root, name: what}, nil
}

// find makes the path at n, which is relative to the file, absolute. It must be there.
func (r *reader) find(n *node) (string, os.FileInfo) {
	path := n.text
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(r.path), path)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		r.fail(n.at, "%s: %v", n.text, err)
		return "", nil
	}
	info, err := os.Stat(path)
	if err != nil {
		r.fail(n.at, "%s: no such file or folder beside this file", n.text)
		return "", nil
	}
	return path, info
}
