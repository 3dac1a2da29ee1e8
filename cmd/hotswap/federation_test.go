package main

import (
	"encoding/json"
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
	want := "to mend it, run: hotswap principal federate " + client + " --issuer " + i.url + " --subject " + jobSubject + " --audience api://AzureADTokenExchange"
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
