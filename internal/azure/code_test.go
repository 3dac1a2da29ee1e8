package azure_test

import (
	"crypto/md5" //nolint:gosec // because it is the checksum that a blob store keeps
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

func TestCode(t *testing.T) {
	f, o := newFakeAzure(t)
	f.pendingUploads()
	f.accountKey()
	c := connect(t, o)
	dir := lay(t, "src", map[string]string{"score.py": "run", "lib/a.py": "a"})
	local, err := c.FindCode(t.Context(), dir)
	if err != nil || !local.Ref.IsZero() || f.puts != 0 {
		t.Fatalf("found %+v, %v with %d writes before it was uploaded; want nothing", local, err, f.puts)
	}
	sum := func(text string) []byte { s := md5.Sum([]byte(text)); return s[:] } //nolint:gosec // because it is the checksum that a blob store keeps
	files := []azure.File{{Name: "lib/a.py", Size: 1, MD5: sum("a")}, {Name: "score.py", Size: 3, MD5: sum("run")}}
	if diff := cmp.Diff(files, local.Files); diff != "" {
		t.Error(diff)
	}

	ref, err := c.UploadCode(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	code, err := c.Code(t.Context(), ref)
	if diff := cmp.Diff(azure.Code{Ref: ref, Hash: local.Hash, Files: files}, code); diff != "" || err != nil {
		t.Errorf("registered code: %v\n%s", err, diff)
	}
	f.mu.Lock()
	f.found, f.puts = f.resources[workspacePath+"/codes/"+ref.Name+"/versions/1"], 0
	f.mu.Unlock()
	if again, err := c.FindCode(t.Context(), dir); err != nil || again.Ref != ref || again.Hash != local.Hash || f.puts != 0 {
		t.Errorf("found %+v, %v with %d writes; want %s", again, err, f.puts, ref)
	}

	_, err = c.Code(t.Context(), online.Ref{Kind: online.Codes, Name: "nonesuch", Version: "1"})
	wantCode(t, "code that is not there", err, online.NotFound, "nonesuch")
	properties := f.found["properties"].(map[string]any)
	uri := properties["codeUri"].(string)
	properties["codeUri"] = "https://another.blob.localhost/box/src"
	_, err = c.Code(t.Context(), ref)
	wantCode(t, "code of another account", err, online.Invalid, "another.blob.localhost", "acct.blob.localhost")

	properties["codeUri"] = uri
	f.hooks["POST /datastores/workspaceblobstore/listsecrets"] = func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 403, map[string]any{"error": map[string]any{"message": "no"}})
	}
	_, err = c.Code(t.Context(), ref)
	wantCode(t, "no right to the files", err, online.Forbidden)
}

func TestContentHash(t *testing.T) {
	dir := lay(t, "model", map[string]string{"a": "1"})
	one, err := azure.ContentHash(dir)
	if err != nil || len(one) != 64 {
		t.Fatalf("hash %q, %v", one, err)
	}
	if other, err := azure.ContentHash(lay(t, "model", map[string]string{"a": "2"})); err != nil || other == one {
		t.Errorf("other content: hash %q, %v; want another", other, err)
	}
	_, err = azure.ContentHash(dir + "nowhere")
	wantCode(t, "what is not there", err, online.Invalid, "nowhere")
}

func TestEnvironment(t *testing.T) {
	f, o := newFakeAzure(t)
	c := connect(t, o)
	want := online.Environment{
		Asset: online.Asset{Ref: online.Ref{Kind: online.Environments, Name: "mine", Version: "3"}}, Image: "img", CondaFile: "dependencies: []\n", OSType: "Linux",
		InferenceConfig: []byte(`{"scoringRoute":{"path":"/score","port":5001}}`),
	}
	if _, err := c.PutEnvironment(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"3", "@latest"} {
		got, err := c.Environment(t.Context(), online.Ref{Kind: online.Environments, Name: "mine", Version: version})
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("version %s: %v\n%s", version, err, diff)
		}
	}
	_, err := c.Environment(t.Context(), online.Ref{Kind: online.Environments, Name: "mine", Version: "4"})
	wantCode(t, "a version that is not there", err, online.NotFound, `"mine"`, `"4"`)
	f.hooks["GET /environments/mine/versions"] = func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, map[string]any{"value": []any{}}) }
	_, err = c.Environment(t.Context(), online.Ref{Kind: online.Environments, Name: "mine", Version: "@latest"})
	wantCode(t, "the newest of none", err, online.NotFound, "no version")
}

func TestOwnProperties(t *testing.T) {
	got := azure.Own(map[string]string{"team": "fares", "AzureAsyncOperationUri": "https://a", "createdBy": "me"})
	if diff := cmp.Diff(map[string]string{"team": "fares"}, got); diff != "" {
		t.Error(strings.TrimSpace(diff))
	}
}
