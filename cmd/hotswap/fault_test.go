package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// lane is an endpoint with a client that scores it, for one rollout after the other.
type lane struct {
	*project
	s       *server
	runs    int
	clients *scorers
}

// newLane has a model live, and both slots taken.
func newLane(t *testing.T, s *server, endpoint string) *lane {
	t.Helper()
	p := newProject(t, endpoint)
	p.register(t, s, "one")
	for range 2 {
		s.run(t, p.rollout()...).expect(t, 0, "")
	}
	return &lane{project: p, s: s, clients: s.score(t, endpoint, 1, 40*time.Millisecond, `{"n": 21}`)}
}

// inBriefSteps is a stepped rollout of code that was not uploaded before. Of speed it asks nothing.
func (l *lane) inBriefSteps(t *testing.T) []string {
	t.Helper()
	l.runs++
	l.write(t, "src/score.py", doubling+fmt.Sprintf("\n# %s %d\n", l.endpoint, l.runs))
	return l.rollout("--steps", "50,100", "--interval", "1s", "--bake", "1s", "--min-requests", "3", "--analysis-timeout", "30s",
		"--latency-slack", "10s")
}

// through runs such a rollout through a proxy that is aimed.
func (l *lane) through(t *testing.T, a aim) (result, *faultProxy) {
	t.Helper()
	creds, err := os.ReadFile(l.s.creds)
	if err != nil {
		t.Fatal(err)
	}
	p := l.s.proxy(t, l.endpoint, a)
	r := finish(t, l.s.client([]string{"AZURE_CREDENTIALS=" + p.credentials(string(creds))}, l.inBriefSteps(t)...))
	return r, p
}

// What a rollout says to the server passes the proxy, all of it: login, management plane, blobs,
// scoring, metrics.
func TestRolloutThroughProxy(t *testing.T) {
	t.Parallel()
	l := newLane(t, startServer(t), "recorded")
	r, p := l.through(t, aim{})
	r.expect(t, 0, "100 %: passed")
	for _, part := range []string{"/oauth2/", "/deployments/", "mfeOperationsStatus", "/lock.json", "/upload-", "/score", "/metrics "} {
		if !slices.ContainsFunc(p.calls, func(c seen) bool { return strings.Contains(c.path, part) }) {
			t.Errorf("no call of %s has passed the proxy", part)
		}
	}
	l.clients.end(t, 20)
}
