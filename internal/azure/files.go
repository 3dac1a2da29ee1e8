package azure

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hotswap/internal/online"
)

// folder is a set of files to upload: those of a folder, or one file alone.
type folder struct {
	base  string // name of the folder or file, under which it is uploaded
	dir   string // absolute, what the files' names are relative to
	files []file // sorted by name without case, as azure-ai-ml sorts them
	alone bool   // base is a file
	hash  string // of the content, see contentHash
}

type file struct {
	name string // relative, with slashes
	size int64
}

// skipped is never uploaded.
var skipped = []string{".git", "__pycache__", ".amlignore", ".gitignore"}

// readUpload reads what is to be uploaded from path. A link that leads out of the folder is
// refused: it would publish a file that the user did not mean to.
func readUpload(path string) (folder, error) {
	f, err := listUpload(path)
	if err == nil {
		f.hash, err = f.contentHash()
	}
	if err != nil {
		return folder{}, online.Errorf(online.Invalid, "read %s: %w", path, err)
	}
	return f, nil
}

// CheckUpload tells whether a file or folder could be uploaded, before anything else is done.
func CheckUpload(path string) error {
	_, err := listUpload(path)
	if err != nil {
		return online.Errorf(online.Invalid, "read %s: %w", path, err)
	}
	return nil
}

// listUpload is readUpload without the hash.
func listUpload(path string) (folder, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return folder{}, err
	}
	info, err := os.Stat(path)
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return folder{}, e.Err // the caller names the path
	}
	if err != nil {
		return folder{}, err
	}
	f := folder{base: filepath.Base(path), dir: path}
	if info.IsDir() {
		err = f.walk()
	} else {
		f.dir, f.alone = filepath.Dir(path), true
		f.files = []file{{f.base, info.Size()}}
	}
	if err == nil && len(f.files) == 0 {
		err = errors.New("there are no files in it")
	}
	return f, err
}

func (f *folder) walk() error {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	ignored, err := readIgnore(root)
	if err != nil {
		return err
	}
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if slices.Contains(skipped, entry.Name()) || ignored.match(name, entry.IsDir()) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		return f.add(root, name, entry)
	})
	slices.SortFunc(f.files, func(a, b file) int { return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) })
	return err
}

// add takes a file in. os.Root refuses a link that leads out.
func (f *folder) add(root *os.Root, name string, entry fs.DirEntry) error {
	if entry.IsDir() {
		return nil
	}
	info, err := root.Stat(name)
	switch {
	case err != nil && entry.Type()&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a link that leads out of the folder, or nowhere; only what is in the folder is uploaded", name)
	case err != nil:
		return err
	}
	switch {
	case info.Mode().IsRegular():
		f.files = append(f.files, file{name, info.Size()})
	case info.IsDir():
		return fmt.Errorf("%s is a link to a folder, which can't be uploaded", name)
	}
	return nil
}

func (f folder) open(name string) (*os.File, error) { return os.OpenInRoot(f.dir, name) }

// contentHash is the SHA-256 by which azure-ai-ml finds code that was uploaded before (version
// 202208 of it): over the number of files, each one's name and size, then each one's content.
func (f folder) contentHash() (string, error) {
	h := sha256.New()
	fmt.Fprint(h, len(f.files))
	for _, file := range f.files {
		fmt.Fprintf(h, "#%s#%d", file.name, file.size)
	}
	for _, file := range f.files {
		r, err := f.open(file.name)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(h, r)
		_ = r.Close()
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
