package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"hotswap/internal/load"
)

const (
	swaps       = 200
	swapClients = 8
	// fewestAnswers is what makes the load worth its name: on average, 25 answers between two swaps.
	fewestAnswers = 25 * swaps
)

// incarnate answers with a function of the input, and with what only this creation of the
// deployment knows. It takes long enough for all clients to have a request under way all the time,
// and now and then for one to be overtaken by a swap and a delete.
const incarnate = `
import json, os, time

def init():
    pass

def run(raw_data):
    n = json.loads(raw_data)["n"]
    time.sleep(0.03 if n % 40 == 0 else 0.002)
    return {"result": 3 * n + 1, "incarnation": int(os.environ["INCARNATION"])}
`

// Two hundred swaps, back and forth, with the idle slot deleted and created again before each:
// every request is answered, rightly, by a deployment that had traffic while it was under way.
func TestSwapsUnderLoadLoseNothing(t *testing.T) {
	self, err := os.Executable()
	must(t, self, err)
	o := options(stateDir(t))
	// A program with the race detector sleeps for a second at its end; the guards shall not.
	o.Guard = []string{"/usr/bin/env", "GORACE=atexit_sleep_ms=0", self, "guard"}
	server, _ := start(t, o)
	c := server.client(t, server.made.ClientSecret)
	endpoint := c.putEndpoint(t, "swapped", nil)
	keys, err := c.NewOnlineEndpointsClient().ListKeys(t.Context(), c.group, c.workspace, "swapped", nil)
	key := *must(t, keys, err).PrimaryKey
	p := server.plane(t)
	s := &slots{plane: p, endpoint: "swapped", code: c.uploadCode(t, incarnate)}
	s.create(t)
	s.swap(t)

	end := s.load(t, *endpoint.Properties.ScoringURI, key)
	began := time.Now()
	for range swaps {
		s.remove(t)
		s.create(t)
		s.swap(t)
	}
	took := time.Since(began)
	answers := end()
	s.shared[swaps].to = time.Now()
	s.judge(t, answers, took)
}

// load puts the endpoint under load until end is called, or the test ends.
func (p *plane) load(t *testing.T, scoringURI, key string) (end func() []scored) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	answers := make([][]scored, swapClients)
	for n := range answers {
		c := p.scorer(t, scoringURI, key)
		running.Go(func() { answers[n] = score(ctx, c, n*1e9) })
	}
	end = func() []scored {
		stop()
		running.Wait()
		return slices.Concat(answers...)
	}
	t.Cleanup(func() { end() })
	return end
}

// slots are the two deployments that take turns. Each creation of one is an incarnation, with
// the number of its creation; it has a share of the traffic once.
type slots struct {
	*plane
	endpoint, code string
	shared         []interval // by incarnation
}

// interval is when an incarnation can have had a share: from the sending of the request that gave
// it one to the reply to the request that took it away.
type interval struct{ from, to time.Time }

func slotOf(incarnation int) string { return []string{"blue", "green"}[incarnation%2] }

func (s *slots) path(deployment string) string {
	return "onlineEndpoints/" + s.endpoint + "/deployments/" + deployment
}

// remove deletes the idle slot, the one that lost its traffic just now.
func (s *slots) remove(t *testing.T) {
	t.Helper()
	s.do(t, http.MethodDelete, s.path(slotOf(len(s.shared))), nil)
}

// create makes the next incarnation, in the idle slot.
func (s *slots) create(t *testing.T) {
	t.Helper()
	next := len(s.shared)
	s.do(t, http.MethodPut, s.path(slotOf(next)), map[string]any{
		"location": "local", "sku": map[string]any{"name": "Default", "capacity": 1},
		"properties": map[string]any{
			"endpointComputeType": "Managed", "instanceType": "Standard_DS3_v2",
			"codeConfiguration":    map[string]any{"codeId": s.code, "scoringScript": "score.py"},
			"environmentVariables": map[string]any{"INCARNATION": strconv.Itoa(next), "WORKER_COUNT": strconv.Itoa(1 + next%2)},
			"requestSettings":      map[string]any{"maxConcurrentRequestsPerInstance": 32, "requestTimeout": "PT20S"},
			"scaleSettings":        map[string]any{"scaleType": "Default"},
		},
	})
}

// swap moves the traffic to the incarnation that was created last. The reply must come after the
// routes are in force.
func (s *slots) swap(t *testing.T) {
	t.Helper()
	next := len(s.shared)
	sent := time.Now()
	polled := s.do(t, http.MethodPut, "onlineEndpoints/"+s.endpoint, map[string]any{
		"location": "local", "identity": map[string]any{"type": "SystemAssigned"},
		"properties": map[string]any{"authMode": "Key", "traffic": map[string]any{slotOf(next): 100}},
	})
	if polled {
		t.Error("a change of the traffic alone was not done with its reply")
	}
	s.shared = append(s.shared, interval{from: sent})
	if next > 0 {
		s.shared[next-1].to = time.Now()
	}
}

// judge checks every answer, and that there were enough.
func (s *slots) judge(t *testing.T, answers []scored, took time.Duration) {
	t.Helper()
	failed, by := 0, make([]int, len(s.shared))
	for _, a := range answers {
		if wrong := s.wrong(&a); wrong != "" {
			if failed++; failed <= 10 {
				t.Errorf("request %d: %s", a.input, wrong)
			}
			continue
		}
		by[a.Incarnation]++
	}
	t.Logf("%d swaps in %v, %d requests, %d failed", len(s.shared)-1, took.Round(time.Millisecond), len(answers), failed)
	if failed > 0 {
		t.Errorf("%d of %d requests failed, want none", failed, len(answers))
	}
	if len(s.shared) != swaps+1 || len(answers) < fewestAnswers {
		t.Errorf("%d swaps with %d requests, want %d with at least %d", len(s.shared)-1, len(answers), swaps, fewestAnswers)
	}
	for n, answers := range by {
		if answers == 0 {
			t.Errorf("incarnation %d of %s never answered", n, slotOf(n))
		}
	}
}

// wrong reads an answer and says what is wrong with it, or "".
func (s *slots) wrong(a *scored) string {
	switch {
	case a.err != nil:
		return a.err.Error()
	case a.status != http.StatusOK:
		return fmt.Sprintf("status %d: %s", a.status, a.body)
	case json.Unmarshal(a.body, a) != nil || a.Result != 3*a.input+1:
		return fmt.Sprintf("answer %s", a.body)
	case a.Incarnation < 0 || a.Incarnation >= len(s.shared) || a.deployment != slotOf(a.Incarnation):
		return fmt.Sprintf("answer %s from %q", a.body, a.deployment)
	}
	if had := s.shared[a.Incarnation]; a.answered.Before(had.from) || a.sent.After(had.to) {
		return fmt.Sprintf("under way from %v to %v after it began to have traffic, answered by incarnation %d of %s, which had it for %v",
			a.sent.Sub(had.from), a.answered.Sub(had.from), a.Incarnation, a.deployment, had.to.Sub(had.from))
	}
	return ""
}

// scored is one request and what became of it.
type scored struct {
	input          int
	sent, answered time.Time
	err            error
	status         int
	deployment     string
	body           []byte

	Result, Incarnation int
}

// scorer is a client on a connection of its own.
func (r *running) scorer(t *testing.T, scoringURI, key string) *load.Client {
	t.Helper()
	conf := r.http.Transport.(*http.Transport).TLSClientConfig.Clone()
	conf.NextProtos = nil // no HTTP/2, which the load does not speak
	c, err := load.NewClient(scoringURI, conf, map[string]string{"Authorization": "Bearer " + key})
	return must(t, c, err)
}

// score sends one request after the other, each with an input of its own, until ctx ends, and then
// one more: so each client asks the last deployment too.
func score(ctx context.Context, c *load.Client, first int) (answers []scored) {
	defer c.Close()
	for input, last := first, false; !last; input++ {
		last = ctx.Err() != nil
		a := scored{input: input, sent: time.Now()}
		answer, err := c.Post(context.WithoutCancel(ctx), fmt.Appendf(nil, `{"n": %d}`, input))
		a.answered, a.err, a.status, a.body = time.Now(), err, answer.Status, answer.Body
		a.deployment = answer.Header.Get("azureml-model-deployment")
		answers = append(answers, a)
	}
	return answers
}

// plane is the management plane by raw calls, for a client that doesn't take its advice to wait.
type plane struct {
	*running
	token, base string
}

func (r *running) plane(t *testing.T) *plane {
	t.Helper()
	login, err := r.http.PostForm(r.URL()+"/"+r.made.TenantID+"/oauth2/v2.0/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {r.made.ClientID}, "client_secret": {r.made.ClientSecret},
		"scope": {r.URL() + "/.default"},
	})
	defer must(t, login, err).Body.Close()
	var granted struct {
		Token string `json:"access_token"`
	}
	must(t, 0, json.NewDecoder(login.Body).Decode(&granted))
	return &plane{r, granted.Token, r.URL() + "/subscriptions/" + r.made.SubscriptionID + "/resourceGroups/" + r.made.ResourceGroup +
		"/providers/Microsoft.MachineLearningServices/workspaces/" + r.made.WorkspaceName + "/"}
}

// do makes a change and sees it through to its success. It reports whether that took more than the reply.
func (p *plane) do(t *testing.T, method, path string, body any) (polled bool) {
	t.Helper()
	var text []byte
	if body != nil {
		var err error
		text, err = json.Marshal(body)
		must(t, text, err)
	}
	said, header := p.call(t, method, p.base+path+"?api-version=2024-04-01", text)
	operation := header.Get("Azure-AsyncOperation")
	if operation == "" || said.Properties.State == "Succeeded" {
		return false // it is so, or there was nothing to delete
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		switch said, _ := p.call(t, http.MethodGet, operation, nil); {
		case said.Status == "Succeeded":
			return true
		case said.Status != "InProgress" || time.Now().After(deadline):
			t.Fatalf("%s %s: %s: %s", method, path, said.Status, said.Error)
		}
	}
}

// reply is a resource or an operation, as far as do looks.
type reply struct {
	Status     string          `json:"status"`
	Error      json.RawMessage `json:"error"`
	Properties struct {
		State string `json:"provisioningState"`
	} `json:"properties"`
}

func (p *plane) call(t *testing.T, method, url string, body []byte) (said reply, header http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	must(t, request, err).Header.Set("Authorization", "Bearer "+p.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := p.http.Do(request)
	defer must(t, response, err).Body.Close()
	text, err := io.ReadAll(response.Body)
	if must(t, text, err); response.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s", method, url, response.Status, text)
	}
	if len(text) > 0 {
		must(t, 0, json.Unmarshal(text, &said))
	}
	return said, response.Header
}
