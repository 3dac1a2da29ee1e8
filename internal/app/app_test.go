package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hotswap/internal/app"
	"hotswap/internal/online"
)

func TestFiles(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	must(t, 0, os.Chmod(dir, 0o755))
	server, _ := start(t, options(dir))
	for name, want := range map[string]os.FileMode{".": os.ModeDir | 0o700, "credentials.json": 0o600, "state.db": 0o600, "lock": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if got := must(t, info, err).Mode(); got != want {
			t.Errorf("%s has mode %v, want %v", name, got, want)
		}
	}
	made := server.made
	if made.ActiveDirectoryEndpointURL != server.URL() || made.ResourceManagerEndpointURL != server.URL() || made.ResourceGroup != "hotswap" ||
		made.WorkspaceName != "local" || len(made.ClientSecret) < 40 || len(made.SubscriptionID) != 36 || len(made.TenantID) != 36 || len(made.ClientID) != 36 {
		t.Errorf("credentials %+v", made)
	}
}

// The secret is in its file and nowhere else in the state folder.
func TestSecretIsKeptNowhereElse(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	server, stop := start(t, options(dir))
	stop()
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || path == server.CredentialsFile() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), server.made.ClientSecret) {
			t.Errorf("%s holds the client secret", path)
		}
		return err
	})
	must(t, 0, err)
}

func TestOneServerAFolder(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	_, stop := start(t, options(dir))
	a, err := app.New(t.Context(), options(dir))
	if a != nil || online.CodeOf(err) != online.Locked || !strings.Contains(err.Error(), fmt.Sprintf("pid %d:", os.Getpid())) {
		t.Errorf("a second server: %v, %v", a, err)
	}
	stop()
	start(t, options(dir))
}

// A New that fails leaves neither the lock nor a listener.
func TestNewFailsCleanly(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	server, stop := start(t, options(stateDir(t)))
	taken := options(dir)
	taken.Addr = strings.TrimPrefix(server.URL(), "https://")
	for name, o := range map[string]app.Options{
		"address in use":    taken,
		"no such address":   {StateDir: dir, Addr: "no such address"},
		"scoring in use":    {StateDir: dir, Addr: "127.0.0.1:0", ScoringAddr: taken.Addr},
		"host is a number":  {StateDir: dir, Addr: "127.0.0.1:0", Hostname: "127.0.0.1"},
		"no folder":         {Addr: "127.0.0.1:0"},
		"folder is a file":  {StateDir: server.CredentialsFile(), Addr: "127.0.0.1:0"},
		"path is too long":  {StateDir: filepath.Join(dir, strings.Repeat("x", 100)), Addr: "127.0.0.1:0"},
		"damaged workspace": {StateDir: damaged(t), Addr: "127.0.0.1:0"},
	} {
		if a, err := app.New(t.Context(), o); a != nil || err == nil {
			t.Errorf("%s: %v, %v; want nil and an error", name, a, err)
		}
	}
	stop()
	start(t, options(dir))
}

func damaged(t *testing.T) string {
	t.Helper()
	dir := stateDir(t)
	must(t, 0, os.WriteFile(filepath.Join(dir, "credentials.json"), []byte("{"), 0o600))
	return dir
}

// After a restart on another port the same workspace is there, the same secret opens it, its
// file names the new port, and what was deployed is served again.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	first, stop := start(t, options(dir))
	c := first.client(t, first.made.ClientSecret)
	c.putEndpoint(t, "taxi-fare", nil)
	must(t, 0, c.putDeployment(t, "taxi-fare", "blue", c.registerModel(t, "taxi", "1", "one"), c.uploadCode(t, script)))
	c.putEndpoint(t, "taxi-fare", map[string]*int32{"blue": new(int32(100))})
	keys, err := c.NewOnlineEndpointsClient().ListKeys(t.Context(), c.group, c.workspace, "taxi-fare", nil)
	key := *must(t, keys, err).PrimaryKey
	stop()

	second, _ := start(t, options(dir))
	want := first.made
	want.ActiveDirectoryEndpointURL, want.ResourceManagerEndpointURL = second.URL(), second.URL()
	if second.made != want {
		t.Errorf("credentials changed beside their URLs: %v", second.made.ClientID != first.made.ClientID)
	}
	endpoint, err := second.client(t, second.made.ClientSecret).NewOnlineEndpointsClient().Get(t.Context(), c.group, c.workspace, "taxi-fare", nil)
	url := *must(t, endpoint, err).Properties.ScoringURI
	if !strings.HasPrefix(url, second.URL()+"/") {
		t.Errorf("scoring URI %s is not below %s", url, second.URL())
	}
	eventually(t, func() string {
		if status, answer, _ := second.score(t, url, key, `{"data":[1]}`); status != 200 {
			return fmt.Sprintf("after the restart: %d %s", status, answer)
		}
		return ""
	})
}

func TestCredentialsRemoved(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	first, stop := start(t, options(dir))
	stop()
	must(t, 0, os.Remove(first.CredentialsFile()))
	second, _ := start(t, options(dir))
	if second.made.ClientID == first.made.ClientID || second.made.ClientSecret == first.made.ClientSecret || second.made.SubscriptionID != first.made.SubscriptionID {
		t.Error("want a new principal in the same subscription")
	}
	workspace, err := second.client(t, second.made.ClientSecret).NewWorkspacesClient().Get(t.Context(), "hotswap", "local", nil)
	if got := *must(t, workspace, err).Location; got != "local" {
		t.Errorf("location %q", got)
	}
}

func TestScoringHasItsOwnListener(t *testing.T) {
	t.Parallel()
	o := options(stateDir(t))
	o.ScoringAddr = "127.0.0.1:0"
	server, _ := start(t, o)
	endpoint := server.client(t, server.made.ClientSecret).putEndpoint(t, "taxi-fare", nil)
	url := *endpoint.Properties.ScoringURI
	if !strings.HasPrefix(url, server.ScoringURL()+"/endpoints/") || server.ScoringURL() == server.URL() {
		t.Fatalf("scoring URI %s, want it below %s", url, server.ScoringURL())
	}
	if status, _, _ := server.score(t, url, "wrong", `{}`); status != 401 {
		t.Errorf("scoring listener: %d, want the gateway's 401", status)
	}
	for _, path := range []string{"/metadata/endpoints", "/subscriptions"} {
		if status, answer, _ := server.score(t, server.ScoringURL()+path, "x", ""); status != 404 {
			t.Errorf("management on the scoring listener: %d %s", status, answer)
		}
	}
	main := strings.Replace(url, server.ScoringURL(), server.URL(), 1)
	if status, answer, _ := server.score(t, main, "wrong", `{}`); status != 404 {
		t.Errorf("scoring on the main listener: %d %s", status, answer)
	}
}

func TestHostname(t *testing.T) {
	t.Parallel()
	o := options(stateDir(t))
	o.Hostname = "Models.Example"
	server, _ := start(t, o)
	if !strings.HasPrefix(server.URL(), "https://models.example:") {
		t.Errorf("URL %s", server.URL())
	}
	c := server.client(t, server.made.ClientSecret)
	if id := c.registerModel(t, "taxi", "1", "one"); !strings.HasSuffix(id, "/models/taxi/versions/1") {
		t.Errorf("model %s", id)
	}
}

func TestClientsGetHTTP2(t *testing.T) {
	t.Parallel()
	server, _ := start(t, options(stateDir(t)))
	response, err := server.http.Get(server.URL() + "/metadata/endpoints?api-version=2022-09-01")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 200 || response.ProtoMajor != 2 {
		t.Errorf("got %s by %s, want 200 by HTTP/2.0", response.Status, response.Proto)
	}
}
