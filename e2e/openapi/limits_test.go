package openapi

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hotswap/internal/forge"
	"hotswap/internal/online"
)

// first is a fault of the first calls of each operation.
func first(n int, a func() *answer) func(string, int) *answer {
	return func(_ string, call int) *answer {
		if call > n {
			return nil
		}
		return a()
	}
}

// The time in these tests is the bubble's own.
func TestRateLimits(t *testing.T) {
	reset := func(after time.Duration) string { return strconv.FormatInt(time.Now().Add(after).Unix(), 10) }
	for name, tt := range map[string]struct {
		times    int
		limit    func() *answer
		min, max time.Duration
	}{
		"it says for how long": {1, func() *answer { return refusal(http.StatusTooManyRequests, "slow down", "Retry-After", "17") }, 17 * time.Second, 17 * time.Second},
		"it says until when, by its own clock": {1, func() *answer {
			return refusal(http.StatusForbidden, "API rate limit exceeded", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", reset(3*time.Hour),
				"Date", time.Now().Add(2*time.Hour).UTC().Format(http.TimeFormat))
		}, time.Hour, time.Hour + 2*time.Second},
		"it says until when": {1, func() *answer {
			return refusal(http.StatusTooManyRequests, "no", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", reset(90*time.Second))
		}, 90 * time.Second, 92 * time.Second},
		"that was over long ago": {1, func() *answer {
			return refusal(http.StatusForbidden, "no", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1")
		}, time.Second, time.Second},
		"a secondary one, in words": {2, func() *answer { return refusal(http.StatusForbidden, "You have exceeded a secondary rate limit.") }, 3 * time.Minute, 3 * time.Minute},
		"with what is left of the primary": {1, func() *answer {
			return refusal(http.StatusForbidden, "You have exceeded a secondary rate limit.", "X-RateLimit-Remaining", "4000", "X-RateLimit-Reset", reset(time.Hour))
		}, time.Minute, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			newStub(t) // the description is read outside of the bubble
			synctest.Test(t, func(t *testing.T) {
				s := newStub(t)
				s.fault = first(tt.times, tt.limit)
				began := time.Now()
				// A POST too: what a limit refused was not done.
				err := s.dial().Comment(t.Context(), 1, marker, "live")
				took := time.Since(began)
				if err != nil || took < 2*tt.min || took > 2*tt.max || len(s.state.comments) != 1 { // the list of comments met it as well
					t.Errorf("%v after %s, want %s to %s; %d comments", err, took, 2*tt.min, 2*tt.max, len(s.state.comments))
				}
			})
		})
	}
}

func TestRateLimitIsTold(t *testing.T) {
	newStub(t)
	synctest.Test(t, func(t *testing.T) {
		s := newStub(t)
		s.fault = first(1, func() *answer { return refusal(http.StatusTooManyRequests, "no", "Retry-After", "60") })
		var said []string
		r := s.dial(func(o *forge.Options) {
			o.Say = func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
		})
		s.addPull("integration", "main")
		until := time.Now().Add(time.Minute).Format(time.TimeOnly)
		if _, err := r.PullRequest(t.Context(), 1); err != nil || len(said) != 1 || !strings.Contains(said[0], "rate limit") || !strings.Contains(said[0], until) {
			t.Errorf("%v, said %q, want until %s", err, said, until)
		}
	})
}

func TestRateLimitBeyondTheContext(t *testing.T) {
	newStub(t)
	synctest.Test(t, func(t *testing.T) {
		s := newStub(t)
		s.fault = first(99, func() *answer { return refusal(http.StatusTooManyRequests, "no", "Retry-After", "60") })
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		began := time.Now()
		_, err := s.dial().PullRequest(ctx, 1)
		code(t, err, online.Unavailable, "rate limit", began.Add(time.Minute).Format(time.TimeOnly))
		if took := time.Since(began); took > 0 || len(s.calls) != 1 {
			t.Errorf("it took %s and %d calls to say so", took, len(s.calls))
		}
	})
}

func TestRateLimitWithoutEnd(t *testing.T) {
	newStub(t)
	synctest.Test(t, func(t *testing.T) {
		s := newStub(t)
		s.fault = first(99, func() *answer { return refusal(http.StatusTooManyRequests, "no", "Retry-After", "1") })
		_, err := s.dial().PullRequest(t.Context(), 1)
		code(t, err, online.Unavailable, "answered 429", "try again later")
		if len(s.calls) != 5 {
			t.Errorf("%d calls", len(s.calls))
		}
	})
}

func TestRateLimitIsInterrupted(t *testing.T) {
	newStub(t)
	synctest.Test(t, func(t *testing.T) {
		s := newStub(t)
		s.fault = first(99, func() *answer { return refusal(http.StatusTooManyRequests, "no", "Retry-After", "60") })
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		_, err := s.dial().PullRequest(ctx, 1)
		code(t, err, online.Unavailable, "context canceled")
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// A 403 that is none stays what it is, at once.
func TestForbiddenIsNoRateLimit(t *testing.T) {
	newStub(t)
	synctest.Test(t, func(t *testing.T) {
		s := newStub(t)
		s.fault = first(99, func() *answer {
			return refusal(http.StatusForbidden, "Resource not accessible by integration", "X-RateLimit-Remaining", "4999", "X-RateLimit-Reset", "4102444800")
		})
		_, err := s.dial().PullRequest(t.Context(), 1)
		code(t, err, online.Forbidden, `"pull-requests: read"`)
		if len(s.calls) != 1 {
			t.Errorf("%d calls", len(s.calls))
		}
	})
}

func TestRetries(t *testing.T) {
	broken := func() *answer { return refusal(http.StatusBadGateway, "Server Error") }
	do := map[string]struct {
		call  func(r *forge.Repository, ctx context.Context) error
		tries int // 1: it is not repeated
	}{
		"a read": {func(r *forge.Repository, ctx context.Context) error { _, err := r.PullRequest(ctx, 1); return err }, 4},
		"a status": {func(r *forge.Repository, ctx context.Context) error {
			return r.SetStatus(ctx, strings.Repeat("a", 40), forge.Status{Context: "x", State: forge.Success})
		}, 4},
		"a new comment": {func(r *forge.Repository, ctx context.Context) error { return r.Comment(ctx, 1, marker, "live") }, 1},
	}
	for name, tt := range do {
		t.Run(name, func(t *testing.T) {
			newStub(t)
			synctest.Test(t, func(t *testing.T) {
				s := newStub(t)
				s.addPull("integration", "main")
				s.fault = func(op string, n int) *answer {
					if name == "a new comment" && !strings.HasPrefix(op, "POST") || n > 3 {
						return nil
					}
					return broken()
				}
				err := tt.call(s.dial(), t.Context())
				if tt.tries == 1 {
					code(t, err, online.Unavailable, "answered 502: Server Error", "try again later")
					if got := s.writes(); len(got) != 1 {
						t.Errorf("wrote %q", got)
					}
					return
				}
				if err != nil || len(s.calls) != tt.tries {
					t.Errorf("%v after %q", err, s.calls)
				}
			})
		})
	}
}

func TestRetriesEnd(t *testing.T) {
	newStub(t)
	synctest.Test(t, func(t *testing.T) {
		s := newStub(t)
		s.fault = first(99, func() *answer { return refusal(http.StatusServiceUnavailable, "Service unavailable") })
		began := time.Now()
		_, err := s.dial().PullRequest(t.Context(), 1)
		code(t, err, online.Unavailable, "answered 503")
		if took := time.Since(began); len(s.calls) != 4 || took < 7*time.Second || took > 9*time.Second {
			t.Errorf("%d calls in %s", len(s.calls), took)
		}
	})
}

func TestLostConnections(t *testing.T) {
	newStub(t)
	synctest.Test(t, func(t *testing.T) {
		s := newStub(t)
		s.addPull("integration", "main")
		s.lost = func(_ string, n int) bool { return n < 3 }
		if _, err := s.dial().PullRequest(t.Context(), 1); err != nil || len(s.calls) != 3 {
			t.Errorf("%v after %d calls", err, len(s.calls))
		}
		s.lost = func(string, int) bool { return true }
		_, err := s.dial().PullRequest(t.Context(), 1)
		code(t, err, online.Unavailable, "api.github.com could not be reached", "unexpected EOF")
	})
}

// A repository that was renamed is read under its new name, and not written to.
func TestRenamed(t *testing.T) {
	s := newStub(t)
	s.state.repository["full_name"] = "monalisa/fares"
	s.addPull("integration", "main")
	s.moved = "/repos/monalisa/taxi-fare"
	r := s.dial()
	if f, err := r.Facts(t.Context()); err != nil || f.Name != "monalisa/fares" {
		t.Errorf("%+v, %v", f, err)
	}
	if p, err := r.PullRequest(t.Context(), 1); err != nil || p.Number != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	err := r.SetStatus(t.Context(), strings.Repeat("a", 40), forge.Status{Context: "x", State: forge.Success})
	code(t, err, online.NotFound, "the repository is monalisa/fares now")
	if len(s.state.statuses) > 0 {
		t.Error("the status was set all the same")
	}
}
