package assets_test

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hotswap/internal/assets"
	"hotswap/internal/blob"
	"hotswap/internal/online"
	"hotswap/internal/store"
)

const box = "azureml-blobstore-1"

// library returns a library over a real state file and a real artifact store, and a function that
// uploads to the latter as a client does.
func library(t *testing.T) (*assets.Library, func(name, content string)) {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	key := make([]byte, 64)
	rand.Read(key)
	blobs, err := blob.New(blob.Options{Dir: t.TempDir(), Account: "hotswap", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if err := blobs.CreateContainer(box); err != nil {
		t.Fatal(err)
	}
	l := assets.New(s, blobs)
	if _, _, err := l.PutDatastore(t.Context(), assets.Datastore{Name: "workspaceblobstore", Container: box, Default: true}); err != nil {
		t.Fatal(err)
	}
	return l, func(name, content string) {
		t.Helper()
		path := (&url.URL{Path: "/" + box + "/" + name}).EscapedPath()
		r := httptest.NewRequest("PUT", "https://hotswap.blob.localhost"+path+"?"+blobs.SAS(box, "racwdl", time.Hour), strings.NewReader(content))
		r.Header.Set("x-ms-blob-type", "BlockBlob")
		r.Header.Set("x-ms-version", "2026-06-06")
		w := httptest.NewRecorder()
		blobs.ServeHTTP(w, r)
		if w.Code != http.StatusCreated {
			t.Fatalf("upload of %s: %d %s", name, w.Code, w.Body)
		}
	}
}

func model(name, version, uri string) online.Model {
	return online.Model{Asset: online.Asset{Ref: online.Ref{Name: name, Version: version}}, URI: uri, Type: "custom_model"}
}

const inStore = "azureml://datastores/workspaceblobstore/paths/"

func TestVersionsKeepTheirFiles(t *testing.T) {
	l, _ := library(t)
	ctx := t.Context()
	first, created, err := l.PutModel(ctx, model("fare", "1", inStore+"a"))
	if err != nil || !created {
		t.Fatalf("created %t, %v", created, err)
	}
	tagged := model("FARE", "1", inStore+"a")
	tagged.Tags = map[string]string{"mae": "0.1"}
	kept, created, err := l.PutModel(ctx, tagged)
	if err != nil || created || kept.Ref.Name != "fare" || !kept.CreatedAt.Equal(first.CreatedAt) {
		t.Errorf("created %t, %v, %+v; want the same version with tags", created, err, kept)
	}
	_, _, err = l.PutModel(ctx, model("fare", "1", inStore+"b"))
	if !errors.Is(err, assets.ErrImmutable) || err.Error() != "Asset paths cannot be updated." {
		t.Errorf("error %v, want ErrImmutable", err)
	}
	if got, err := l.GetModel(ctx, "fare", "1"); err != nil || got.URI != inStore+"a" || got.Tags["mae"] != "0.1" {
		t.Errorf("%+v, %v; want the tags and the first URI", got, err)
	}
}

func TestEnvironmentsKeepTheirContent(t *testing.T) {
	l, _ := library(t)
	put := func(e online.Environment) error {
		e.Ref = online.Ref{Name: "py", Version: "1"}
		_, _, err := l.PutEnvironment(t.Context(), e)
		return err
	}
	if err := put(online.Environment{CondaFile: "a", InferenceConfig: []byte(`{"x": 1}`)}); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		e    online.Environment
		want online.Code
	}{
		"the same":      {online.Environment{CondaFile: "a", InferenceConfig: []byte(`{"x":1}`)}, ""},
		"another file":  {online.Environment{CondaFile: "b", InferenceConfig: []byte(`{"x":1}`)}, online.Conflict},
		"another image": {online.Environment{CondaFile: "a", Image: "i", InferenceConfig: []byte(`{"x":1}`)}, online.Conflict},
		"another port":  {online.Environment{CondaFile: "a", InferenceConfig: []byte(`{"x":2}`)}, online.Conflict},
	}
	for name, tt := range tests {
		if got := codeOf(put(tt.e)); got != tt.want {
			t.Errorf("%s: code %q, want %q", name, got, tt.want)
		}
	}
	if text, err := l.Conda(t.Context(), online.Ref{Kind: online.Environments, Name: "py", Version: "@latest"}); text != "a" || err != nil {
		t.Errorf("conda file %q, %v; want a", text, err)
	}
}

func codeOf(err error) online.Code {
	if err == nil {
		return ""
	}
	return online.CodeOf(err)
}

func TestPutRefuses(t *testing.T) {
	l, _ := library(t)
	tests := map[string]online.Model{
		"no name":                  model("", "1", inStore+"a"),
		"a label":                  model("fare", "@latest", inStore+"a"),
		"a slash":                  model("a/b", "1", inStore+"a"),
		"no uri":                   model("fare", "1", ""),
		"a local path":             model("fare", "1", "/etc/passwd"),
		"an account elsewhere":     model("fare", "1", "https://corp.blob.core.windows.net/"+box+"/a"),
		"an account in its path":   model("fare", "1", "https://corp.blob.core.windows.net/hotswap/"+box+"/a"),
		"another account by path":  model("fare", "1", "https://localhost:10000/devstoreaccount1/"+box+"/a"),
		"another host with a path": model("fare", "1", "https://models.example/"+box+"/a"),
		"a climbing uri":           model("fare", "1", inStore+"a/../../b"),
		"another scheme":           model("fare", "1", "runs:/1/model"),
	}
	for name, m := range tests {
		if _, _, err := l.PutModel(t.Context(), m); codeOf(err) != online.Invalid {
			t.Errorf("%s: %v, want that the request is invalid", name, err)
		}
	}
}

func TestResolve(t *testing.T) {
	l, _ := library(t)
	for _, v := range []string{"9", "10", "2"} {
		if _, _, err := l.PutModel(t.Context(), model("fare", v, inStore+v)); err != nil {
			t.Fatal(err)
		}
	}
	archived := model("fare", "11", inStore+"11")
	archived.Archived = true
	if _, _, err := l.PutModel(t.Context(), archived); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		ref  online.Ref
		want string
		code online.Code
	}{
		"latest, as numbers":    {ref: online.Ref{Kind: online.Models, Name: "fare", Version: "@latest"}, want: "10"},
		"another case":          {ref: online.Ref{Kind: online.Models, Name: "Fare", Version: "9"}, want: "9"},
		"an archived one":       {ref: online.Ref{Kind: online.Models, Name: "fare", Version: "11"}, want: "11"},
		"no such version":       {ref: online.Ref{Kind: online.Models, Name: "fare", Version: "3"}, code: online.NotFound},
		"no such model, latest": {ref: online.Ref{Kind: online.Models, Name: "tip", Version: "@latest"}, code: online.NotFound},
		"no such kind":          {ref: online.Ref{Kind: online.Codes, Name: "fare", Version: "9"}, code: online.NotFound},
		"a registry":            {ref: online.Ref{Kind: online.Models, Name: "fare", Version: "9", Registry: "azureml"}, code: online.NotFound},
	}
	for name, tt := range tests {
		got, err := l.Resolve(t.Context(), tt.ref)
		if got.Version != tt.want || codeOf(err) != tt.code {
			t.Errorf("%s: %v, %v; want version %q, code %q", name, got, err, tt.want, tt.code)
		}
	}
}

func TestLists(t *testing.T) {
	l, _ := library(t)
	for _, v := range []string{"1", "2", "10"} {
		m := model("fare", v, inStore+v)
		m.Archived = v == "2"
		if _, _, err := l.PutModel(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		q    assets.Query
		want []string
		next int
		code online.Code
	}{
		"newest first":          {want: []string{"10", "1"}},
		"as azure-ai-ml asks":   {q: assets.Query{OrderBy: "createdtime desc", Top: 1}, want: []string{"10"}, next: 1},
		"the page after":        {q: assets.Query{OrderBy: "createdtime desc", Top: 1, Skip: 1}, want: []string{"1"}},
		"beyond the end":        {q: assets.Query{Skip: 9}},
		"oldest first":          {q: assets.Query{OrderBy: "createdtime asc", View: assets.All}, want: []string{"1", "2", "10"}},
		"by version":            {q: assets.Query{OrderBy: "version desc", View: assets.All}, want: []string{"10", "2", "1"}},
		"archived":              {q: assets.Query{View: assets.ArchivedOnly}, want: []string{"2"}},
		"an unknown order":      {q: assets.Query{OrderBy: "colour"}, code: online.Invalid},
		"an unknown direction":  {q: assets.Query{OrderBy: "createdtime up"}, code: online.Invalid},
		"an unknown view":       {q: assets.Query{View: "Some"}, code: online.Invalid},
		"less than nothing":     {q: assets.Query{Top: -1}, code: online.Invalid},
		"too many order words":  {q: assets.Query{OrderBy: "createdtime desc please"}, code: online.Invalid},
		"the azure portal's":    {q: assets.Query{OrderBy: "CreatedAt desc", View: assets.All}, want: []string{"10", "2", "1"}},
		"last changed the last": {q: assets.Query{OrderBy: "updatedtime", View: assets.All}, want: []string{"1", "2", "10"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			page, err := l.ListModels(t.Context(), "fare", tt.q)
			var got []string
			for _, m := range page.Items {
				got = append(got, m.Ref.Version)
			}
			if !slices.Equal(got, tt.want) || page.Next != tt.next || codeOf(err) != tt.code {
				t.Errorf("%q, next %d, %v; want %q, %d, %q", got, page.Next, err, tt.want, tt.next, tt.code)
			}
		})
	}
	if page, err := l.ListModels(t.Context(), "none", assets.Query{}); len(page.Items) != 0 || err != nil {
		t.Errorf("%v, %v; want an empty list of a model that is not there", page, err)
	}
}

func TestFindCode(t *testing.T) {
	l, _ := library(t)
	for name, hash := range map[string]string{"one": "aa", "two": "bb"} {
		c := online.CodeFolder{Asset: online.Asset{Ref: online.Ref{Name: name, Version: "1"}}, URI: inStore + name}
		c.Properties = map[string]string{"hash_sha256": hash, "hash_version": "202208"}
		if _, _, err := l.PutCode(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		hash, version string
		want          int
	}{{"aa", "202208", 1}, {"aa", "", 1}, {"aa", "1", 0}, {"cc", "202208", 0}, {"", "", 0}} {
		if got, err := l.FindCode(t.Context(), tt.hash, tt.version); len(got) != tt.want || err != nil {
			t.Errorf("hash %q of version %q: %v, %v; want %d", tt.hash, tt.version, got, err, tt.want)
		}
	}
}

func TestContainers(t *testing.T) {
	l, _ := library(t)
	ctx := t.Context()
	for _, v := range []string{"1", "10", "9", "rc-1"} {
		if _, _, err := l.PutModel(ctx, model("fare", v, inStore+v)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := l.GetContainer(ctx, online.Models, "Fare")
	if err != nil || c.Latest != "rc-1" || c.Next != "11" {
		t.Errorf("%+v, %v; want the newest version rc-1 and next 11", c, err)
	}
	described, created, err := l.PutContainer(ctx, online.Asset{Ref: online.Ref{Kind: online.Models, Name: "fare"}, Description: "d", Archived: true})
	if err != nil || created || described.Next != "11" || described.Description != "d" {
		t.Errorf("%+v, created %t, %v; want the same container with its description", described, created, err)
	}
	for view, want := range map[assets.View]int{assets.ActiveOnly: 0, assets.ArchivedOnly: 1, assets.All: 1} {
		if page, err := l.ListContainers(ctx, online.Models, assets.Query{View: view}); len(page.Items) != want || err != nil {
			t.Errorf("%s: %v, %v; want %d", view, page, err, want)
		}
	}
}

func TestDeleteContainer(t *testing.T) {
	l, _ := library(t)
	ctx := t.Context()
	if _, _, err := l.PutModel(ctx, model("fare", "1", inStore+"a")); err != nil {
		t.Fatal(err)
	}
	if err := l.DeleteContainer(ctx, online.Models, "fare"); err != nil {
		t.Error(err)
	}
	if _, err := l.GetModel(ctx, "fare", "1"); codeOf(err) != online.NotFound {
		t.Errorf("a version outlived its container: %v", err)
	}
	if _, err := l.GetContainer(ctx, online.Models, "fare"); codeOf(err) != online.NotFound {
		t.Errorf("error %v, want not found", err)
	}
	if err := l.DeleteContainer(ctx, online.Models, "fare"); codeOf(err) != online.NotFound {
		t.Errorf("error %v, want not found", err)
	}
}

func TestDelete(t *testing.T) {
	l, _ := library(t)
	if _, _, err := l.PutModel(t.Context(), model("fare", "1", inStore+"a")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []online.Code{"", online.NotFound} {
		if err := l.DeleteModel(t.Context(), "fare", "1"); codeOf(err) != want {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if _, _, err := l.PutModel(t.Context(), model("fare", "1", inStore+"b")); err != nil {
		t.Errorf("a deleted version may have other files: %v", err)
	}
}

func TestDatastores(t *testing.T) {
	l, _ := library(t)
	ctx := t.Context()
	if _, _, err := l.PutDatastore(ctx, assets.Datastore{Name: "bad name", Container: "c"}); codeOf(err) != online.Invalid {
		t.Errorf("error %v, want invalid", err)
	}
	changed, created, err := l.PutDatastore(ctx, assets.Datastore{Name: "WORKSPACEblobstore", Container: box, Description: "d"})
	if err != nil || created || changed.Name != "workspaceblobstore" || !changed.Default {
		t.Errorf("%+v, created %t, %v; want the same datastore", changed, created, err)
	}
	if _, _, err := l.PutDatastore(ctx, assets.Datastore{Name: "workspaceblobstore", Container: "other"}); codeOf(err) != online.Invalid {
		t.Errorf("another container of the default datastore: %v, want invalid", err)
	}
	if got, err := l.GetDatastore(ctx, "workspaceBLOBstore"); err != nil || got.Description != "d" {
		t.Errorf("%+v, %v; want the description", got, err)
	}
	if err := l.DeleteDatastore(ctx, "workspaceBLOBstore"); codeOf(err) != online.Invalid {
		t.Errorf("the default datastore was deleted: %v, want invalid", err)
	}
	if _, created, err := l.PutDatastore(ctx, assets.Datastore{Name: "mine", Container: box}); err != nil || !created {
		t.Errorf("created %t, %v", created, err)
	}
	for _, want := range []online.Code{"", online.NotFound} {
		if err := l.DeleteDatastore(ctx, "mine"); codeOf(err) != want {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
