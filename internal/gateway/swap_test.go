package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"hotswap/internal/online"
)

func TestSwapRefuses(t *testing.T) {
	blue := deployment("blue", 1, startWorker(t, echo("")))
	away := deployment("green", 1, newWorker(t, echo("")))
	moved := deployment("blue", 1, startWorker(t, echo("")))
	cases := map[string]struct {
		endpoint Endpoint
		code     online.Code
	}{
		"an older revision":              {endpoint(4, blue), online.Stale},
		"a worker that does not answer":  {endpoint(6, away), online.Unavailable},
		"other workers of an instance":   {endpoint(6, moved), online.Invalid},
		"traffic of a deployment absent": {Endpoint{Name: "taxi", Revision: 6, Shares: map[string]int{"red": 100}}, online.Invalid},
		"traffic that adds up to 90": {
			Endpoint{Name: "taxi", Revision: 6, Shares: map[string]int{"blue": 90}, Deployments: []Deployment{blue}}, online.Invalid,
		},
		"no time": {endpoint(6, Deployment{Name: "blue", ID: "b", Concurrency: 1}), online.Invalid},
		"no id":   {endpoint(6, Deployment{Name: "blue", Concurrency: 1, Timeout: 1}), online.Invalid},
		"a deployment twice": {
			endpoint(6, blue, blue), online.Invalid,
		},
	}
	g := serve(t, Options{}, endpoint(5, blue))
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := g.Swap(ctx, c.endpoint); online.CodeOf(err) != c.code || err == nil {
				t.Errorf("error %v, want code %s", err, c.code)
			}
			if r := (*g.routes.Load())["taxi"]; r.Revision != 5 {
				t.Errorf("revision %d is in force", r.Revision)
			}
			want(t, post(g, "x"), http.StatusOK, "x")
		})
	}
}

// What a Swap that failed has started is gone: no one dials the worker that comes too late.
func TestFailedSwapLeavesNothing(t *testing.T) {
	g := serve(t, Options{}, endpoint(1, deployment("blue", 1, startWorker(t, echo("")))))
	late := newWorker(t, echo(""))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := g.Swap(ctx, endpoint(2, deployment("green", 1, late))); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
	late.start()
	time.Sleep(3 * firstRedial)
	late.mu.Lock()
	defer late.mu.Unlock()
	if len(late.conns) > 0 {
		t.Error("the worker was connected to")
	}
}

func TestSwapConnectsFirst(t *testing.T) {
	blue, green := startWorker(t, echo("blue ")), newWorker(t, echo("green "))
	g := serve(t, Options{}, endpoint(1, deployment("blue", 1, blue)))
	swapped := make(chan error, 1)
	go func() { swapped <- g.Swap(t.Context(), endpoint(2, deployment("green", 1, green))) }()
	eventually(t, "the swap is under way", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.swapping["taxi"]
	})
	want(t, post(g, "x"), http.StatusOK, "blue x")
	if err := g.Swap(t.Context(), endpoint(3, deployment("blue", 1, blue))); online.CodeOf(err) != online.Conflict {
		t.Errorf("a second swap: %v", err)
	}
	green.start()
	if err := <-swapped; err != nil {
		t.Fatal(err)
	}
	want(t, post(g, "x"), http.StatusOK, "green x")
}

func TestDrain(t *testing.T) {
	h := hold()
	blue := startWorker(t, h.answer)
	g := serve(t, Options{}, endpoint(1, deployment("blue", 1, blue)))
	server := httptest.NewServer(g)
	defer server.Close()
	request := func() (*http.Response, error) {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/endpoints/taxi/score", strings.NewReader("x"))
		r.Header.Set("Authorization", "Bearer "+testKey)
		return server.Client().Do(r)
	}
	answered := make(chan int, 1)
	go func() {
		a, err := request()
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		defer a.Body.Close()
		answered <- a.StatusCode
	}()
	<-h.begun
	if err := g.Drain(t.Context(), "blue-1"); online.CodeOf(err) != online.Conflict {
		t.Errorf("drain of a routed deployment: %v", err)
	}
	swap(t, g, endpoint(2, deployment("green", 1, startWorker(t, echo("")))))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := g.Drain(ctx, "blue-1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("drain while a request is under way: %v", err)
	}
	close(h.let)
	if status := <-answered; status != http.StatusOK {
		t.Errorf("the request under way got %d", status)
	}
	// The client's keep-alive connection is idle now, and open.
	for range 2 {
		if err := g.Drain(t.Context(), "blue-1"); err != nil {
			t.Error(err)
		}
	}
	if err := g.Swap(t.Context(), endpoint(1, deployment("blue", 1, blue))); online.CodeOf(err) != online.Stale {
		t.Errorf("back to an older revision: %v", err)
	}
}

func TestDrainInstance(t *testing.T) {
	h := hold()
	stays, goes := startWorker(t, echo("stays ")), startWorker(t, h.answer)
	both := deployment("blue", 1, stays, goes)
	one := both
	one.Instances = both.Instances[:1]
	g := serve(t, Options{}, endpoint(1, both))
	first, second := later(g, "1"), later(g, "2") // one of them goes to the instance that holds
	body := <-h.begun
	if err := g.DrainInstance(t.Context(), "blue-1-b"); online.CodeOf(err) != online.Conflict {
		t.Errorf("drain of an instance in use: %v", err)
	}
	swap(t, g, endpoint(2, one))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := g.DrainInstance(ctx, "blue-1-b"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("drain while its request is under way: %v", err)
	}
	for n := range 4 {
		want(t, post(g, fmt.Sprint(n)), http.StatusOK, fmt.Sprint("stays ", n))
	}
	close(h.let)
	for _, answer := range []<-chan *httptest.ResponseRecorder{first, second} {
		want(t, <-answer, http.StatusOK, "*")
	}
	for range 2 {
		if err := g.DrainInstance(t.Context(), "blue-1-b"); err != nil {
			t.Error(err)
		}
	}
	if got := goes.bodies(); !slices.Equal(got, []string{body}) {
		t.Errorf("the instance that left got %q", got)
	}
}

// A deployment that is updated while requests wait in line for it has them answered by its new
// workers, and each answer names the model that gave it.
func TestAnswersNameTheModelThatGaveThem(t *testing.T) {
	h := hold()
	before := deployment("blue", 2, startWorker(t, h.answer))
	before.Model = "fare:1"
	after := deployment("blue", 2, startWorker(t, echo("new ")))
	after.Model, after.Instances[0].ID = "fare:2", "blue-1-again"
	g := serve(t, Options{}, endpoint(1, before))
	first := later(g, "1")
	<-h.begun
	second := later(g, "2")
	eventually(t, "the second request waits", func() bool { _, waiting := backendOf(g, "blue").count(); return waiting == 1 })
	swap(t, g, endpoint(2, after))
	w := <-second
	want(t, w, http.StatusOK, "new 2")
	if model := w.Header().Get("X-Hotswap-Model"); model != "fare:2" {
		t.Errorf("an answer of the new worker names %s", model)
	}
	close(h.let)
	if model := (<-first).Header().Get("X-Hotswap-Model"); model != "fare:1" {
		t.Errorf("an answer of the old worker names %s", model)
	}
}

func TestRemovedEndpointIsNotFound(t *testing.T) {
	g := serve(t, Options{}, endpoint(1, deployment("blue", 1, startWorker(t, echo("")))))
	g.Remove("taxi")
	want(t, post(g, "x"), http.StatusNotFound, "*")
	if err := g.Drain(t.Context(), "blue-1"); err != nil {
		t.Error(err)
	}
}
