package azure_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"hotswap/internal/online"
)

// lay writes files into a new folder of that name and returns its path.
func lay(t *testing.T, name string, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	for path, text := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRegisterModel(t *testing.T) {
	f, o := newFakeAzure(t)
	f.accountKey()
	c := connect(t, o)
	dir := lay(t, "model", map[string]string{"model.json": "{}", "sub/x.bin": "x"})
	m := online.Model{Asset: online.Asset{Ref: online.Ref{Kind: online.Models, Name: "taxi-fare"}, Tags: map[string]string{"rmse": "2"}}}
	got, err := c.RegisterModel(t.Context(), m, dir)
	if err != nil {
		t.Fatal(err)
	}
	prefix, hash, ok := strings.Cut(got.URI, "/paths/LocalUpload/")
	hash, folder, _ := strings.Cut(hash, "/")
	if got.Ref.Version != "1" || got.Type != "custom_model" || got.Tags["rmse"] != "2" || !ok || folder != "model" ||
		prefix != "azureml://subscriptions/sub/resourcegroups/rg/workspaces/ws/datastores/workspaceblobstore" {
		t.Errorf("registered %+v", got)
	}
	want := []string{"/box/LocalUpload/" + hash + "/model/model.json", "/box/LocalUpload/" + hash + "/model/sub/x.bin"}
	if blobs := slices.Sorted(maps.Keys(f.blobs)); !slices.Equal(blobs, want) {
		t.Errorf("blobs %v, want %v", blobs, want)
	}
	if status := f.metadata[want[0]].Get("x-ms-meta-upload_status"); status != "completed" {
		t.Errorf("the first file's upload status is %q, want completed", status)
	}

	f.mu.Lock()
	f.puts = 0
	f.resources[workspacePath+"/models/taxi-fare"] = map[string]any{"properties": map[string]any{"nextVersion": "2"}}
	f.mu.Unlock()
	again, err := c.RegisterModel(t.Context(), m, dir)
	if err != nil || again.Ref.Version != "2" || f.puts != 0 {
		t.Errorf("registered again as %+v, %v with %d writes; want version 2 without any", again.Ref, err, f.puts)
	}
}

func TestRegisterOwnModel(t *testing.T) {
	f, o := newFakeAzure(t)
	f.accountKey()
	c := connect(t, o)
	dir := lay(t, "model", map[string]string{"model.json": "{}"})
	own, err := c.RegisterModel(t.Context(), online.Model{}, filepath.Join(dir, "model.json"))
	if err != nil || !own.Anonymous || own.Ref.Version != "1" || own.Ref.Name == "" || !strings.HasSuffix(own.URI, own.Ref.Name+"/model.json") {
		t.Errorf("registered a deployment's own model as %+v, %v", own, err)
	}
	_, err = c.RegisterModel(t.Context(), online.Model{}, filepath.Join(dir, "nothing"))
	wantCode(t, "register what is not there", err, online.Invalid, "nothing")
}

func TestLatestModel(t *testing.T) {
	f, o := newFakeAzure(t)
	c := connect(t, o)
	add := func(name, version string, archived bool) {
		f.now = f.now.Add(time.Hour)
		path := fmt.Sprintf("%s/models/%s/versions/%s", workspacePath, name, version)
		f.resources[path] = f.named(path, map[string]any{"properties": map[string]any{"modelUri": "u", "isArchived": archived}})
		f.resources[workspacePath+"/models/"+name] = f.named(workspacePath+"/models/"+name, map[string]any{"properties": map[string]any{}})
	}
	for _, version := range []string{"10", "9", "2"} { // by age, not by number
		add("taxi", version, false)
	}
	add("taxi", "11", true)
	add("words", "z", false)
	add("words", "a", false)
	add("old", "1", true)
	m, err := c.LatestModel(t.Context(), "taxi")
	if err != nil || m.Ref.Version != "10" {
		t.Errorf("LatestModel = %s, %v; want version 10", m.Ref, err)
	}
	_, err = c.LatestModel(t.Context(), "old")
	wantCode(t, "the latest where all are archived", err, online.NotFound)
	all, err := c.Models(t.Context(), "")
	if err != nil || len(all) != 2 || all[0].Ref.String() != "azureml:taxi:10" || all[1].Ref.String() != "azureml:words:a" {
		t.Errorf("Models = %+v, %v; want taxi 10 and words a", all, err)
	}
	if versions, err := c.Models(t.Context(), "taxi"); err != nil || len(versions) != 3 || versions[2].Ref.Version != "2" {
		t.Errorf("Models of taxi = %v, %v; want 10, 9, 2", versions, err)
	}
	_, err = c.Model(t.Context(), "taxi", "12")
	wantCode(t, "a version that doesn't exist", err, online.NotFound, `"taxi"`, `"12"`)

	d := deployment()
	d.Model.Name, d.Model.Version = "taxi", "@latest"
	if got, err := c.PutDeployment(t.Context(), d); err != nil || got.Model.Version != "10" {
		t.Errorf("deployed %s, %v; want version 10", got.Model, err)
	}
}

// pendingUploads lets code be uploaded to the box, by a signature.
func (f *fakeAzure) pendingUploads() {
	blobs := strings.Replace(f.base, "localhost", "acct.blob.localhost", 1) + "/snap"
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hooks["pending"] = func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 200, map[string]any{"pendingUploadType": "TemporaryBlobReference", "blobReferenceForConsumption": map[string]any{
			"blobUri": blobs, "credential": map[string]any{"credentialType": "SAS", "sasUri": blobs + "?sig=sas"},
		}})
	}
}

func TestUploadCode(t *testing.T) {
	f, o := newFakeAzure(t)
	f.pendingUploads()
	c := connect(t, o)
	dir := lay(t, "src", map[string]string{
		"score.py": "run", "lib/a.py": "a", "lib/a.pyc": "", "__pycache__/x.py": "", ".git/config": "", "notes.md": "", "keep/notes.md": "",
		".amlignore": "# comment\n*.pyc\n/notes.md\n", ".gitignore": "score.py\n",
	})
	ref, err := c.UploadCode(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/snap/src/keep/notes.md", "/snap/src/lib/a.py", "/snap/src/score.py"}
	if blobs := slices.Sorted(maps.Keys(f.blobs)); !slices.Equal(blobs, want) {
		t.Errorf("blobs %v, want %v", blobs, want)
	}
	code := f.resources[workspacePath+"/codes/"+ref.Name+"/versions/1"]
	properties, _ := code["properties"].(map[string]any)
	if uri, _ := properties["codeUri"].(string); !strings.HasSuffix(uri, "/snap/src") {
		t.Errorf("registered code %v", properties)
	}
	f.mu.Lock()
	f.found = code
	f.mu.Unlock()
	again, err := c.UploadCode(t.Context(), dir)
	if err != nil || again != ref {
		t.Errorf("uploaded again as %+v, %v; want %+v", again, err, ref)
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "link.py")); err != nil {
		t.Fatal(err)
	}
	_, err = c.UploadCode(t.Context(), dir)
	wantCode(t, "upload a link that leads out", err, online.Invalid, "link.py")
}

func TestPutEnvironment(t *testing.T) {
	f, o := newFakeAzure(t)
	c := connect(t, o)
	e := online.Environment{Image: "img", CondaFile: "dependencies: []\n", InferenceConfig: []byte(`{"scoringRoute":{"path":"/score","port":5001}}`)}
	first, err := c.PutEnvironment(t.Context(), e)
	if err != nil || first.Name != "CliV2AnonymousEnvironment" || len(first.Version) != 64 {
		t.Errorf("PutEnvironment = %+v, %v", first, err)
	}
	if again, err := c.PutEnvironment(t.Context(), e); err != nil || again != first {
		t.Errorf("the same again = %+v, %v; want %+v", again, err, first)
	}
	e.CondaFile = "dependencies: [python]\n"
	if other, err := c.PutEnvironment(t.Context(), e); err != nil || other == first {
		t.Errorf("another conda file = %+v, %v; want another version", other, err)
	}
	e.Ref.Name = "mine"
	if ref, err := c.PutEnvironment(t.Context(), e); err != nil || ref.Version != "1" {
		t.Errorf("the first of a name = %+v, %v; want version 1", ref, err)
	}
	f.mu.Lock()
	f.resources[workspacePath+"/environments/mine"] = map[string]any{"properties": map[string]any{"nextVersion": "4"}}
	f.mu.Unlock()
	if ref, err := c.PutEnvironment(t.Context(), e); err != nil || ref.Version != "4" {
		t.Errorf("the next of a name = %+v, %v; want version 4", ref, err)
	}
	properties := f.resources[workspacePath+"/environments/mine/versions/4"]["properties"].(map[string]any)
	if properties["condaFile"] != e.CondaFile || properties["image"] != "img" || properties["osType"] != "Linux" {
		t.Errorf("wrote %v", properties)
	}
}

func TestContainer(t *testing.T) {
	tests := map[string]struct {
		credentials string
		secrets     string
		refused     bool // by the fake, which takes a key or a signature only
	}{
		"account key": {"AccountKey", `{"secretsType":"AccountKey","key":"a2V5"}`, false},
		"signature":   {"Sas", `{"secretsType":"Sas","sasToken":"sig=sas"}`, false},
		"identity":    {"None", ``, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, o := newFakeAzure(t)
			f.resources[workspacePath+"/datastores/workspaceblobstore"]["properties"].(map[string]any)["credentials"] = map[string]any{"credentialsType": tt.credentials}
			f.hooks["POST /datastores/workspaceblobstore/listsecrets"] = func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, tt.secrets) }
			box, err := connect(t, o).Container(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, err = box.NewBlobClient("a/b").GetProperties(t.Context(), nil)
			if tt.refused != bloberror.HasCode(err, bloberror.AuthorizationPermissionMismatch) || !tt.refused && !bloberror.HasCode(err, bloberror.BlobNotFound) {
				t.Errorf("error %v", err)
			}
		})
	}
	f, o := newFakeAzure(t)
	f.hooks["POST /datastores/workspaceblobstore/listsecrets"] = func(w http.ResponseWriter, _ *http.Request) { reply(w, 403, `{"error":{"message":"no"}}`) }
	_, err := connect(t, o).Container(t.Context())
	wantCode(t, "no right to the key", err, online.Forbidden, "AzureML Data Scientist")
	f.reads, f.blobs["/box"] = true, nil // a reader, to whom the container is there
	box, err := connect(t, o).Container(t.Context())
	if err != nil {
		t.Fatalf("a right to the blobs, and none to the key: %v", err)
	}
	if _, err := box.NewBlobClient("a/b").GetProperties(t.Context(), nil); !bloberror.HasCode(err, bloberror.BlobNotFound) {
		t.Errorf("a reader reads: %v", err)
	}

	f, o = newFakeAzure(t)
	f.resources[workspacePath+"/datastores/workspaceblobstore"]["properties"].(map[string]any)["credentials"] = map[string]any{"credentialsType": "None"}
	_, err = connect(t, o).RegisterModel(t.Context(), online.Model{}, lay(t, "m", map[string]string{"a": ""}))
	wantCode(t, "no right to the blobs", err, online.Forbidden, "Storage Blob Data Contributor")
}
