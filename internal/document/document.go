// Package document reads YAML files that people write, and tells every fault as one error that
// begins with file:line:column.
//
// A file becomes a tree of nodes that know their positions; its readers take what they know out
// of its mappings, each value by its type, and what nobody took is an unknown key. Of several
// faults the first in the file is told, but a key that is missing only when nothing else is
// wrong: a misspelt key is then told as what it is.
package document

import (
	"fmt"
	"os"
	"path/filepath"

	"hotswap/internal/online"
)

// Reader collects the faults of one file.
type Reader struct {
	path    string
	wrong   []fault
	missing []fault
}

type fault struct {
	at      Position
	message string
}

// Open parses the file, whose whole must be one mapping; what says of what it is the file.
func Open(path, what string) (*Mapping, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, online.Errorf(online.Invalid, "read the %s's file: %w", what, err)
	}
	return Parse(path, text, what)
}

// Parse parses text as Open does what it reads from path.
func Parse(path string, text []byte, what string) (*Mapping, error) {
	r := &Reader{path: path}
	root, err := r.parse(text)
	if err != nil {
		return nil, err
	}
	return r.Mapping(root, what), nil
}

// Check parses text, which was read from path, and returns its first fault.
func Check(path string, text []byte) error {
	_, err := (&Reader{path: path}).parse(text)
	return err
}

// Mapping reads the mapping n; name is what a message calls it.
func (r *Reader) Mapping(n *Node, name string) *Mapping {
	return &Mapping{Reader: r, Node: n, Name: name}
}

// Fail notes a fault.
func (r *Reader) Fail(at Position, format string, args ...any) {
	r.wrong = append(r.wrong, fault{at, fmt.Sprintf(format, args...)})
}

// Faults is how many were noted so far, missing keys left out.
func (r *Reader) Faults() int { return len(r.wrong) }

// Err is the one fault to tell, or nil.
func (r *Reader) Err() error {
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

func (r *Reader) errorAt(at Position, message string) error {
	return Faultf(r.path, at, "%s", message)
}

// Beside makes a path that is relative to the file one that is relative to the working folder.
func (r *Reader) Beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(r.path), path)
}

// Find makes the path at n, which is relative to the file, absolute. It must be there.
func (r *Reader) Find(n *Node) (string, os.FileInfo) {
	path, err := filepath.Abs(r.Beside(n.Text))
	if err != nil {
		r.Fail(n.At, "%s: %v", n.Text, err)
		return "", nil
	}
	info, err := os.Stat(path)
	if err != nil {
		r.Fail(n.At, "%s: no such file or folder beside this file", n.Text)
		return "", nil
	}
	return path, info
}
