package blob

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// unsaved ends the name of a file that is being written.
const unsaved = ".new"

// draft writes v as JSON beside the file that it is to become, and returns its name when all of
// it is on the disk. Nobody else may draft the same file meanwhile.
func draft(name string, v any) (temp string, err error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	temp = name + unsaved
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(temp)
	}
	return temp, err
}

func read(name string, v any) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s is damaged: %w; restore it from a backup, or remove it and lose what it describes", name, err)
	}
	return nil
}

// storeSegment copies r to a new file of a folder, and returns its name when all of it is on the disk.
func storeSegment(dir string, r io.Reader) (name string, size int64, err error) {
	name = newID()
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", 0, err
	}
	size, err = io.Copy(f, r)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		_ = os.Remove(path)
	}
	return name, size, err
}

// newID is the name of a new segment.
func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// syncDir makes the names in a folder last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
