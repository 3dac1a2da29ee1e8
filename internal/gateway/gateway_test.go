package gateway

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hotswap/internal/online"
)

const testKey = "the-key"

// echo answers with the body, marked.
func echo(mark string) func(asked) (int, string) {
	return func(q asked) (int, string) { return http.StatusOK, mark + string(q.body) }
}

// deployment returns a deployment with one instance for each worker.
func deployment(name string, concurrency int, workers ...*fakeWorker) Deployment {
	d := Deployment{
		Name: name, ID: name + "-1", Model: "fare:" + name, Concurrency: concurrency,
		Timeout: 5 * time.Second, Stuck: time.Minute,
	}
	for n, w := range workers {
		d.Instances = append(d.Instances, Instance{ID: d.ID + "-" + string(rune('a'+n)), Workers: []Address{w.address}})
	}
	return d
}

// endpoint returns an endpoint whose first deployment has all the traffic.
func endpoint(revision int64, ds ...Deployment) Endpoint {
	return Endpoint{
		Name: "taxi", Revision: revision, Auth: online.KeyAuth, KeyDigests: [][32]byte{sha256.Sum256([]byte(testKey))},
		Shares: map[string]int{ds[0].Name: 100}, Deployments: ds,
	}
}

// serve returns a gateway with the endpoint in force, which is taken down with the test.
func serve(t *testing.T, o Options, e Endpoint) *Gateway {
	t.Helper()
	g := New(o)
	t.Cleanup(func() { shut(t, g) })
	swap(t, g, e)
	return g
}

func swap(t *testing.T, g *Gateway, e Endpoint) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := g.Swap(ctx, e); err != nil {
		t.Fatal(err)
	}
}

// shut drains whatever the gateway has.
func shut(t *testing.T, g *Gateway) {
	for name := range *g.routes.Load() {
		g.Remove(name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	g.mu.Lock()
	ids := make([]string, 0, len(g.backends))
	for id := range g.backends {
		ids = append(ids, id)
	}
	g.mu.Unlock()
	for _, id := range ids {
		if err := g.Drain(ctx, id); err != nil {
			t.Error(err)
		}
	}
}

// post sends a body to the endpoint's score path; headers are pairs.
func post(g http.Handler, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/endpoints/taxi/score", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+testKey)
	for n := 0; n < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

// want checks the status and, unless it is "*", the body of an answer.
func want(t *testing.T, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	if w.Code != status || body != "*" && w.Body.String() != body {
		t.Errorf("status %d, body %q; want %d, %q", w.Code, w.Body, status, body)
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

func BenchmarkServeHTTP(b *testing.B) {
	w := pythonWorker(b, "import json\ndef init(): pass\ndef run(raw_data): return json.loads(raw_data)\n")
	g := New(Options{})
	d := Deployment{Name: "blue", ID: "blue-1", Concurrency: 32, Timeout: 5 * time.Second, Instances: []Instance{{ID: "i", Workers: []Address{w}}}}
	if err := g.Swap(b.Context(), endpoint(1, d)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if w := post(g, `{"data":[[1.5,2,3,4,5,6,7,8,9]],"method":"x"}`); w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
	}
}
