package assets_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/assets"
	"hotswap/internal/blob"
	"hotswap/internal/online"
	"hotswap/internal/store"
)

// tree lists the files below a folder with their content.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestFetch(t *testing.T) {
	l, upload := library(t)
	for name, content := range map[string]string{
		"LocalUpload/1/model/a.json":     "A",
		"LocalUpload/1/model/sub/b.json": "B",
		"LocalUpload/1/model-2/c.json":   "C", // begins like the folder, and is not in it
		"LocalUpload/2/model.json":       "one file",
		"code/src/score.py":              "run",
		"code/src/lib/x y.py":            "x",
	} {
		upload(name, content)
	}
	folder := map[string]string{"model/a.json": "A", "model/sub/b.json": "B"}
	tests := map[string]struct {
		kind online.AssetKind
		uri  string
		root string
		want map[string]string
		code online.Code
	}{
		"a folder keeps its name": {online.Models, inStore + "LocalUpload/1/model", "", folder, ""},
		"a slash at the end":      {online.Models, inStore + "LocalUpload/1/model/", "", folder, ""},
		"the long form": {
			online.Models, "azureml://subscriptions/s/resourcegroups/rg/workspaces/ws/datastores/WorkspaceBlobStore/paths/LocalUpload/1/model",
			"", folder, "",
		},
		"a URL":               {online.Models, "https://hotswap.blob.localhost:1234/" + box + "/LocalUpload/1/model", "", folder, ""},
		"a URL with its path": {online.Models, "https://localhost:1234/hotswap/" + box + "/LocalUpload/1/model", "", folder, ""},
		"a single file":       {online.Models, inStore + "LocalUpload/2/model.json", "", map[string]string{"model.json": "one file"}, ""},
		"code":                {online.Codes, "https://hotswap.blob.localhost/" + box + "/code/src", "src", map[string]string{"src/score.py": "run", "src/lib/x y.py": "x"}, ""},
		"nothing there":       {online.Models, inStore + "LocalUpload/3", "", nil, online.NotFound},
		"no such datastore":   {online.Models, "azureml://datastores/none/paths/a", "", nil, online.NotFound},
		"no such container":   {online.Models, "https://hotswap.blob.localhost/none/a", "", nil, online.NotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ref := online.Ref{Kind: tt.kind, Name: strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), ",", ""), Version: "1"}
			var err error
			if tt.kind == online.Models {
				_, _, err = l.PutModel(t.Context(), model(ref.Name, "1", tt.uri))
			} else {
				_, _, err = l.PutCode(t.Context(), online.CodeFolder{Asset: online.Asset{Ref: ref}, URI: tt.uri})
			}
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "model")
			ref.Version = "@latest"
			root, err := l.Fetch(t.Context(), ref, dir)
			if codeOf(err) != tt.code {
				t.Fatalf("error %v, want code %q", err, tt.code)
			}
			if tt.code != "" {
				return
			}
			if want := filepath.Join(dir, tt.root); root != want {
				t.Errorf("root %s, want %s", root, want)
			}
			if diff := cmp.Diff(tt.want, tree(t, dir)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// files is an artifact store with the names that the real one refuses to take.
type files struct {
	names []string
	body  io.Reader
}

func (f files) Account() string { return "a" }

func (f files) List(string, string) (items []blob.Item, err error) {
	for _, name := range f.names {
		items = append(items, blob.Item{Name: name})
	}
	return items, nil
}

func (f files) Open(string, string) (io.ReadCloser, blob.Properties, error) {
	return io.NopCloser(f.body), blob.Properties{}, nil
}

func TestFetchRefusesToClimb(t *testing.T) {
	for _, name := range []string{"m/../../evil", "m/a/../b", "m//etc/passwd/../..", "m/.."} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "in")
			l := withFiles(t, files{[]string{"m/ok", name}, strings.NewReader("x")})
			_, err := l.Fetch(t.Context(), online.Ref{Kind: online.Models, Name: "m", Version: "1"}, dir)
			if codeOf(err) != online.Invalid {
				t.Errorf("error %v, want that it is refused", err)
			}
			if left, _ := os.ReadDir(filepath.Dir(dir)); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// A link that was put into the folder must not lead out of it.
func TestFetchFollowsNoLinkOut(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "m")); err != nil {
		t.Fatal(err)
	}
	l := withFiles(t, files{[]string{"m/ok"}, strings.NewReader("x")})
	if _, err := l.Fetch(t.Context(), online.Ref{Kind: online.Models, Name: "m", Version: "1"}, dir); err == nil {
		t.Error("a file was written through a link")
	}
	if left, _ := os.ReadDir(outside); len(left) != 0 {
		t.Errorf("left outside: %v", left)
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	endless := readerFunc(func(p []byte) (int, error) {
		cancel(stopped)
		return copy(p, bytes.Repeat([]byte("x"), len(p))), nil
	})
	l := withFiles(t, files{[]string{"m/big"}, endless})
	if _, err := l.Fetch(ctx, online.Ref{Kind: online.Models, Name: "m", Version: "1"}, t.TempDir()); !errors.Is(err, stopped) {
		t.Errorf("error %v, want %v", err, stopped)
	}
}

func TestFetchTellsWhatFailed(t *testing.T) {
	l := withFiles(t, files{[]string{"m/big"}, readerFunc(func([]byte) (int, error) { return 0, fmt.Errorf("no space left") })})
	_, err := l.Fetch(t.Context(), online.Ref{Kind: online.Models, Name: "m", Version: "1"}, t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "fetch azureml:m:1, 1 files of 0 bytes in all: no space left") {
		t.Errorf("error %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func withFiles(t *testing.T, f files) *assets.Library {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	l := assets.New(s, f)
	if _, _, err := l.PutModel(t.Context(), model("m", "1", "https://a.blob.localhost/c/m")); err != nil {
		t.Fatal(err)
	}
	return l
}
