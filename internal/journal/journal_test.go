package journal_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/google/go-cmp/cmp"

	"hotswap/internal/journal"
	"hotswap/internal/online"
)

var alice = journal.Holder{Name: "alice@ci", Host: "ci", PID: 42, Start: 7, Boot: "b"}

func claim(rollout string) journal.Claim {
	return journal.Claim{Rollout: rollout, Reason: "deploy 3f2a", Holder: alice}
}

func acquire(t *testing.T, j *journal.Journal, c journal.Claim) *journal.Lease {
	t.Helper()
	lease, err := j.Acquire(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

func wantCode(t *testing.T, doing string, err error, want online.Code) {
	t.Helper()
	if err == nil || online.CodeOf(err) != want {
		t.Errorf("%s: error %v, want code %s", doing, err, want)
	}
}

// every runs a test over each store.
func every(t *testing.T, test func(t *testing.T, c *container.Client)) {
	t.Run("fake", func(t *testing.T) {
		_, c := newFake(t)
		test(t, c)
	})
	t.Run("azurite", func(t *testing.T) { test(t, newAzurite(t)) })
}

func TestLock(t *testing.T) {
	every(t, func(t *testing.T, c *container.Client) {
		ctx, j := t.Context(), journal.New(c, "Taxi-Fare")
		if l, err := j.Lock(ctx); err != nil || l != (journal.Lock{}) {
			t.Fatalf("Lock of a new endpoint = %+v, %v; want none", l, err)
		}
		first := acquire(t, j, claim("r1"))
		if first.Fence() != 1 {
			t.Errorf("the first lease has fence %d, want 1", first.Fence())
		}
		if d := first.Remaining(); d > journal.TTL || d < journal.TTL-5*time.Second {
			t.Errorf("Remaining = %v, want a little under %v", d, journal.TTL)
		}
		l, err := journal.New(c, "taxi-fare").Lock(ctx)
		if err != nil || !l.Held || l.Holder != alice || l.Reason != "deploy 3f2a" || time.Until(l.Expires) < 29*time.Minute {
			t.Errorf("Lock = %+v, %v", l, err)
		}
		_, err = j.Acquire(ctx, claim("r2"))
		wantCode(t, "acquire a held lock", err, online.Locked)
		for _, word := range []string{"alice@ci", "r1", "deploy 3f2a", l.Expires.UTC().Format(time.RFC3339)} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("the error %q does not name %q", err, word)
			}
		}
	})
}

func TestFenceGrows(t *testing.T) {
	every(t, func(t *testing.T, c *container.Client) {
		ctx, j := t.Context(), journal.New(c, "taxi")
		first := acquire(t, j, claim("r1"))
		if err := first.Renew(ctx); err != nil {
			t.Error(err)
		}
		if err := first.Release(ctx); err != nil {
			t.Error(err)
		}
		second := acquire(t, j, journal.Claim{Rollout: "r2", SeenFence: 6, Holder: alice})
		if second.Fence() != 7 {
			t.Errorf("fence %d after 6 was seen, want 7", second.Fence())
		}
		wantCode(t, "renew a lost lease", first.Renew(ctx), online.Stale)
		wantCode(t, "release a lost lease", first.Release(ctx), online.Stale)
		if err := second.Renew(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestStepsOfOneRolloutShareTheLock(t *testing.T) {
	_, c := newFake(t)
	j := journal.New(c, "taxi")
	deploy := acquire(t, j, claim("r1"))
	if err := deploy.Rest(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l, _ := j.Lock(t.Context()); l.Holder.PID != 0 || l.Holder.Name != "alice@ci" || !l.Held {
		t.Errorf("at rest the lock is %+v", l)
	}
	_, err := j.Acquire(t.Context(), claim("r2"))
	wantCode(t, "acquire a lock at rest", err, online.Locked)

	bob := journal.Claim{Rollout: "r1", Holder: journal.Holder{Name: "bob@ci", PID: 43}, SeenFence: 1}
	test := acquire(t, j, bob)
	if l, _ := j.Lock(t.Context()); test.Fence() != 1 || l.Holder != bob.Holder {
		t.Errorf("the next step has fence %d and holder %+v, want 1 and %+v", test.Fence(), l.Holder, bob.Holder)
	}
	wantCode(t, "renew the lease of the step before", deploy.Renew(t.Context()), online.Stale)

	if err := test.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := acquire(t, j, bob); again.Fence() != 1 {
		t.Errorf("after it gave the lock back the rollout has fence %d, want 1: nobody else had it", again.Fence())
	}

	bob.SeenFence = 2
	_, err = j.Acquire(t.Context(), bob)
	wantCode(t, "go on with a rollout that was overtaken", err, online.Stale)
}

func TestTake(t *testing.T) {
	tests := map[string]struct {
		clock time.Duration // by which the store's clock has gone on
		take  bool
		want  online.Code // "" where the lock changes hands
	}{
		"held":                         {want: online.Locked},
		"held by a dead process":       {take: true},
		"not expired by a second":      {clock: journal.TTL - 2*time.Second, want: online.Locked},
		"expired by the store's clock": {clock: journal.TTL + time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, c := newFake(t)
			j := journal.New(c, "taxi")
			first := acquire(t, j, claim("r1"))
			s.mu.Lock()
			s.clock = tt.clock
			s.mu.Unlock()
			if l, err := j.Lock(t.Context()); err != nil || l.Held != (tt.clock < journal.TTL) {
				t.Errorf("Lock = %+v, %v", l, err)
			}
			second := claim("r2")
			second.Take = func(l journal.Lock) bool { return tt.take && l.Rollout == "r1" }
			lease, err := j.Acquire(t.Context(), second)
			if tt.want != "" {
				wantCode(t, "acquire", err, tt.want)
				return
			}
			if err != nil || lease.Fence() != 2 {
				t.Fatalf("Acquire = %+v, %v; want fence 2", lease, err)
			}
			wantCode(t, "renew the old lease", first.Renew(t.Context()), online.Stale)
		})
	}
}

// The lease runs out by the time that goes by here, without any exchange with the store.
func TestRemainingFalls(t *testing.T) {
	_, c := newFake(t)
	j := journal.New(c, "taxi")
	j.TTL = 1200 * time.Millisecond
	lease := acquire(t, j, claim("r1"))
	if d := lease.Remaining(); d > j.TTL-time.Second {
		t.Errorf("Remaining = %v at the start, want at most what is left when Date lags by a second", d)
	}
	before := lease.Remaining()
	time.Sleep(300 * time.Millisecond)
	if d := lease.Remaining(); d > before-300*time.Millisecond {
		t.Errorf("Remaining fell from %v to %v in 300 ms", before, d)
	}
}

func TestOneOfManyClaimsIsGranted(t *testing.T) {
	every(t, func(t *testing.T, c *container.Client) { oneOfMany(t, c, 1) })
}

func TestOneOfManyClaimsTakesOver(t *testing.T) {
	every(t, func(t *testing.T, c *container.Client) {
		if err := acquire(t, journal.New(c, "taxi"), claim("r0")).Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		oneOfMany(t, c, 2)
	})
}

func oneOfMany(t *testing.T, c *container.Client, fence int64) {
	t.Helper()
	var granted, locked atomic.Int64
	var wg sync.WaitGroup
	for n := range 20 {
		wg.Go(func() {
			lease, err := journal.New(c, "taxi").Acquire(t.Context(), claim("r"+string(rune('a'+n))))
			switch {
			case err == nil && lease.Fence() == fence:
				granted.Add(1)
			case online.CodeOf(err) == online.Locked:
				locked.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if granted.Load() != 1 || locked.Load() != 19 {
		t.Errorf("%d claims granted and %d refused, want 1 and 19", granted.Load(), locked.Load())
	}
}

// lossy loses the reply of every n-th write, which the store has carried out.
func lossy(n int) func(*http.Request) string {
	writes := 0
	return func(r *http.Request) string {
		if r.Method != http.MethodPut {
			return ""
		}
		writes++
		if writes%n == 0 {
			return "lose"
		}
		return ""
	}
}

// The SDK sends a write again when its reply is lost, and is then refused by its own first write.
func TestLostReplies(t *testing.T) {
	for name, nth := range map[string]int{"every": 1, "every other": 2} {
		t.Run(name, func(t *testing.T) {
			s, c := newFake(t)
			s.fault = lossy(nth)
			j := journal.New(c, "taxi")
			for n, rollout := range []string{"r1", "r2"} {
				lease := acquire(t, j, claim(rollout))
				if lease.Fence() != int64(n+1) {
					t.Fatalf("rollout %s has fence %d, want %d", rollout, lease.Fence(), n+1)
				}
				for seq := range 2 {
					if err := lease.Renew(t.Context()); err != nil {
						t.Fatal(err)
					}
					e := journal.Entry{Fence: lease.Fence(), Rollout: rollout, Seq: seq, Kind: "swap", Time: time.Now()}
					if err := j.Append(t.Context(), e); err != nil {
						t.Fatal(err)
					}
				}
				if err := lease.Release(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestJournal(t *testing.T) {
	every(t, func(t *testing.T, c *container.Client) {
		ctx, j := t.Context(), journal.New(c, "taxi")
		if ids, err := j.Rollouts(ctx); err != nil || len(ids) != 0 {
			t.Fatalf("Rollouts of a new endpoint = %v, %v", ids, err)
		}
		at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
		var wrote []journal.Entry
		for seq, kind := range []string{"plan", "deploy", "swap"} {
			e := journal.Entry{Fence: 10, Rollout: "a-b", Seq: seq, Kind: kind, Time: at, Data: json.RawMessage(`{"n":1}`)}
			wrote = append(wrote, e)
			if err := j.Append(ctx, e); err != nil {
				t.Fatal(err)
			}
		}
		for _, fence := range []int64{9, 11, 100} {
			if err := j.Append(ctx, journal.Entry{Fence: fence, Rollout: "x", Kind: "plan", Time: at}); err != nil {
				t.Fatal(err)
			}
		}
		other := journal.Entry{Fence: 10, Rollout: "a-b", Seq: 2, Kind: "abort", Time: at}
		wantCode(t, "append a second entry 2", j.Append(ctx, other), online.Stale)
		wantCode(t, "append below another folder", j.Append(ctx, journal.Entry{Rollout: "../x"}), online.Internal)

		ids, err := j.Rollouts(ctx)
		want := []journal.RolloutID{{Fence: 100, Rollout: "x"}, {Fence: 11, Rollout: "x"}, {Fence: 10, Rollout: "a-b"}, {Fence: 9, Rollout: "x"}}
		if err != nil || !slices.Equal(ids, want) {
			t.Errorf("Rollouts = %v, %v; want %v", ids, err, want)
		}
		read, err := j.Entries(ctx, journal.RolloutID{Fence: 10, Rollout: "a-b"})
		if err != nil || !cmp.Equal(read, wrote) {
			t.Errorf("Entries: %v\n%s", err, cmp.Diff(wrote, read))
		}
	})
}

func TestErrors(t *testing.T) {
	denied, c := newFake(t)
	denied.fault = func(*http.Request) string { return "deny" }
	j := journal.New(c, "taxi")
	for name, call := range map[string]func(context.Context) error{
		"lock":    func(ctx context.Context) error { _, err := j.Lock(ctx); return err },
		"acquire": func(ctx context.Context) error { _, err := j.Acquire(ctx, claim("r1")); return err },
		"append":  func(ctx context.Context) error { return j.Append(ctx, journal.Entry{Rollout: "r"}) },
		"list":    func(ctx context.Context) error { _, err := j.Rollouts(ctx); return err },
	} {
		err := call(t.Context())
		wantCode(t, name+" without the role", err, online.Forbidden)
		if !strings.Contains(err.Error(), "Storage Blob Data Contributor") {
			t.Errorf("%s: %q does not name the role", name, err)
		}
	}
	garbled, c := newFake(t)
	garbled.blobs["hotswap/taxi/lock.json"] = []byte("{")
	_, err := journal.New(c, "taxi").Lock(t.Context())
	wantCode(t, "read a garbled lock", err, online.Internal)
}
