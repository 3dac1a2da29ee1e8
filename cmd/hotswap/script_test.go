package main

import (
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the expected output of the scripts")

// The scripts share one server; each has an endpoint and a model of its own. What they can do
// beside testscript's own commands is in script_commands_test.go.
func TestScript(t *testing.T) { runScripts(t, "testdata/script") }

// What looks at all of a server has one to itself.
func TestScriptAlone(t *testing.T) { runScripts(t, "testdata/alone") }

func runScripts(t *testing.T, dir string) {
	t.Helper()
	s := startServer(t)
	vars := s.scriptVariables(t)
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                s.scriptCommands(t),
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+e.Getenv("PATH"))
			for name, value := range vars {
				e.Setenv(name, value)
			}
			return nil
		},
	})
}

// scriptVariables is the environment of a client of s, and what raw requests need.
func (s *server) scriptVariables(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(s.creds)
	if err != nil {
		t.Fatal(err)
	}
	var c struct{ ClientID, ClientSecret, TenantID, SubscriptionID, ResourceGroup, WorkspaceName string }
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"AZURE_CREDENTIALS": string(text), "SSL_CERT_FILE": s.ca, "GITHUB_SHA": "0123456789abcdef",
		"URL": s.url, "STATE": s.stateDir, "CREDENTIALS": s.creds,
		"CLIENT": c.ClientID, "TENANT": c.TenantID, "TOKEN": s.token(t, c.TenantID, c.ClientID, c.ClientSecret),
		"WORKSPACE": s.url + "/subscriptions/" + c.SubscriptionID + "/resourceGroups/" + c.ResourceGroup +
			"/providers/Microsoft.MachineLearningServices/workspaces/" + c.WorkspaceName,
	}
}

// token asks for one as RFC 6749, section 4.4, has it.
func (s *server) token(t *testing.T, tenant, id, secret string) string {
	t.Helper()
	resp, err := s.https(t).PostForm(s.url+"/"+tenant+"/oauth2/v2.0/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}, "scope": {s.url + "/.default"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	var answer struct {
		Token string `json:"access_token"`
	}
	if err != nil || resp.StatusCode != http.StatusOK || json.Unmarshal(body, &answer) != nil {
		t.Fatalf("status %d, %v, asking for a token", resp.StatusCode, err)
	}
	return answer.Token
}
