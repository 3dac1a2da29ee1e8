package rig

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"hotswap/internal/load"
)

// Clients score an endpoint all the while, each with one request after the other, and judge every answer.
type Clients struct {
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu      sync.Mutex
	answers map[string]int // right ones, by the model that gave them
	faults  []string
}

// clientCount and their pause are load enough to meet every moment of a swap, and leave the machine to the rest of the test.
const (
	clientCount = 4
	clientPause = 5 * time.Millisecond
)

// Clients starts clients of an endpoint that has a deployment by Score. They end with the test, which fails for every
// request that failed.
func (s *Server) Clients(t testing.TB, endpoint string) *Clients {
	t.Helper()
	uri, key, config := s.scoring(t, endpoint)
	ctx, cancel := context.WithCancel(context.Background())
	cs := &Clients{cancel: cancel, answers: map[string]int{}}
	for n := range clientCount {
		c, err := load.NewClient(uri, config, map[string]string{"Authorization": "Bearer " + key})
		if err != nil {
			cancel()
			t.Fatal(err)
		}
		cs.wait.Go(func() { cs.score(ctx, c, n) })
	}
	t.Cleanup(func() { cs.Stop(t) })
	return cs
}

// Stop ends the clients, and returns how many right answers each model gave.
func (cs *Clients) Stop(t testing.TB) map[string]int {
	t.Helper()
	cs.cancel()
	cs.wait.Wait()
	if n := len(cs.faults); n > 0 {
		t.Errorf("%d requests of clients failed, among them: %s", n, strings.Join(cs.faults[:min(n, 5)], "; "))
	}
	cs.faults = nil
	return cs.answers
}

func (cs *Clients) score(ctx context.Context, c *load.Client, n int) {
	defer c.Close()
	for ctx.Err() == nil {
		n += clientCount
		a, err := c.Post(context.WithoutCancel(ctx), fmt.Appendf(nil, `{"n": %d}`, n))
		var answer struct {
			Model string
			Twice int
		}
		if err == nil && a.Status == http.StatusOK {
			err = json.Unmarshal(a.Body, &answer)
		}
		cs.mu.Lock()
		switch {
		case err != nil:
			cs.faults = append(cs.faults, err.Error())
		case a.Status != http.StatusOK || answer.Twice != 2*n:
			cs.faults = append(cs.faults, fmt.Sprintf("%d for %d: %s", a.Status, n, a.Body))
		default:
			cs.answers[answer.Model]++
		}
		cs.mu.Unlock()
		time.Sleep(clientPause)
	}
}

// scoring is where an endpoint is scored, and with what.
func (s *Server) scoring(t testing.TB, endpoint string) (uri, key string, config *tls.Config) {
	t.Helper()
	pem, err := os.ReadFile(s.CA)
	if err != nil {
		t.Fatal(err)
	}
	config = &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AppendCertsFromPEM(pem)
	var principal struct{ ClientID, ClientSecret, TenantID, SubscriptionID string }
	if err := json.Unmarshal([]byte(s.Credentials), &principal); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	var token struct {
		Value string `json:"access_token"`
	}
	answer(t, client, s.URL+"/"+principal.TenantID+"/oauth2/v2.0/token", "", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {principal.ClientID}, "client_secret": {principal.ClientSecret}, "scope": {s.URL + "/.default"},
	}, &token)
	var keys struct {
		Primary string `json:"primaryKey"`
	}
	answer(t, client, fmt.Sprintf("%s/subscriptions/%s/resourceGroups/%s/providers/Microsoft.MachineLearningServices/workspaces/%s/onlineEndpoints/%s/listKeys?api-version=2024-04-01",
		s.URL, principal.SubscriptionID, ResourceGroup, Workspace, endpoint), token.Value, nil, &keys)
	var shown struct{ ScoringURI string }
	if err := json.Unmarshal([]byte(Must(t, s.Hotswap("endpoint", "show", "-n", endpoint, "-o", "json"))), &shown); err != nil {
		t.Fatal(err)
	}
	return shown.ScoringURI, keys.Primary, config
}

// answer posts a form and reads the JSON that comes back.
func answer(t testing.TB, client *http.Client, address, token string, form url.Values, out any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var text bytes.Buffer
	if _, err := text.ReadFrom(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v: %s", address, resp.StatusCode, err, &text)
	}
	if err := json.Unmarshal(text.Bytes(), out); err != nil {
		t.Fatal(err)
	}
}
