package cli

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"hotswap/internal/forge"
	"hotswap/internal/online"
)

func TestPlaceOfARemote(t *testing.T) {
	for remote, want := range map[string]place{
		"https://github.com/ml/taxi-fare.git":           {kind: forge.GitHub, host: "https://github.com", repository: "ml/taxi-fare", from: theRemote},
		"https://github.com/ml/taxi-fare/":              {kind: forge.GitHub, host: "https://github.com", repository: "ml/taxi-fare", from: theRemote},
		"git@github.com:ml/taxi-fare.git":               {kind: forge.GitHub, host: "https://github.com", repository: "ml/taxi-fare", from: theRemote},
		"ssh://git@github.com:22/ml/taxi-fare.git":      {kind: forge.GitHub, host: "https://github.com", repository: "ml/taxi-fare", from: theRemote},
		"https://acme.ghe.com/ml/taxi-fare":             {kind: forge.GitHub, host: "https://acme.ghe.com", repository: "ml/taxi-fare", from: theRemote},
		"https://github.com.evil.example/ml/taxi-fare":  {host: "https://github.com.evil.example", repository: "ml/taxi-fare", from: theRemote},
		"https://u:pw@git.example.com:3000/ml/x.git":    {host: "https://git.example.com:3000", repository: "ml/x", from: theRemote},
		"http://git.example.com/gitea/ml/taxi-fare.git": {host: "http://git.example.com/gitea", repository: "ml/taxi-fare", from: theRemote},
		"/srv/git/taxi-fare.git":                        {from: theFlags},
		"../taxi-fare":                                  {from: theFlags},
		"file:///srv/git/taxi-fare.git":                 {from: theFlags},
	} {
		if got := remotePlace(remote); got != want {
			t.Errorf("%s is %+v, want %+v", remote, got, want)
		}
	}
}

func TestWhichForgeIsMeant(t *testing.T) {
	github := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "o/r", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_API_URL": "https://api.github.com",
		"GITHUB_TOKEN": "built-in",
	}
	gitea := map[string]string{
		"GITHUB_ACTIONS": "true", "GITEA_ACTIONS": "true", "GITHUB_REPOSITORY": "o/r", "GITHUB_SERVER_URL": "https://git.example.com",
		"GITHUB_API_URL": "https://git.example.com/api/v1/", "GITHUB_TOKEN": "built-in",
	}
	laptop := map[string]string{"GH_TOKEN": "hub", "GITEA_TOKEN": "tea"}
	for name, tt := range map[string]struct {
		flags  forgeFlags
		env    map[string]string
		remote string
		want   string // KIND API REPOSITORY TOKEN, or what the error says
	}{
		"a workflow of GitHub":                 {env: github, want: "github https://api.github.com o/r built-in"},
		"one with a token of its own":          {env: with(github, "HOTSWAP_FORGE_TOKEN", "app"), want: "github https://api.github.com o/r app"},
		"a workflow of Gitea":                  {env: gitea, want: "gitea https://git.example.com/api/v1 o/r built-in"},
		"a remote on GitHub":                   {env: laptop, remote: "git@github.com:o/r.git", want: "github https://api.github.com o/r hub"},
		"a remote on a GitHub with a domain":   {env: laptop, remote: "https://acme.ghe.com/o/r", want: "github https://api.acme.ghe.com o/r hub"},
		"a remote on who knows what":           {env: laptop, remote: "https://git.example.com/o/r", want: "is https://git.example.com a GitHub or a Gitea? give --forge"},
		"which is a Gitea":                     {flags: forgeFlags{kind: "gitea"}, env: laptop, remote: "https://git.example.com/o/r", want: "gitea https://git.example.com/api/v1 o/r tea"},
		"which is a GitHub":                    {flags: forgeFlags{kind: "github"}, env: laptop, remote: "https://git.example.com/o/r", want: "github https://git.example.com/api/v3 o/r hub"},
		"flags alone":                          {flags: forgeFlags{"gitea", "http://127.0.0.1:3000/", "o/r"}, env: laptop, want: "gitea http://127.0.0.1:3000/api/v1 o/r tea"},
		"flags with the API's own address":     {flags: forgeFlags{"gitea", "https://git.example.com/api/v1", "o/r"}, env: laptop, want: "gitea https://git.example.com/api/v1 o/r tea"},
		"flags over a remote":                  {flags: forgeFlags{repository: "a/b"}, env: laptop, remote: "git@github.com:o/r.git", want: "github https://api.github.com a/b hub"},
		"flags over a workflow":                {flags: forgeFlags{repository: "a/b"}, env: github, want: "github https://api.github.com a/b built-in"},
		"a workflow of what says to be GitHub": {flags: forgeFlags{kind: "gitea"}, env: github, want: "gitea https://github.com/api/v1 o/r built-in"},
		"GitHub by its name":                   {flags: forgeFlags{kind: "github", repository: "o/r"}, env: laptop, want: "github https://api.github.com o/r hub"},
		"GitHub by its address":                {flags: forgeFlags{url: "https://github.com", repository: "o/r"}, env: laptop, want: "github https://api.github.com o/r hub"},
		"an address of who knows what":         {flags: forgeFlags{url: "https://git.example.com", repository: "o/r"}, env: laptop, want: "give --forge"},
		"nothing":                              {env: laptop, want: "which repository? give --repo OWNER/NAME"},
		"nowhere":                              {flags: forgeFlags{repository: "o/r"}, env: laptop, want: "where is o/r?"},
		"another kind":                         {flags: forgeFlags{kind: "gitlab"}, env: laptop, want: `--forge is "gitlab", want github or gitea`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestSession(t, nil, tt.env)
			if tt.remote != "" {
				runGit(t, s.Dir, "init", "-q")
				runGit(t, s.Dir, "remote", "add", "origin", tt.remote)
			}
			p, err := s.place(t.Context(), tt.flags)
			if err != nil {
				if !strings.Contains(err.Error(), tt.want) || exitCode(err) != usage {
					t.Errorf("error %v, want %s", err, tt.want)
				}
				return
			}
			token, _ := s.forgeToken(p)
			if got := strings.Join([]string{string(p.kind), p.api, p.repository, token}, " "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func with(variables map[string]string, name, value string) map[string]string {
	all := maps.Clone(variables)
	all[name] = value
	return all
}

func runGit(t *testing.T, dir string, args ...string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "git", args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
}

// A token for GitHub does not go to a Gitea, nor the other way about.
func TestNoTokenForThisForge(t *testing.T) {
	for kind, env := range map[string]string{"gitea": "GH_TOKEN", "github": "GITEA_TOKEN"} {
		s := newTestSession(t, nil, map[string]string{env: "t0ken"})
		_, err := s.repository(t.Context(), forgeFlags{kind, "http://127.0.0.1:1", "o/r"})
		if online.CodeOf(err) != online.Unauthenticated || !strings.Contains(err.Error(), "$HOTSWAP_FORGE_TOKEN") || strings.Contains(err.Error(), env) {
			t.Errorf("%s with $%s: %v", kind, env, err)
		}
	}
}

// opened runs hotswap pr open against a Gitea that has no pull request yet, and returns what it was sent.
func opened(t *testing.T, author, stdin string, args ...string) (code int, sent map[string]string, stderr string) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = w.Write([]byte("[]"))
			return
		}
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"number": 7, "title": sent["title"], "user": map[string]any{"login": author}})
	}))
	defer srv.Close()
	s := newTestSession(t, map[string]string{"report.md": "RMSE 3.1\n"}, map[string]string{"GITEA_TOKEN": "t0ken"})
	var told strings.Builder
	s.Stdin, s.Stderr, s.Stdout = strings.NewReader(stdin), &told, io.Discard
	code = Main(t.Context(), append([]string{"pr", "open", "--forge", "gitea", "--forge-url", srv.URL, "--repo", "ml/taxi-fare"}, args...), s.Env)
	return code, sent, told.String()
}

func TestPROpenBody(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"none":       {nil, ""},
		"a text":     {[]string{"--body", "RMSE 3.0"}, "RMSE 3.0"},
		"a file":     {[]string{"--body-file", "report.md"}, "RMSE 3.1\n"},
		"from stdin": {[]string{"--body-file", "-"}, "RMSE 3.2\n"},
	} {
		code, sent, stderr := opened(t, "ci", "RMSE 3.2\n", tt.args...)
		if code != done || sent["body"] != tt.want || sent["head"] != "integration" || sent["base"] != "main" || stderr != "" {
			t.Errorf("%s: exit %d, sent %q, said %q", name, code, sent, stderr)
		}
	}
}

func TestPROpenWithGiteasBuiltInToken(t *testing.T) {
	code, _, stderr := opened(t, "gitea-actions", "")
	if code != done || !strings.Contains(stderr, "starts no workflow") || !strings.Contains(stderr, "a user of its own") || strings.Contains(stderr, "GitHub") {
		t.Errorf("exit %d, said %q", code, stderr)
	}
}

func TestForgeCommandLines(t *testing.T) {
	for line, says := range map[string]string{
		"protect --branch=":                                 "--branch and --check must name something",
		"protect --check=":                                  "--branch and --check must name something",
		"protect --app-id -1":                               "--app-id is -1",
		"protect now":                                       "unexpected argument",
		"pr open --head main":                               "must name two branches",
		"pr open --base=":                                   "must name two branches",
		"pr open --body x --body-file y":                    "body",
		"pr open --body-file nowhere.md":                    "--body-file: ",
		"pr close":                                          "unknown command",
		"protect --repo o --forge github":                   "want OWNER/NAME",
		"protect --repo o/r/../x --forge github":            "want OWNER/NAME",
		"protect --forge-url :// --forge github --repo o/r": "is no URL",
	} {
		s := newTestSession(t, nil, map[string]string{"GH_TOKEN": "t0ken"})
		var stderr strings.Builder
		s.Stderr = &stderr
		if code := Main(t.Context(), strings.Fields(line), s.Env); code != usage || !strings.Contains(stderr.String(), says) {
			t.Errorf("%s: exit %d, said %q, want %q", line, code, stderr.String(), says)
		}
	}
}
