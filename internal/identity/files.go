package identity

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// load reads a key file, and makes it with the given content where it isn't there yet.
//
// The new file appears whole, synced and readable by its owner only, by a hard link, which fails
// where the name is taken: of two processes that start at once, both end with the same key.
func load(name string, made func() ([]byte, error)) ([]byte, error) {
	content, err := os.ReadFile(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return content, err
	}
	if content, err = made(); err != nil {
		return nil, err
	}
	if err := create(name, content); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(name)
}

func create(name string, content []byte) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) //nolint:errcheck // because the key itself is safe under its own name
	_, err = temp.Write(content)
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), name); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
