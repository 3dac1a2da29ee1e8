package control

import (
	"maps"
	"slices"
	"testing"

	"hotswap/internal/online"
	"hotswap/internal/workers"
)

func TestCloseDrainsThenStops(t *testing.T) {
	w := taxi(t)
	w.mu.Lock()
	w.journal = nil
	w.mu.Unlock()
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := w.diary(), []string{"unroute taxi", "drain deployment", "close"}; !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
	if err := w.endpoint(nil); codeOf(err) != online.Unavailable {
		t.Errorf("a change after Close: %v", err)
	}
	w.start()
	w.eventually("blue serves again", func() bool { return slices.Equal(w.live("blue"), []string{"1"}) })
}

func TestRestart(t *testing.T) {
	tests := map[string]struct {
		before func(*world)
		live   []string // models of blue
		up     map[string]int
		state  online.ProvisioningState // of blue
	}{
		"nothing under way": {func(*world) {}, []string{"1"}, map[string]int{"blue 1": 1}, online.Succeeded},
		"an update under way goes on": {func(w *world) {
			w.ended(w.put(deployment("green", "3")))
			w.put(deployment("blue", "2", that(hangs)))
			w.hanging()
		}, []string{"1"}, map[string]int{"blue 1": 1, "blue 2": 1, "green 3": 1}, online.Updating},
		"what a failed update left goes on": {func(w *world) {
			w.deploy(deployment("blue", "2", that(fails)))
		}, []string{"1"}, map[string]int{"blue 1": 1, "blue 2": 1}, online.Failed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := taxi(t)
			tt.before(w)
			w.crash()
			w.start()
			w.eventually("everything is up", func() bool {
				return slices.Equal(w.live("blue"), tt.live) && maps.Equal(w.up(), tt.up)
			})
			if d, err := w.Deployment(t.Context(), "taxi", "blue"); err != nil || d.State != tt.state {
				t.Errorf("%+v, %v; want state %s", d, err, tt.state)
			}
		})
	}
}

func TestRestartEndsWhatWasUnderWay(t *testing.T) {
	w := taxi(t)
	o, err := w.put(deployment("blue", "2", that(hangs)))
	if err != nil {
		t.Fatal(err)
	}
	w.hanging()
	w.crash()
	w.start()
	w.become(w.hanging(), workers.Ready, nil)
	w.succeeded(o, err)
	w.mu.Lock()
	w.draining = make(chan struct{})
	w.mu.Unlock()
	gone, err := w.DeleteEndpoint(t.Context(), "taxi")
	if err != nil {
		t.Fatal(err)
	}
	w.eventually("the endpoint is out of the routes", func() bool { return slices.Contains(w.diary(), "unroute taxi") })
	w.crash()
	w.draining = nil
	w.start()
	w.succeeded(gone, nil)
	if got := w.up(); len(got) != 0 {
		t.Errorf("left %v", got)
	}
}

// After a restart the endpoint is known at once, with a deployment that is not up yet, and those
// with traffic come up first.
func TestRestartBringsUpTheLiveFirst(t *testing.T) {
	w := newWorld(t)
	if err := w.endpoint(nil); err != nil {
		t.Fatal(err)
	}
	o, err := w.put(deployment("live", "1", that(hangs)))
	if err != nil {
		t.Fatal(err)
	}
	w.become(w.hanging(), workers.Ready, nil)
	w.succeeded(o, err)
	w.succeeded(w.put(deployment("idle", "2")))
	if err := w.endpoint(map[string]int{"live": 100}); err != nil {
		t.Fatal(err)
	}
	w.crash()
	w.start()
	w.mu.Lock()
	if r := w.routes["taxi"]; len(r.Deployments) != 2 || r.Shares["live"] != 100 {
		t.Errorf("routes %+v when the start was over, want both deployments", r)
	}
	w.mu.Unlock()
	id := w.hanging()
	if got := w.up(); !maps.Equal(got, map[string]int{"live 1": 1}) {
		t.Errorf("started %v before the live one was up", got)
	}
	w.become(id, workers.Ready, nil)
	w.eventually("both are up", func() bool { return len(w.live("live")) == 1 && len(w.live("idle")) == 1 })
}
