package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"hotswap/internal/azure"
	"hotswap/internal/load"
)

// scorers are clients that score an endpoint, each over a connection of its own, until they are
// stopped. They never send a request twice.
type scorers struct {
	stop    context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	requests int
	failed   []string
	by       map[string]int // requests by the deployment that answered
}

// score starts n of them once the endpoint answers, each with a request every pause.
func (s *server) score(t *testing.T, endpoint string, n int, pause time.Duration, body string) *scorers {
	t.Helper()
	c := s.dial(t)
	e, err := c.Endpoint(t.Context(), endpoint)
	if err != nil {
		t.Fatal(err)
	}
	key, err := c.ScoringKey(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	awaitAnswer(t, c, azure.Request{Endpoint: e, Key: key, Body: []byte(body)})
	pem, err := os.ReadFile(s.ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	all := &scorers{stop: stop, by: map[string]int{}}
	for range n {
		one, err := load.NewClient(e.ScoringURI, &tls.Config{RootCAs: roots}, map[string]string{"Authorization": "Bearer " + key})
		if err != nil {
			t.Fatal(err)
		}
		all.running.Go(func() {
			defer one.Close()
			for ctx.Err() == nil {
				all.count(one.Post(context.WithoutCancel(ctx), []byte(body)))
				time.Sleep(pause)
			}
		})
	}
	t.Cleanup(func() { stop(); all.running.Wait() })
	return all
}

// awaitAnswer waits until a server that routes late has its first routes in force.
func awaitAnswer(t *testing.T, c *azure.Client, r azure.Request) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		switch a, err := c.Score(t.Context(), r); {
		case err != nil:
			t.Fatal(err)
		case a.Status == http.StatusOK:
			return
		case a.Status != http.StatusNotFound || time.Now().After(deadline):
			t.Fatalf("endpoint %s answers status %d: %s", r.Endpoint.Name, a.Status, a.Body)
		}
	}
}

func (s *scorers) count(a load.Answer, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	s.by[a.Header.Get("azureml-model-deployment")]++
	switch {
	case err != nil:
		s.failed = append(s.failed, err.Error())
	case a.Status != 200:
		s.failed = append(s.failed, fmt.Sprintf("status %d: %s", a.Status, a.Body))
	}
}

// end stops them and requires that none failed, of at least so many.
func (s *scorers) end(t *testing.T, least int) {
	t.Helper()
	s.stop()
	s.running.Wait()
	if len(s.failed) > 0 || s.requests < least {
		t.Errorf("%d of %d requests failed, want none of at least %d: %q", len(s.failed), s.requests, least, s.failed[:min(len(s.failed), 3)])
	}
}
