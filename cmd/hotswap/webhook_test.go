package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// told is what a webhook's receiver has taken.
type told struct {
	mu     sync.Mutex
	states []string
	ids    []string
	forged int
}

// listen is a receiver that refuses the first try of each event.
func listen(t *testing.T, secret string) (*told, string) {
	t.Helper()
	seen, tried := new(told), map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(r.Header.Get("X-Hotswap-Timestamp") + "." + string(body)))
		if r.Header.Get("X-Hotswap-Signature-256") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			seen.forged++
		}
		id := r.Header.Get("X-Hotswap-Delivery")
		if !tried[id] {
			tried[id] = true
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var event struct {
			State string `json:"state"`
			Data  struct {
				Phase string `json:"phase"`
			} `json:"data"`
		}
		if json.Unmarshal(body, &event) != nil || event.State != event.Data.Phase {
			seen.forged++
		}
		seen.states, seen.ids = append(seen.states, event.State), append(seen.ids, id)
	}))
	t.Cleanup(server.Close)
	return seen, server.URL
}

// A webhook is told of every state once, in order and signed, though each first try is refused;
// one that is not there fails nothing.
func TestWebhook(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newProject(t, "hooked")
	p.register(t, s, "one")
	seen, url := listen(t, "open sesame")
	secret := []string{"HOOK_SECRET=open sesame"}
	finish(t, s.client(secret, p.rollout("--webhook", url, "--webhook-secret-env", "HOOK_SECRET")...)).expect(t, 0, "")
	want := []string{"Planned", "Deploying", "Deployed", "Tested", "Swapping", "Promoted"}
	if !slices.Equal(seen.states, want) || seen.forged > 0 {
		t.Errorf("told %q, %d of them not as signed; want %q", seen.states, seen.forged, want)
	}
	if unique := slices.Compact(slices.Sorted(slices.Values(seen.ids))); len(unique) != len(seen.ids) {
		t.Errorf("ids %q, want each once", seen.ids)
	}
	r := finish(t, s.client(secret, p.rollout("--webhook", "http://127.0.0.1:1/nobody", "--webhook-secret-env", "HOOK_SECRET")...))
	r.expect(t, 0, "webhook")
}
