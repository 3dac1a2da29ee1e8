package webhook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hotswap/internal/online"
	"hotswap/internal/webhook"
)

const secret = "s3cret"

// said collects what people are told.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *said) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

// receiver is the other end: it keeps what came and answers with handle.
type receiver struct {
	mu     sync.Mutex
	got    []*http.Request
	bodies []string
	handle func(n int, w http.ResponseWriter, r *http.Request)
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	r.got, r.bodies = append(r.got, req), append(r.bodies, string(body))
	n := len(r.got)
	r.mu.Unlock()
	r.handle(n, w, req)
}

func (r *receiver) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got)
}

func answer(statuses ...int) func(int, http.ResponseWriter, *http.Request) {
	return func(n int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(statuses[min(n, len(statuses))-1])
	}
}

// hook sends to url, quickly when it tries again.
func hook(t *testing.T, url string, client *http.Client) (*webhook.Hook, *said) {
	t.Helper()
	s := &said{}
	h, err := webhook.New(webhook.Options{URL: url, Secret: []byte(secret), Client: client, Say: s.say})
	if err != nil {
		t.Fatal(err)
	}
	h.SetPauses(time.Millisecond, time.Millisecond, time.Millisecond)
	t.Cleanup(func() { closeWithin(t, h, time.Minute) })
	return h, s
}

func closeWithin(t *testing.T, h *webhook.Hook, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), d)
	defer cancel()
	h.Close(ctx)
}

func event(n int) webhook.Event {
	return webhook.Event{
		ID: fmt.Sprintf("3f1c2a-%d", n), Rollout: "3f1c2a", Endpoint: "taxi-fare", State: fmt.Sprintf("State%d", n),
		Time: time.Date(2026, 11, 22, 3, 0, n, 0, time.UTC), Data: json.RawMessage(`{"traffic": "blue 100"}`),
	}
}

func TestEventsArriveInOrderAndSigned(t *testing.T) {
	r := &receiver{handle: answer(http.StatusNoContent)}
	srv := httptest.NewTLSServer(r)
	defer srv.Close()
	h, s := hook(t, srv.URL+"/hooks?token=abc", srv.Client())
	const events = 20
	for n := range events {
		h.Send(event(n))
	}
	closeWithin(t, h, time.Minute)

	if len(r.got) != events || len(s.all()) > 0 {
		t.Fatalf("%d requests, want %d; said %q", len(r.got), events, s.all())
	}
	connections := map[string]bool{}
	for n, req := range r.got {
		connections[req.RemoteAddr] = true
		checkEvent(t, req, r.bodies[n], event(n))
		checkSignature(t, req.Header, r.bodies[n])
	}
	if len(connections) != events {
		t.Errorf("%d connections for %d events", len(connections), events)
	}
}

// A connection that others have kept alive is not used: net/http would send again on another one
// where that one turns out to be closed.
func TestConnectionsOfOthersAreNotUsed(t *testing.T) {
	r := &receiver{handle: answer(http.StatusOK)}
	srv := httptest.NewServer(r)
	defer srv.Close()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	h, _ := hook(t, srv.URL, nil)
	h.Send(event(1))
	closeWithin(t, h, time.Minute)
	if len(r.got) != 2 || r.got[0].RemoteAddr == r.got[1].RemoteAddr {
		t.Errorf("%d requests, the second on the connection of the first", len(r.got))
	}
}

func checkEvent(t *testing.T, req *http.Request, body string, want webhook.Event) {
	t.Helper()
	var got webhook.Event
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.ID != want.ID || got.State != want.State || !got.Time.Equal(want.Time) || string(got.Data) != `{"traffic":"blue 100"}` {
		t.Errorf("event %+v, want %+v", got, want)
	}
	if req.Header.Get("X-Hotswap-Event") != want.State || req.Header.Get("X-Hotswap-Delivery") != want.ID ||
		req.Header.Get("Content-Type") != "application/json" || req.URL.RawQuery != "token=abc" || req.Method != http.MethodPost {
		t.Errorf("%s %s, %v", req.Method, req.URL, req.Header)
	}
}

// checkSignature does what a receiver does.
func checkSignature(t *testing.T, header http.Header, body string) {
	t.Helper()
	timestamp := header.Get("X-Hotswap-Timestamp")
	mac := hmac.New(sha256.New, []byte(secret))
	io.WriteString(mac, timestamp+"."+body)
	if got, want := header.Get("X-Hotswap-Signature-256"), "sha256="+hex.EncodeToString(mac.Sum(nil)); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
	if at, err := strconv.ParseInt(timestamp, 10, 64); err != nil || time.Since(time.Unix(at, 0)).Abs() > time.Minute {
		t.Errorf("timestamp %s", timestamp)
	}
}

func TestAnswers(t *testing.T) {
	const tries = 4 // the first, and one after each pause
	tests := map[string]struct {
		statuses []int
		requests int
		said     string // "" where it was delivered
	}{
		"taken":                      {[]int{200}, 1, ""},
		"accepted":                   {[]int{202}, 1, ""},
		"too busy, then taken":       {[]int{503, 200}, 2, ""},
		"throttled, then taken":      {[]int{429, 429, 200}, 3, ""},
		"too slow, then taken":       {[]int{408, 200}, 2, ""},
		"too early, then taken":      {[]int{425, 200}, 2, ""},
		"broken, then taken":         {[]int{500, 200}, 2, ""},
		"broken":                     {[]int{500}, tries, "tried 4 times: it answered 500 Internal Server Error"},
		"a gateway lost the answer":  {[]int{502, 200}, 1, "502 Bad Gateway, so it may have taken the event"},
		"a gateway waited in vain":   {[]int{504, 200}, 1, "504 Gateway Timeout, so it may have taken the event"},
		"refused":                    {[]int{400, 200}, 1, "it answered 400 Bad Request"},
		"gone":                       {[]int{410, 200}, 1, "it answered 410 Gone"},
		"redirected":                 {[]int{302, 200}, 1, "redirects are not followed"},
		"redirected with the body":   {[]int{307, 200}, 1, "redirects are not followed"},
		"throttled, then not wanted": {[]int{429, 403}, 2, "it answered 403 Forbidden"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := &receiver{handle: answer(tt.statuses...)}
			srv := httptest.NewServer(r)
			defer srv.Close()
			h, s := hook(t, srv.URL+"/hooks/t0ken", nil)
			h.Send(event(1))
			closeWithin(t, h, time.Minute)
			if got := r.requests(); got != tt.requests {
				t.Errorf("%d requests, want %d", got, tt.requests)
			}
			for _, body := range r.bodies {
				if body != r.bodies[0] {
					t.Errorf("a further try sent %s, the first %s", body, r.bodies[0])
				}
			}
			checkSaid(t, s, tt.said)
		})
	}
}

// checkSaid wants exactly one line with that text, or none; and the URL's token in none of them.
func checkSaid(t *testing.T, s *said, want string) {
	t.Helper()
	lines := s.all()
	switch {
	case want == "" && len(lines) > 0:
		t.Errorf("said %q", lines)
	case want != "" && (len(lines) != 1 || !strings.Contains(lines[0], want)):
		t.Errorf("said %q, want %q", lines, want)
	}
	for _, line := range lines {
		if strings.Contains(line, "t0ken") || strings.Contains(line, secret) {
			t.Errorf("said a secret: %s", line)
		}
	}
}

func TestRetryAfterIsWaitedFor(t *testing.T) {
	var again time.Duration
	first := time.Now()
	r := &receiver{handle: func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			first = time.Now()
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		again = time.Since(first)
	}}
	srv := httptest.NewServer(r)
	defer srv.Close()
	h, _ := hook(t, srv.URL, nil)
	h.Send(event(1))
	closeWithin(t, h, time.Minute)
	if r.requests() != 2 || again < 900*time.Millisecond {
		t.Errorf("%d requests, the second after %v, want it after a second", r.requests(), again)
	}
}

// A reply that is lost after the receiver has read the event: it may have taken it.
func TestLostReplyIsNotSentAgain(t *testing.T) {
	r := &receiver{handle: func(n int, w http.ResponseWriter, _ *http.Request) {
		if n > 1 {
			return
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.Close()
		}
	}}
	srv := httptest.NewServer(r)
	defer srv.Close()
	h, s := hook(t, srv.URL+"/t0ken", nil)
	h.Send(event(1))
	h.Send(event(2))
	closeWithin(t, h, time.Minute)
	if len(r.bodies) != 2 || !strings.Contains(r.bodies[0], `"3f1c2a-1"`) || !strings.Contains(r.bodies[1], `"3f1c2a-2"`) {
		t.Errorf("received %q, want each event once", r.bodies)
	}
	checkSaid(t, s, "was not told that the rollout is State1: the answer was lost, so it was not sent again")
}

// Nobody listens at first: nothing was sent, so it is sent again until somebody does.
func TestConnectIsTriedAgain(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	h, s := hook(t, "http://"+address, nil)
	h.SetPauses(slices.Repeat([]time.Duration{20 * time.Millisecond}, 500)...)
	h.Send(event(1))

	if listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	r := &receiver{handle: answer(http.StatusOK)}
	srv := httptest.NewUnstartedServer(r)
	srv.Listener.Close()
	srv.Listener = listener
	srv.Start()
	defer srv.Close()
	closeWithin(t, h, time.Minute)
	if r.requests() != 1 {
		t.Errorf("%d requests, want 1", r.requests())
	}
	checkSaid(t, s, "")
}

func TestUntrustedReceiverGetsNothing(t *testing.T) {
	r := &receiver{handle: answer(http.StatusOK)}
	srv := httptest.NewUnstartedServer(r)
	srv.Config.ErrorLog = discard()
	srv.StartTLS()
	defer srv.Close()
	h, s := hook(t, srv.URL+"/t0ken", nil)
	h.Send(event(1))
	closeWithin(t, h, time.Minute)
	if r.requests() != 0 {
		t.Errorf("%d requests", r.requests())
	}
	checkSaid(t, s, "certificate")
}

// A receiver that hangs holds up neither Send nor, for longer than it is given, Close.
func TestHungReceiver(t *testing.T) {
	release := make(chan struct{})
	r := &receiver{handle: func(int, http.ResponseWriter, *http.Request) { <-release }}
	srv := httptest.NewServer(r)
	defer srv.Close()
	defer close(release)
	h, s := hook(t, srv.URL+"/t0ken", nil)
	for n := range 1000 {
		h.Send(event(n))
	}
	for r.requests() == 0 {
		time.Sleep(time.Millisecond)
	}
	closeWithin(t, h, 10*time.Millisecond)
	h.Send(event(1000))
	if r.requests() != 1 {
		t.Errorf("%d requests, want the first alone", r.requests())
	}
	checkSaid(t, s, "was not told that the rollout is State0: the answer was lost")
}

// A receiver that is away is told of once, and again when it has been back.
func TestFailuresAreToldOnce(t *testing.T) {
	r := &receiver{handle: answer(400, 400, 400, 200, 400, 400)}
	srv := httptest.NewServer(r)
	defer srv.Close()
	h, s := hook(t, srv.URL, nil)
	for n := range 6 {
		h.Send(event(n))
	}
	closeWithin(t, h, time.Minute)
	lines := s.all()
	if len(lines) != 2 || !strings.Contains(lines[0], "State0") || !strings.Contains(lines[1], "State4") {
		t.Errorf("said %q", lines)
	}
}

func TestDataThatIsNotJSON(t *testing.T) {
	r := &receiver{handle: answer(http.StatusOK)}
	srv := httptest.NewServer(r)
	defer srv.Close()
	h, s := hook(t, srv.URL, nil)
	e := event(1)
	e.Data = json.RawMessage("{")
	h.Send(e)
	h.Send(event(2))
	closeWithin(t, h, time.Minute)
	if r.requests() != 1 || !strings.Contains(r.bodies[0], "3f1c2a-2") {
		t.Errorf("received %q", r.bodies)
	}
	checkSaid(t, s, "event 3f1c2a-1 cannot be written as JSON")
}

func TestNew(t *testing.T) {
	tests := map[string]struct {
		url, secret string
		want        string // "" where it is fine
	}{
		"https":                   {"https://example.com/hook", secret, ""},
		"http on this machine":    {"http://127.0.0.1:8080/hook", secret, ""},
		"http by name":            {"http://localhost:8080", secret, ""},
		"http over IPv6":          {"http://[::1]:8080", secret, ""},
		"http elsewhere":          {"http://example.com/t0ken", secret, "begins with http://: want https"},
		"http on a name like it":  {"http://localhost.example.com", secret, "want https"},
		"another scheme":          {"ftp://example.com", secret, "begins with ftp://"},
		"no host":                 {"https:///hook", secret, "cannot be read"},
		"no URL":                  {"example.com/t0ken", secret, "cannot be read"},
		"not one":                 {"https://exa mple.com/t0ken", secret, "cannot be read"},
		"nothing to sign it with": {"https://example.com", "", "no secret"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h, err := webhook.New(webhook.Options{URL: tt.url, Secret: []byte(tt.secret), Say: t.Logf})
			switch {
			case err == nil:
				closeWithin(t, h, time.Minute)
				if tt.want != "" {
					t.Errorf("taken, want %q", tt.want)
				}
			case tt.want == "" || online.CodeOf(err) != online.Invalid || !strings.Contains(err.Error(), tt.want):
				t.Errorf("error %v, want %q", err, tt.want)
			case strings.Contains(err.Error(), "t0ken"):
				t.Errorf("the error holds the token: %v", err)
			}
		})
	}
}

// discard is for a server that would log what a test provokes.
func discard() *log.Logger { return log.New(io.Discard, "", 0) }
