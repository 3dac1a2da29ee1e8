package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const jobSubject = "repo:acme/taxi:environment:production"

// What the service does not trust is told, with the command that makes it.
func TestLoginTellsWhatIsNotTrusted(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	i := newIssuer(t, jobSubject)
	client := s.scriptVariables(t)["CLIENT"]
	job := i.job(t, s, client)
	r := finish(t, s.client(job, "login"))
	want := "to mend it, run: hotswap principal federate " + client + " --issuer " + i.url + " --subject " + jobSubject +
		" --audience api://AzureADTokenExchange --repository-id 4711 --owner-id 42\n"
	if r.code != 1 || !strings.Contains(r.stderr, want) || !strings.Contains(r.stdout, jobSubject) || strings.Contains(r.stdout, "logged in as") {
		t.Errorf("login: %s\nwant exit code 1, the subject, and %q", r, want)
	}
	var v struct {
		Assertion struct {
			Issuer, Subject string
			Audience        []string
			Job             map[string]string
		}
		Fix []string
	}
	if err := json.Unmarshal([]byte(finish(t, s.client(job, "login", "-o", "json")).stdout), &v); err != nil {
		t.Fatal(err)
	}
	if v.Assertion.Issuer != i.url || v.Assertion.Subject != jobSubject || v.Assertion.Job["repository"] != "acme/taxi" || len(v.Fix) != 1 {
		t.Errorf("login -o json: %+v", v)
	}
	for _, secret := range []string{runnerToken, "eyJ"} {
		if strings.Contains(r.stdout+r.stderr, secret) {
			t.Errorf("login tells %q: %s", secret, r)
		}
	}
}

// A whole rollout logs in by federation alone, as a principal that may do what a rollout needs; a
// scoring token is for another audience than the rest, and has an assertion of its own.
func TestRolloutByFederationOnly(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, jobSubject)
	s := startServerWith(t, []string{"SSL_CERT_FILE=" + i.ca})
	p := newProject(t, "federated")
	p.replace(t, "endpoint.yml", "auth_mode: key", "auth_mode: aad_token")
	p.register(t, s, "one")
	credential := filepath.Join(t.TempDir(), "ci.json")
	s.must(t, "principal", "create", "ci", "--role", "deployer", "--save", credential)
	text, err := os.ReadFile(credential)
	if err != nil {
		t.Fatal(err)
	}
	var ci struct{ ClientID, ClientSecret string }
	if err := json.Unmarshal(text, &ci); err != nil {
		t.Fatal(err)
	}
	job := i.job(t, s, ci.ClientID)

	r := finish(t, s.client(job, p.rollout()...)).expect(t, 1, "hotswap login prints the command that makes it trusted")
	var login struct{ Fix []string }
	if err := json.Unmarshal([]byte(finish(t, s.client(job, "login", "-o", "json")).stdout), &login); err != nil || len(login.Fix) != 1 {
		t.Fatalf("%v: login says %q", err, login.Fix)
	}
	if err := s.shell(p.dir, login.Fix[0]); err != nil {
		t.Fatal(err)
	}

	before := i.given()
	i.refuse(1) // the forge is down for a moment
	done := finish(t, s.client(job, p.rollout()...)).expect(t, 0, "")
	if e := done.rollout(t); e.Phase != "Promoted" {
		t.Errorf("the rollout ended %s: %s", e.Phase, done)
	}
	if n := i.given() - before; n != 2 {
		t.Errorf("the rollout took %d assertions, want 2: one for the management plane, one to score", n)
	}
	shown := finish(t, s.client(job, "login")).expect(t, 0, "")
	if !strings.Contains(shown.stdout, "logged in as") || !strings.Contains(shown.stdout, "location") {
		t.Errorf("login: %s", shown)
	}
	for _, secret := range []string{runnerToken, ci.ClientSecret, "eyJ"} {
		if out := r.String() + done.String() + shown.String(); strings.Contains(out, secret) {
			t.Errorf("a command tells %q: %s", secret, out)
		}
	}

	i.become("repo:acme/taxi:pull_request")
	finish(t, s.client(job, p.rollout()...)).expect(t, 1, `subject "repo:acme/taxi:pull_request"`)
}
