package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"hotswap"
	"hotswap/examples"
)

// newRepository is a folder that git knows, with the example and the workflow.
func newRepository(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, hotswap.GitHub); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(root, "examples"), examples.TaxiFare); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("git", "init", "-q", root).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return root
}

// finding is one of hotswap doctor -o json.
type finding struct {
	Check, Status, Detail string
	Fix                   []string
}

// examine runs hotswap doctor in a folder and returns what it found, with its exit code.
func (s *server) examine(t *testing.T, dir string, env []string, args ...string) (map[string]finding, result) {
	t.Helper()
	c := s.client(append([]string{"HOTSWAP_FORGE_TOKEN=", "GH_TOKEN=", "GITHUB_TOKEN=", "GITEA_TOKEN="}, env...), append([]string{"doctor", "-o", "json"}, args...)...)
	c.Dir = dir
	r := finish(t, c)
	var all []finding
	if err := json.Unmarshal([]byte(r.stdout), &all); err != nil {
		t.Fatalf("%v: %s", err, r)
	}
	byName := map[string]finding{}
	for _, f := range all {
		byName[f.Check] = f
	}
	return byName, r
}

func with(all map[string]finding, status string) (names []string) {
	for name, f := range all {
		if f.Status == status {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// anyBlob is a blob below a prefix in the default datastore.
func (s *server) anyBlob(t *testing.T, prefix string) (name string, there bool) {
	t.Helper()
	box, err := s.dial(t).Container(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	page, err := box.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix}).NextPage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range page.Segment.BlobItems {
		return *item.Name, true
	}
	return "", false
}

// What hotswap init writes, against the server, lacks nothing that can be seen without a forge.
func TestDoctor(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	dir := newRepository(t)
	all, r := s.examine(t, filepath.Join(dir, "examples"), nil)
	if r.code != 0 || len(with(all, "failed")) > 0 {
		t.Errorf("doctor: %s", r)
	}
	if got, want := with(all, "unknown"), []string{"branch rule", "oidc subject", "reported check"}; !slices.Equal(got, want) {
		t.Errorf("unknown: %q, want %q", got, want)
	}
	if !strings.Contains(r.stderr, "no check failed, but 3 are unknown") {
		t.Errorf("doctor says %q of what is unknown", r.stderr)
	}
	if name, there := s.anyBlob(t, "hotswap/"); there {
		t.Errorf("doctor left %q behind", name)
	}
	all, r = s.examine(t, dir, nil, "-w", "elsewhere", "--check", "Other")
	if got, want := with(all, "failed"), []string{"check name", "workspace"}; r.code != 1 || !slices.Equal(got, want) {
		t.Errorf("failed: %q, exit code %d, want %q and 1", got, r.code, want)
	}
	r = finish(t, s.client([]string{"AZURE_CREDENTIALS={}"}, "doctor"))
	if r.code != 1 || !strings.Contains(r.stdout, "credential") || !strings.Contains(r.stderr, "credential: hotswap login") {
		t.Errorf("doctor without a credential: %s", r)
	}
}

// What a principal may not do is told with the command that makes one which may.
func TestDoctorTellsWhatARoleLacks(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	dir := newRepository(t)
	rows := map[string]struct{ failed, lacks []string }{
		"reader":                        {[]string{"storage access", "workspace roles"}, []string{"onlineEndpoints/write", "deployments/write", "listKeys/action", "listSecrets/action"}},
		"scorer":                        {[]string{"storage access", "workspace roles"}, []string{"onlineEndpoints/write", "deployments/write", "listSecrets/action"}},
		"deployer":                      {nil, nil},
		"deployer --endpoint taxi-fare": {nil, nil},
	}
	for role, want := range rows {
		t.Run(role, func(t *testing.T) {
			words := strings.Fields(role)
			credential := filepath.Join(t.TempDir(), "p.json")
			s.must(t, append([]string{"principal", "create", "the-" + strings.Join(words, ""), "--save", credential, "--role"}, words...)...)
			all, r := s.examine(t, dir, nil, "--credentials", credential)
			if got := with(all, "failed"); !slices.Equal(got, want.failed) || (r.code == 0) != (want.failed == nil) {
				t.Fatalf("failed: %q, want %q\n%s", got, want.failed, r)
			}
			for _, action := range want.lacks {
				if !strings.Contains(all["workspace roles"].Detail, action) {
					t.Errorf("%q does not tell that %s is lacking", all["workspace roles"].Detail, action)
				}
			}
			for _, name := range want.failed {
				if fix := all[name].Fix; len(fix) != 1 || !strings.HasPrefix(fix[0], "hotswap principal create ") {
					t.Errorf("%s: fix %q", name, fix)
				}
			}
		})
	}
	reader := filepath.Join(t.TempDir(), "p.json")
	s.must(t, "principal", "create", "another", "--role", "reader", "--save", reader)
	all, _ := s.examine(t, dir, nil, "--credentials", reader)
	if fix := s.shell(dir, all["storage access"].Fix[0]); fix != nil {
		t.Fatal(fix)
	}
	if all, r := s.examine(t, dir, nil, "--credentials", filepath.Join(dir, "pipeline.json")); r.code != 0 {
		t.Errorf("doctor after its fix: failed %q", with(all, "failed"))
	}
}

// shell runs a command that hotswap has printed, as the server's owner.
func (s *server) shell(dir, command string) error {
	c := exec.Command("sh", "-c", command)
	c.Dir, c.Env = dir, append(s.env(), "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", command, err, out)
	}
	return nil
}

// In a job that logs in by OIDC, the subject is checked too.
func TestDoctorInAJob(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, jobSubject)
	s := startServerWith(t, []string{"SSL_CERT_FILE=" + i.ca})
	dir := newRepository(t)
	job := append(i.job(t, s, s.scriptVariables(t)["CLIENT"]), "GITHUB_REPOSITORY=", "GITEA_ACTIONS=")
	all, r := s.examine(t, dir, job)
	if got, want := with(all, "failed"), []string{"credential", "oidc subject"}; r.code != 1 || !slices.Equal(got, want) {
		t.Fatalf("failed: %q, want %q\n%s", got, want, r)
	}
	if err := s.shell(dir, all["oidc subject"].Fix[0]); err != nil {
		t.Fatal(err)
	}
	all, r = s.examine(t, dir, job)
	if f := all["oidc subject"]; r.code != 0 || f.Status != "ok" || !strings.Contains(f.Detail, jobSubject) {
		t.Errorf("doctor in a job that is trusted: %s", r)
	}
}
