package rollout

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hotswap/internal/azure"
	"hotswap/internal/checks"
	"hotswap/internal/online"
)

// scorer answers each request by how many there were before it.
type scorer struct {
	answer func(n int) (status int, err error)
	takes  time.Duration

	mu       sync.Mutex
	requests []azure.Request
	keys     int
}

func (s *scorer) ScoringKey(context.Context, online.Endpoint) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys++
	return "key " + string(rune('0'+s.keys)), nil
}

func (s *scorer) Score(ctx context.Context, r azure.Request) (azure.Answer, error) {
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return azure.Answer{}, online.Errorf(online.Unavailable, "score: %w", ctx.Err())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status, err := s.answer(len(s.requests))
	s.requests = append(s.requests, r)
	return azure.Answer{Status: status, Deployment: r.Deployment, Duration: s.takes}, err
}

func (s *scorer) target() checks.Target {
	return &target{cloud: s, endpoint: online.Endpoint{Name: "e"}, deployment: "green"}
}

// Until the routes are in force others answer; after that every answer counts.
func TestTargetWaitsForRoutes(t *testing.T) {
	late := []int{404, 503, 429, 200, 503}
	tests := map[string]struct {
		answer func(int) (int, error)
		want   []int // statuses of two requests; 0 for an error
		sent   int
	}{
		"at once": {func(int) (int, error) { return 200, nil }, []int{200, 200}, 2},
		"late":    {func(n int) (int, error) { return late[n], nil }, []int{200, 503}, 5},
		"late, and nobody": {func(n int) (int, error) {
			return 200, map[bool]error{true: online.Errorf(online.Unavailable, "refused")}[n < 3]
		}, []int{200, 200}, 5},
		"a model's refusal": {func(int) (int, error) { return 424, nil }, []int{424, 424}, 2},
		"never, asked once": {func(int) (int, error) { return 503, nil }, []int{503, 503}, 1 + int(staleTime/staleEvery)},
		"no permission":     {func(int) (int, error) { return 0, online.Errorf(online.Forbidden, "no role") }, []int{0, 0}, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &scorer{answer: tt.answer}
				to := s.target()
				for i, want := range tt.want {
					a, err := to.Score(t.Context(), checks.Request{})
					if a.Status != want || (err != nil) != (want == 0) {
						t.Errorf("request %d: status %d, %v; want %d", i, a.Status, err, want)
					}
				}
				if n := len(s.requests); n < tt.sent || n > tt.sent+1 {
					t.Errorf("%d requests were sent, want %d", n, tt.sent)
				}
			})
		})
	}
}

func TestTargetSendsWhatItWasGiven(t *testing.T) {
	s := &scorer{answer: func(int) (int, error) { return 200, nil }}
	to := s.target()
	for range 3 {
		if _, err := to.Score(t.Context(), checks.Request{Header: http.Header{"X-A": {"b"}}, Body: []byte("[1]")}); err != nil {
			t.Fatal(err)
		}
	}
	if r := s.requests[2]; r.Endpoint.Name != "e" || r.Deployment != "green" || r.Header.Get("X-A") != "b" || string(r.Body) != "[1]" || r.Key != "key 1" {
		t.Errorf("request %+v", r)
	}
	if s.keys != 1 {
		t.Errorf("the key was fetched %d times for 3 requests", s.keys)
	}
}

// A key that was made anew, or a token that ran out, is fetched again, once a request.
func TestTargetFetchesARefusedKeyAgain(t *testing.T) {
	s := &scorer{}
	s.answer = func(n int) (int, error) {
		return map[bool]int{true: http.StatusUnauthorized, false: http.StatusOK}[n == 1 || n > 3], nil
	}
	to := s.target()
	for i, want := range []int{200, 200, 200, 401} {
		if a, err := to.Score(t.Context(), checks.Request{}); err != nil || a.Status != want {
			t.Errorf("request %d: status %d, %v; want %d", i, a.Status, err, want)
		}
	}
	if s.keys != 3 || len(s.requests) != 6 || s.requests[2].Key != "key 2" {
		t.Errorf("%d keys for %d requests", s.keys, len(s.requests))
	}
}

func TestTargetKeepsToTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scorer{answer: func(int) (int, error) { return 200, nil }, takes: 5 * time.Second}
		to := s.target()
		start := time.Now()
		if _, err := to.Score(t.Context(), checks.Request{Timeout: 3 * time.Second}); err == nil || err.Error() != "none within 3s" || time.Since(start) != 3*time.Second {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
		if a, err := to.Score(t.Context(), checks.Request{Timeout: 6 * time.Second}); err != nil || a.Took != 5*time.Second {
			t.Errorf("%+v, %v", a, err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(online.Errorf(online.Conflict, "stop"))
		if _, err := to.Score(ctx, checks.Request{}); err == nil || !strings.Contains(err.Error(), "stop") {
			t.Errorf("error %v", err)
		}
	})
}
