package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// shortLag makes the metrics of a server that is like Azure late by seconds, not minutes, and has
// the pipeline know it.
const shortLag = "HOTSWAP_METRICS_LAG=2s"

// lane is an endpoint with a client that scores it, for one rollout after the other.
type lane struct {
	*project
	s       *server
	live    string // the slot
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
	return &lane{project: p, s: s, live: "green", clients: s.score(t, endpoint, 1, 100*time.Millisecond, `{"n": 21}`)}
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
	p := l.s.proxy(t, l.endpoint, l.live, a)
	r := finish(t, l.s.client([]string{shortLag, "AZURE_CREDENTIALS=" + p.credentials(string(creds))}, l.inBriefSteps(t)...))
	return r, p
}

// record returns the calls of a rollout that nothing happens to. They come from everywhere: login,
// management plane, blobs, scoring, metrics.
func (l *lane) record(t *testing.T) []seen {
	t.Helper()
	r, p := l.through(t, aim{})
	r.expect(t, 0, "100 %: passed")
	for _, part := range []string{"/oauth2/", "/deployments/", "mfeOperationsStatus", "/lock.json", "/upload-", "/score", "/metrics "} {
		if !slices.ContainsFunc(p.calls, func(c seen) bool { return strings.Contains(c.path, part) }) {
			t.Errorf("no call of %s has passed the proxy", part)
		}
	}
	l.live = l.status(t, l.s).Live
	return p.calls
}

// faults that a call may meet. A read has no effect, so it is all the same when it is lost.
func (c seen) faults() []fault {
	all := []fault{lost, delayed, conflict, throttled, broken}
	switch {
	case !c.reads():
		all = append(all, replyLost)
	case c.managed() && c.changed:
		all = append(all, stale)
	}
	return all
}

// everyCall aims each fault at each call. Of reads that are made until something shows, only the
// first are aimed at: how many there are is a matter of time.
func everyCall(calls []seen) (all []aim) {
	last := map[call]int{}
	for _, c := range calls {
		last[c.kind()] = max(last[c.kind()], c.n)
	}
	for _, c := range calls {
		if c.reads() && c.n > sure(c.call, last[c.kind()]) {
			continue
		}
		for _, f := range c.faults() {
			all = append(all, aim{c.call, f})
		}
	}
	return all
}

// sure is how many of a kind's reads, of which there were so many, are made in another run too.
func sure(c call, were int) int {
	switch {
	case strings.Contains(c.path, "mfeOperationsStatus"):
		return 1
	case were > 3:
		return 2
	}
	return were
}

// kind is the call without its number.
func (c call) kind() call { c.n = 0; return c }

// everyKind aims each fault at one call of each kind, whatever the phase; each fault at another.
func everyKind(calls []seen) (all []aim) {
	kinds := map[string][]aim{}
	for _, a := range everyCall(calls) {
		name := fmt.Sprint(a.fault, a.at.method, a.at.path)
		kinds[name] = append(kinds[name], a)
	}
	for i, name := range slices.Sorted(maps.Keys(kinds)) {
		all = append(all, kinds[name][i%len(kinds[name])])
	}
	return all
}

// Whatever happens to one call between pipeline and server: a rollout ends with the traffic as
// planned, or says that it did not, with the traffic as it was or as the journal says; the next one
// goes through; and no scoring request fails. It takes the whole machine, so nothing else is tested
// meanwhile.
func TestOneCallFails(t *testing.T) {
	for name, tt := range map[string]struct {
		args  []string
		lanes int
		aims  func([]seen) []aim
	}{
		"at once":    {nil, 20, everyCall},
		"azure-like": {[]string{"--azure-like"}, 40, everyKind},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServerWith(t, []string{shortLag}, tt.args...)
			aims := tt.aims(newLane(t, s, "recorded").record(t))
			injected, requests := suffer(t, s, tt.lanes, aims)
			t.Logf("%d faults, %d requests scored", injected, requests)
			if int(injected) != len(aims) && !t.Failed() || requests < 10*injected {
				t.Errorf("%d of %d faults were injected, and %d requests scored", injected, len(aims), requests)
			}
		})
	}
}

// suffer runs a rollout for each aim, on so many endpoints at once.
func suffer(t *testing.T, s *server, lanes int, aims []aim) (injected, requests int64) {
	queue := make(chan aim, len(aims))
	for _, a := range aims {
		queue <- a
	}
	close(queue)
	var hits, scored atomic.Int64
	var running sync.WaitGroup
	for n := range lanes {
		running.Go(func() {
			t.Run(fmt.Sprintf("lane %d", n), func(t *testing.T) {
				l := newLane(t, s, fmt.Sprintf("lane-%d", n))
				for a := range queue {
					if l.suffer(t, a) {
						hits.Add(1)
					}
				}
				l.clients.end(t, 1)
				scored.Add(int64(l.clients.requests))
			})
		})
	}
	running.Wait()
	return hits.Load(), scored.Load()
}

// tries of an aim: polling may end before the call that is aimed at.
const tries = 3

// suffer has the fault of a happen to a rollout, and reports whether it did.
func (l *lane) suffer(t *testing.T, a aim) bool {
	t.Helper()
	for range tries {
		was := l.live
		r, p := l.through(t, a)
		left := l.status(t, l.s)
		if wrong := judge(r, was, left); wrong != "" {
			t.Errorf("%s at %s: %s: it left %+v of %s live: %s", a.fault, a.at, wrong, left, was, r)
		}
		if l.live = left.Live; r.code != 0 || left.Lock != nil {
			l.mend(t, a, was, r)
		}
		if p.hits > 0 {
			return true
		}
		if a.at.reads() && a.at.n > 1 { // how many it takes until something shows is a matter of time
			a.at.n--
		}
	}
	t.Errorf("%s at %s: the call was not made in %d runs", a.fault, a.at, tries)
	return false
}

// judge says what is wrong with what a rollout left and how it ended, or "".
func judge(r result, was string, left status) string {
	share := map[string]int{}
	for _, d := range left.Deployments {
		share[d.Name] = d.Traffic
	}
	candidate := map[string]string{"blue": "green", "green": "blue"}[was]
	switch {
	case share["blue"]+share["green"] != 100:
		return "the traffic is not whole"
	case r.code == 0 && (share[candidate] != 100 || left.Rollout.Phase != "Promoted"):
		return "it is told as done, and the candidate is not live"
	case !slices.Contains([]int{0, 1, 3, 4, 5}, r.code):
		return "no exit code of a rollout"
	case r.code == 0 || share[was] == 100:
		return ""
	case r.code != 1:
		return "it is told as safe, and the traffic has moved"
	case explains(left.Rollout.Phase, left.Rollout.Reason):
		return ""
	}
	return "the journal does not explain the traffic"
}

// explains reports whether a phase tells that the traffic may be elsewhere: the next rollout or a
// person sees to it.
func explains(phase, reason string) bool {
	return slices.Contains([]string{"Swapping", "Watching", "RollingBack"}, phase) || phase == "Failed" && reason != ""
}

// settle waits until nothing is under way on the endpoint's deployments.
func (l *lane) settle(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		underway := false
		for _, d := range l.status(t, l.s).Deployments {
			underway = underway || d.State != "Succeeded" && d.State != "Failed"
		}
		if !underway {
			return
		}
	}
}

// mend has what a rollout left open settled, as people would: by the next rollout; by resuming,
// where the lock is kept for that; by moving the traffic, where that is said.
func (l *lane) mend(t *testing.T, a aim, was string, left result) {
	t.Helper()
	var said []result
	next := func(args ...string) int {
		said = append(said, finish(t, l.s.client([]string{shortLag}, args...)))
		return said[len(said)-1].code
	}
	code := next(l.rollout()...)
	if code == 4 {
		next("resume", "-e", l.endpoint)
		code = next(l.rollout()...)
	}
	if code == 5 && strings.Contains(said[len(said)-1].stderr, "or wait") { // for what was on its way when a read of it failed
		l.settle(t)
		code = next(l.rollout()...)
	}
	if code == 5 && a.fault == stale { // halted, for a read that showed what nobody had written
		l.s.moveTraffic(t, l.endpoint, map[string]int{was: 100})
		code = next(l.rollout()...)
	}
	st := l.status(t, l.s)
	if l.live = st.Live; code != 0 || st.Live == "" || st.Lock != nil || st.Rollout.Phase != "Promoted" {
		t.Errorf("%s at %s: not mended, it is %+v: %s\nand then %v", a.fault, a.at, st, left, said)
	}
}
