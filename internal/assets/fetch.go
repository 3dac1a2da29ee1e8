package assets

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"hotswap/internal/blob"
	"hotswap/internal/online"
)

// Fetch copies the files of a model or a code folder into dir, which it makes where it is absent.
//
// The root it returns is for a model dir itself: a folder model keeps its folder's name below
// it, and a single file lies in it, as AZUREML_MODEL_DIR has them. For code it is the uploaded
// folder, as AML_APP_ROOT has it. The copies are not synced to the disc.
func (l *Library) Fetch(ctx context.Context, ref online.Ref, dir string) (root string, err error) {
	uri, err := l.uri(ctx, ref)
	if err != nil {
		return "", err
	}
	at, err := l.locate(ctx, uri)
	if err != nil {
		return "", online.Errorf(online.CodeOf(err), "fetch %s: %w", ref, err)
	}
	files, err := l.filesAt(at)
	if err != nil {
		return "", online.Errorf(online.CodeOf(err), "fetch %s: %w", ref, err)
	}
	if err := l.copyAll(ctx, at.container, files, dir); err != nil {
		return "", online.Errorf(online.CodeOf(err), "fetch %s, %d files of %d bytes in all: %w", ref, len(files), size(files), err)
	}
	if ref.Kind == online.Codes && files[0].Name != at.path {
		return filepath.Join(dir, path.Base("/"+at.path)), nil
	}
	return dir, nil
}

func (l *Library) uri(ctx context.Context, ref online.Ref) (string, error) {
	switch ref.Kind {
	case online.Models:
		m, err := models.get(ctx, l, ref)
		return m.URI, err
	case online.Codes:
		c, err := codes.get(ctx, l, ref)
		return c.URI, err
	}
	return "", online.Errorf(online.Invalid, "fetch %s: an asset in %q has no files", ref, ref.Kind)
}

// locate finds the container of a location that names a datastore.
func (l *Library) locate(ctx context.Context, uri string) (location, error) {
	at, err := locate(uri, l.files.Account())
	if err != nil || at.container != "" {
		return at, err
	}
	d, err := l.GetDatastore(ctx, at.datastore)
	at.container = d.Container
	return at, err
}

// source is a file to fetch: Name in the container, target below the folder it is fetched to.
type source struct {
	blob.Item
	target string
}

// filesAt lists the file at a location, or those of the folder there.
func (l *Library) filesAt(at location) ([]source, error) {
	listed, err := l.files.List(at.container, at.path)
	if err != nil {
		return nil, err
	}
	above := strings.TrimSuffix(at.path, path.Base("/"+at.path))
	var files []source
	for _, f := range listed {
		switch {
		case f.Name == at.path:
			return []source{{f, strings.TrimPrefix(f.Name, above)}}, nil
		case strings.HasSuffix(f.Name, "/"): // stands for a folder
		case at.path == "" || strings.HasPrefix(f.Name, at.path+"/"):
			files = append(files, source{f, strings.TrimPrefix(f.Name, above)})
		}
	}
	if len(files) == 0 {
		return nil, online.Errorf(online.NotFound, "there is no file at %q in container %q: upload it first", at.path, at.container)
	}
	return files, nil
}

func size(files []source) (n int64) {
	for _, f := range files {
		n += f.Size
	}
	return n
}

func (l *Library) copyAll(ctx context.Context, container string, files []source, dir string) error {
	for _, f := range files {
		if !filepath.IsLocal(f.target) || slices.Contains(strings.Split(f.target, "/"), "..") {
			return online.Errorf(online.Invalid, "blob %q climbs out of its folder", f.Name)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for _, f := range files {
		if err := l.copy(ctx, root, container, f); err != nil {
			return err
		}
	}
	return nil
}

func (l *Library) copy(ctx context.Context, root *os.Root, container string, f source) error {
	from, _, err := l.files.Open(container, f.Name)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := root.MkdirAll(path.Dir(f.target), 0o700); err != nil {
		return err
	}
	to, err := root.OpenFile(f.target, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, untilDone{ctx, from})
	return errors.Join(err, to.Close())
}

// untilDone reads until a context ends. It is used within one call, so that call's context is in it.
type untilDone struct {
	ctx context.Context
	io.Reader
}

func (r untilDone) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}
