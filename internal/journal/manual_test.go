package journal_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"hotswap/internal/journal"
	"hotswap/internal/online"
)

// hold locks by hand and fails the test if that is refused.
func hold(t *testing.T, j *journal.Journal, reason string) journal.Lock {
	t.Helper()
	l, err := j.Hold(t.Context(), alice, reason, 0)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestHold(t *testing.T) {
	every(t, func(t *testing.T, c *container.Client) {
		ctx, j := t.Context(), journal.New(c, "taxi")
		held, err := j.Hold(ctx, alice, "audit", 6)
		if err != nil || held.Fence != 7 || !held.Manual || !held.Held || !held.Expires.IsZero() || held.Holder.PID != 0 {
			t.Fatalf("Hold = %+v, %v; want a manual lock with fence 7, no expiry and no process", held, err)
		}
		if l, err := j.Lock(ctx); err != nil || l != held {
			t.Errorf("Lock = %+v, %v; want %+v", l, err, held)
		}
		_, err = j.Hold(ctx, alice, "again", 0)
		wantCode(t, "hold a held lock", err, online.Locked)
		_, err = j.Acquire(ctx, claim("r1"))
		wantCode(t, "acquire a lock held by hand", err, online.Locked)
		for _, word := range []string{"by hand", "alice@ci", "audit", "hotswap unlock"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("the error %q does not name %q", err, word)
			}
		}
	})
}

func TestFree(t *testing.T) {
	every(t, func(t *testing.T, c *container.Client) {
		ctx, j := t.Context(), journal.New(c, "taxi")
		held := hold(t, j, "audit")
		if was, err := j.Free(ctx, 0); err != nil || was != held {
			t.Errorf("Free = %+v, %v; want %+v", was, err, held)
		}
		if was, err := j.Free(ctx, 0); err != nil || was.Held {
			t.Errorf("Free of a free lock = %+v, %v; want none", was, err)
		}
		if lease := acquire(t, j, claim("r1")); lease.Fence() != 2 {
			t.Errorf("fence %d after a lock by hand with 1, want 2", lease.Fence())
		}
	})
}

// A manual lock has no process and no expiry, by which a rollout's lock is taken over.
func TestManualLockIsNotTakenOver(t *testing.T) {
	s, c := newFake(t)
	j := journal.New(c, "taxi")
	hold(t, j, "audit")
	s.mu.Lock()
	s.clock = 1000 * journal.TTL
	s.mu.Unlock()
	for name, rollout := range map[string]string{"a rollout": "r1", "one without an id": ""} {
		greedy := claim(rollout)
		greedy.Take = func(journal.Lock) bool { return true }
		_, err := j.Acquire(t.Context(), greedy)
		wantCode(t, name+" that takes every lock over", err, online.Locked)
	}
	if l, err := j.Lock(t.Context()); err != nil || !l.Held {
		t.Errorf("Lock = %+v, %v; want it held", l, err)
	}
}

func TestHoldWaitsForNoRollout(t *testing.T) {
	s, c := newFake(t)
	j := journal.New(c, "taxi")
	lease := acquire(t, j, claim("r1"))
	_, err := j.Hold(t.Context(), alice, "audit", 0)
	wantCode(t, "hold what a rollout holds", err, online.Locked)
	s.mu.Lock()
	s.clock = journal.TTL + time.Second
	s.mu.Unlock()
	if l := hold(t, j, "audit"); l.Fence != 2 {
		t.Errorf("fence %d of a lock by hand after one that expired, want 2", l.Fence)
	}
	err = lease.Renew(t.Context())
	wantCode(t, "renew a lease that a person has", err, online.Stale)
	if !strings.Contains(err.Error(), "by hand (audit)") {
		t.Errorf("the error %q does not tell of the lock by hand", err)
	}
}

func TestFreeARolloutsLock(t *testing.T) {
	every(t, func(t *testing.T, c *container.Client) {
		ctx, j := t.Context(), journal.New(c, "taxi")
		lease := acquire(t, j, claim("r1"))
		for name, forced := range map[string]int64{"unforced": 0, "forced for another rollout": 2} {
			_, err := j.Free(ctx, forced)
			wantCode(t, name, err, online.Locked)
			for _, word := range []string{"r1", "--force", "a write that is under way"} {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%s: the error %q does not name %q", name, err, word)
				}
			}
		}
		was, err := j.Free(ctx, lease.Fence())
		if err != nil || was.Rollout != "r1" || !was.Held {
			t.Fatalf("Free = %+v, %v; want the lock of r1", was, err)
		}
		err = lease.Renew(ctx)
		wantCode(t, "renew a lease that was freed", err, online.Stale)
		if !strings.Contains(err.Error(), "freed by hand") {
			t.Errorf("the error %q does not tell that the lock was freed", err)
		}
		wantCode(t, "rest", lease.Rest(ctx), online.Stale)
		again := acquire(t, j, claim("r1"))
		if again.Fence() != lease.Fence()+1 {
			t.Errorf("the rollout whose lock was freed has fence %d again, want %d", again.Fence(), lease.Fence()+1)
		}
		wantCode(t, "renew after that", lease.Renew(ctx), online.Stale)
	})
}

func TestLostRepliesByHand(t *testing.T) {
	s, c := newFake(t)
	s.fault = lossy(1)
	j := journal.New(c, "taxi")
	held := hold(t, j, "audit")
	if was, err := j.Free(t.Context(), 0); err != nil || was != held {
		t.Errorf("Free = %+v, %v; want %+v", was, err, held)
	}
	d := journal.Decision{Rollout: "r1", Kind: journal.Abort, By: "alice", Time: time.Unix(1, 0).UTC()}
	if stands, err := j.Decide(t.Context(), d); err != nil || stands != d {
		t.Errorf("Decide = %+v, %v; want %+v", stands, err, d)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		wait time.Duration
		free bool // the holder gives the lock back once it is waited for
		want online.Code
	}{
		"the lock comes free":    {wait: time.Minute, free: true},
		"the time is over":       {wait: 1300 * time.Millisecond, want: online.Locked},
		"no wait":                {want: online.Locked},
		"the holder is the same": {wait: 2500 * time.Millisecond, want: online.Locked},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, c := newFake(t)
			j := journal.New(c, "taxi")
			first := acquire(t, j, claim("r1"))
			told := 0
			second := claim("r2")
			second.Wait = tt.wait
			second.Waiting = func(l journal.Lock) {
				told++
				if l.Rollout != "r1" || l.Holder != alice {
					t.Errorf("told to wait for %+v", l)
				}
				if !tt.free {
					return
				}
				if err := first.Release(t.Context()); err != nil {
					t.Error(err)
				}
			}
			lease, err := j.Acquire(t.Context(), second)
			if want := min(int(tt.wait), 1); told != want {
				t.Errorf("told %d times whom it waits for, want %d", told, want)
			}
			if tt.want != "" {
				wantCode(t, "acquire", err, tt.want)
				return
			}
			if err != nil || lease.Fence() != 2 {
				t.Errorf("Acquire = %+v, %v; want fence 2", lease, err)
			}
		})
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	_, c := newFake(t)
	j := journal.New(c, "taxi")
	hold(t, j, "audit")
	ctx, cancel := context.WithCancel(t.Context())
	waiter := claim("r1")
	waiter.Wait, waiter.Waiting = time.Hour, func(journal.Lock) { cancel() }
	_, err := j.Acquire(ctx, waiter)
	wantCode(t, "acquire", err, online.Locked)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error %q does not tell that it was stopped", err)
	}
}

func TestDecisions(t *testing.T) {
	every(t, func(t *testing.T, c *container.Client) {
		ctx, j := t.Context(), journal.New(c, "taxi")
		at := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
		first := journal.Decision{Rollout: "a-b", Kind: journal.Promote, Step: 1, By: "alice", Reason: "looks fine", Time: at(2)}
		other := journal.Decision{Rollout: "a", Kind: journal.Abort, By: "carol", Time: at(1)}
		later := journal.Decision{Rollout: "a-b", Kind: journal.Promote, Step: 2, By: "alice", Time: at(4)}
		abort := journal.Decision{Rollout: "a-b", Kind: journal.Abort, By: "bob", Time: at(3)}
		second := journal.Decision{Rollout: "a-b", Kind: journal.Promote, Step: 1, By: "bob", Time: at(3)}
		for _, tt := range []struct{ decide, stands journal.Decision }{
			{first, first}, {other, other}, {later, later}, {abort, abort}, {second, first},
		} {
			if stands, err := j.Decide(ctx, tt.decide); err != nil || stands != tt.stands {
				t.Errorf("Decide(%+v) = %+v, %v; want %+v", tt.decide, stands, err, tt.stands)
			}
		}
		for rollout, want := range map[string][]journal.Decision{"a-b": {first, abort, later}, "a": {other}, "c": nil} {
			got, err := j.Decisions(ctx, rollout)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("Decisions of %s = %+v, %v; want %+v", rollout, got, err, want)
			}
		}
		for name, d := range map[string]journal.Decision{
			"no such kind":   {Rollout: "a", Kind: "wait"},
			"below a folder": {Rollout: "../a", Kind: journal.Abort},
			"abort a step":   {Rollout: "a", Kind: journal.Abort, Step: 1},
		} {
			_, err := j.Decide(ctx, d)
			wantCode(t, name, err, online.Internal)
		}
		if ids, err := j.Rollouts(ctx); err != nil || len(ids) != 0 {
			t.Errorf("Rollouts = %v, %v; want none: decisions are beside them", ids, err)
		}
	})
}

// Last reads one entry, however many there are.
func TestLast(t *testing.T) {
	s, c := newFake(t)
	ctx, j := t.Context(), journal.New(c, "taxi")
	id := journal.RolloutID{Fence: 3, Rollout: "r"}
	if _, found, err := j.Last(ctx, id); err != nil || found {
		t.Errorf("Last of an empty rollout: %v, %v", found, err)
	}
	for _, seq := range []int{0, 1, 9999, 10000} {
		if err := j.Append(ctx, journal.Entry{Fence: 3, Rollout: "r", Seq: seq, Kind: "swap"}); err != nil {
			t.Fatal(err)
		}
	}
	reads := 0
	s.mu.Lock()
	s.fault = func(r *http.Request) string {
		if r.URL.Query().Get("comp") != "list" {
			reads++
		}
		return ""
	}
	s.mu.Unlock()
	e, found, err := j.Last(ctx, id)
	if err != nil || !found || e.Seq != 10000 || reads != 1 {
		t.Errorf("Last = %+v, %v, %v after %d reads; want entry 10000 after 1", e, found, err, reads)
	}
}
