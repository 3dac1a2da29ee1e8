package gateway

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hotswap/internal/scoring"
)

// load is a number of keep-alive clients, each with inputs of its own.
type load struct {
	served, failed atomic.Int64
	stop           chan struct{}
	group          sync.WaitGroup
}

// startLoad starts 8 clients, which call check with each answer.
func startLoad(t *testing.T, g *Gateway, check func(client, n int, deployment, body string) error) *load {
	t.Helper()
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	l := &load{stop: make(chan struct{})}
	for client := range 8 {
		l.group.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			for n := 0; ; n++ {
				select {
				case <-l.stop:
					return
				default:
				}
				deployment, body, err := ask(transport, server.URL, fmt.Sprintf("%d/%d", client, n))
				if err == nil {
					err = check(client, n, deployment, body)
				}
				if err != nil {
					l.failed.Add(1)
					t.Error(err)
				}
				l.served.Add(1)
			}
		})
	}
	return l
}

// ask posts once, with a body that the transport cannot send again.
func ask(transport *http.Transport, url, body string) (deployment, answer string, err error) {
	r, err := http.NewRequest(http.MethodPost, url+"/endpoints/taxi/score", struct{ io.Reader }{strings.NewReader(body)})
	if err != nil {
		return "", "", err
	}
	r.ContentLength = int64(len(body))
	r.Header.Set("Authorization", "Bearer "+testKey)
	a, err := transport.RoundTrip(r)
	if err != nil {
		return "", "", err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if a.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s %s", body, a.Status, text)
	}
	return a.Header.Get(scoring.Deployment), string(text), err
}

// end stops the clients and asserts what they have done.
func (l *load) end(t *testing.T, atLeast int64) {
	t.Helper()
	close(l.stop)
	l.group.Wait()
	if l.served.Load() < atLeast || l.failed.Load() > 0 {
		t.Errorf("%d of %d requests failed, want 0 of at least %d", l.failed.Load(), l.served.Load(), atLeast)
	}
	t.Logf("served %d", l.served.Load())
}

// Every swap brings a worker of its own; the old one is killed as soon as it is drained.
func TestSwapsUnderLoadLoseNothing(t *testing.T) {
	const swaps, each = 200, 10
	make := func(n int64) (*fakeWorker, Endpoint) {
		d := deployment([]string{"blue", "green"}[n%2], 8)
		w := startWorker(t, echo(d.Name+" "))
		d.ID = fmt.Sprintf("%s-%d", d.Name, n)
		d.Instances = []Instance{{ID: "i-" + d.ID, Workers: []Address{w.address}}}
		return w, endpoint(n, d)
	}
	live, e := make(1)
	g := serve(t, Options{}, e)
	l := startLoad(t, g, func(client, n int, deployment, body string) error {
		if want := fmt.Sprintf("%s %d/%d", deployment, client, n); body != want {
			return fmt.Errorf("answer %q, want %q", body, want)
		}
		return nil
	})
	for n := int64(2); n <= swaps+1; n++ {
		for l.served.Load() < each*(n-1) { // swap in the thick of it, not before the clients have begun
			time.Sleep(100 * time.Microsecond)
		}
		next, to := make(n)
		swap(t, g, to)
		if err := g.Drain(t.Context(), e.Deployments[0].ID); err != nil {
			t.Fatal(err)
		}
		live.kill()
		live, e = next, to
	}
	l.end(t, swaps*each)
}

// Two real workers take turns, each with deployments of new ids.
func TestSwapsBetweenPythonWorkers(t *testing.T) {
	const swaps, each = 200, 10
	script := "def init(): pass\ndef run(raw_data): return '%s ' + raw_data\n"
	addresses := []Address{pythonWorker(t, fmt.Sprintf(script, "blue")), pythonWorker(t, fmt.Sprintf(script, "green"))}
	make := func(n int64) Endpoint {
		d := deployment([]string{"blue", "green"}[n%2], 8)
		d.ID = fmt.Sprintf("%s-%d", d.Name, n)
		d.Instances = []Instance{{ID: "i-" + d.ID, Workers: []Address{addresses[n%2]}}}
		return endpoint(n, d)
	}
	g := serve(t, Options{}, make(1))
	l := startLoad(t, g, func(client, n int, deployment, body string) error {
		if want := fmt.Sprintf(`"%s %d/%d"`, deployment, client, n); body != want {
			return fmt.Errorf("answer %s, want %s", body, want)
		}
		return nil
	})
	for n := int64(2); n <= swaps+1; n++ {
		for l.served.Load() < each*(n-1) {
			time.Sleep(100 * time.Microsecond)
		}
		swap(t, g, make(n))
		if err := g.Drain(t.Context(), fmt.Sprintf("%s-%d", []string{"green", "blue"}[n%2], n-1)); err != nil {
			t.Fatal(err)
		}
	}
	l.end(t, swaps*each)
}

// A worker that is asked to end answers what it has; what comes after goes to a sibling.
func TestTerminatedWorkersLoseNothing(t *testing.T) {
	script := "def init(): pass\ndef run(raw_data): return raw_data\n"
	d := deployment("blue", 8)
	var workers []*python
	for n := range 6 {
		p := startPython(t, script)
		workers = append(workers, p)
		d.Instances = append(d.Instances, Instance{ID: fmt.Sprint("i", n), Workers: []Address{p.address}})
	}
	g := serve(t, Options{}, endpoint(1, d))
	l := startLoad(t, g, func(client, n int, _, body string) error {
		if want := fmt.Sprintf(`"%d/%d"`, client, n); body != want {
			return fmt.Errorf("answer %s, want %s", body, want)
		}
		return nil
	})
	for n, p := range workers[1:] {
		for l.served.Load() < int64(n+1)*100 {
			time.Sleep(100 * time.Microsecond)
		}
		if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := p.command.Wait(); err != nil {
			t.Errorf("after SIGTERM: %v", err)
		}
	}
	l.end(t, 500)
}
