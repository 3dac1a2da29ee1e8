package main

import (
	"slices"
	"strings"
	"syscall"
	"testing"
)

// gateCrashes are the places in a pull request's life at which a crash would be worst, by the command
// that passes by them.
var gateCrashes = map[string][]string{
	"take":    {"gate.record.before", "gate.record.after"},                                                    // the hold, before anything is deployed
	"finish":  {"gate.record.before", "gate.record.after"},                                                    // what was verified under it
	"merge":   {"gate.record.before", "gate.record.after"},                                                    // what main stands for
	"close":   {"gate.record.before", "gate.record.after"},                                                    // the intent to restore
	"repair":  {"gate.record.before", "gate.record.after", "rollout.traffic.before", "rollout.traffic.after"}, // the restored traffic, and its record
	"release": {"gate.record.before", "gate.record.after"},
}

// A command of the gate that is killed anywhere leaves a record from which the next run of the same
// event ends as it would have.
func TestGateCrashes(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for kind, points := range gateCrashes {
		for _, point := range points {
			t.Run(kind+"/"+point, func(t *testing.T) {
				t.Parallel()
				g := newGated(t, s, "gate-"+endpointName(kind, point[strings.Index(point, ".")+1:]))
				g.dispatch(t, "main").all(t, "deploy").green(t)
				g.crashed(t, kind, point)
			})
		}
	}
}

// crashed has the pull request's life cut off in one command, and goes on with it.
func (g *gated) crashed(t *testing.T, kind, point string) {
	t.Helper()
	p := g.open(t, 5, "-five")
	if kind != "take" {
		w := p.run(t, "opened")
		w.gate(t).expect(t, 0, "")
		w.deliver(t)
		if kind == "finish" {
			w.crash(t, point, append([]string{"gate", "finish"}, w.files()...)...)
		}
		w.finish(t).prints(t, "live and holding")
		w.finish(t).prints(t, "live and holding")
		g.wantHold(t, 5)
	}
	switch kind {
	case "take":
		w := p.run(t, "opened")
		w.crash(t, point, w.files("gate")...)
		w.all(t, "deploy").green(t)
		g.wantHold(t, 5)
		g.answers(t, "one-five")
	case "merge":
		merge := p.merge(t)
		w := p.run(t, "closed")
		w.crash(t, point, w.files("gate")...)
		w.all(t, "pass").green(t)
		g.wantMain(t, merge)
	case "close":
		w := p.run(t, "closed")
		w.crash(t, point, w.files("gate")...)
		w.all(t, "restore").green(t)
		g.wantMain(t, g.git(t, "rev-parse", "main"))
	case "repair":
		w := p.run(t, "closed")
		w.gate(t).prints(t, "restore")
		w.crash(t, point, "drift", "--repair", "-e", g.endpoint)
		w.step(t, "drift", "--repair", "-e", g.endpoint).expect(t, 0, "")
		w.finish(t).expect(t, 0, "")
		g.wantMain(t, g.git(t, "rev-parse", "main"))
		g.answers(t, "one")
	case "release":
		w := p.run(t, "synchronize")
		w.crash(t, point, "gate", "release", "-e", g.endpoint)
		w.step(t, "gate", "release", "-e", g.endpoint).expect(t, 0, "")
		g.drift(t, 6)
	}
}

// crash runs a command of the workflow that must be killed at the point.
func (w *workflow) crash(t *testing.T, point string, args ...string) {
	t.Helper()
	c := w.s.client(slices.Concat(w.env, w.read(t, "env"), []string{"HOTSWAP_CRASH_AT=" + point}), args...)
	c.Dir = w.dir
	r := finish(t, c)
	status, _ := c.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != syscall.SIGKILL || !strings.Contains(r.stderr, "crash point: "+point) {
		t.Fatalf("%s was not hit: %s", point, r)
	}
}
