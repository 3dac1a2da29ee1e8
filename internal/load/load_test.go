package load_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"hotswap/internal/load"
)

func TestPost(t *testing.T) {
	var connections atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Seen", r.Header.Get("Authorization"))
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
		if string(body) == "in parts" {
			w.(http.Flusher).Flush()
			_, _ = w.Write([]byte("!"))
		}
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.StartTLS()
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())

	c, err := load.NewClient(s.URL+"/score", &tls.Config{RootCAs: pool}, map[string]string{"Authorization": "Bearer k"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	long := strings.Repeat("long ", 10_000)
	for body, want := range map[string]string{"one": "one", "two": "two", "": "", long: long, "in parts": "in parts!"} {
		a, err := c.Post(t.Context(), []byte(body))
		if err != nil || a.Status != http.StatusOK || string(a.Body) != want || a.Header.Get("seen") != "Bearer k" {
			t.Errorf("Post(%q) = %d %q %v, %v", body, a.Status, a.Body, a.Header, err)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections, want one that is kept alive", n)
	}
}

// A connection that the server ends without an answer is a failed request, never one sent twice.
func TestPostIsNotRetried(t *testing.T) {
	var requests atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) == 2 {
			panic(http.ErrAbortHandler)
		}
	}))
	defer s.Close()
	c, err := load.NewClient(s.URL, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for n, fails := range []bool{false, true, false} {
		if _, err := c.Post(t.Context(), []byte("{}")); (err != nil) != fails {
			t.Errorf("request %d: %v, want an error: %v", n, err, fails)
		}
	}
	if n := requests.Load(); n != 3 {
		t.Errorf("the server saw %d requests, want 3", n)
	}
}
