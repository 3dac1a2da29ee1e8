package rollout

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hotswap/internal/journal"
	"hotswap/internal/online"
)

// A rollout whose lock a person takes away stops at its next entry, before its next write.
func TestFreedLockStopsTheRollout(t *testing.T) {
	r := newRig(t)
	r.live(t, "1")
	r.cloud.onKeep = func() error {
		l, err := r.Journal.Lock(t.Context())
		if err != nil {
			return err
		}
		_, err = r.Journal.Free(t.Context(), l.Fence)
		return err
	}
	s, err := r.Rollout(t.Context(), request("2"), wanting(""), false)
	if online.CodeOf(err) != online.Stale || s.Phase != Deploying {
		t.Errorf("the rollout ended %s: %v; want Deploying and Stale", s.Phase, err)
	}
	if want := "traffic green=100"; slices.Contains(r.cloud.writes, want) {
		t.Errorf("it wrote %q without the lock", want)
	}
	r.cloud.onKeep = nil
	r.live(t, "3")
}

// newest answers with one version more each time that it is asked for the newest.
type newest struct {
	*fakeCloud
	asked int
}

func (n *newest) LatestModel(ctx context.Context, name string) (online.Model, error) {
	n.asked++
	return n.Model(ctx, name, strconv.Itoa(n.asked))
}

// The model that is the newest when the wait is over is rolled out, not the one that was when it
// began.
func TestRolloutWaitsForTheLock(t *testing.T) {
	r := newRig(t)
	r.Cloud = &newest{fakeCloud: r.cloud}
	if _, err := r.Journal.Hold(t.Context(), journal.Holder{Name: "alice"}, "audit", 0); err != nil {
		t.Fatal(err)
	}
	var said []string
	r.Wait = time.Minute
	r.Say = func(format string, args ...any) {
		said = append(said, fmt.Sprintf(format, args...))
		if _, err := r.Journal.Free(t.Context(), 0); err != nil && len(said) == 1 {
			t.Error(err)
		}
	}
	req := request("")
	req.ModelVersion = Latest
	s, err := r.Rollout(t.Context(), req, wanting(""), false)
	if err != nil || s.Plan.Model.Version != "2" {
		t.Errorf("rolled out version %q: %v; want 2", s.Plan.Model.Version, err)
	}
	if want := "waiting for the lock: held by alice by hand (audit) until it is freed"; len(said) == 0 || said[0] != want {
		t.Errorf("said %q first, want %q", strings.Join(said, "\n"), want)
	}
}

// A rollout whose lock a person took away goes on only by resume, promote or abort, and writes with
// a fence above the one that it had: its process may run yet.
func TestRolloutGoesOnAfterItsLockWasFreed(t *testing.T) {
	r := newRig(t)
	r.live(t, "one")
	r.interrupt(t, "two")
	l, err := r.Journal.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Journal.Free(t.Context(), l.Fence); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, _, err = r.Swap(t.Context(), "", false, DefaultStrategy())
		r.wants(t, err, online.Stale, "hotswap resume", Paused)
	}
	s, err := r.Promote(t.Context(), "")
	if err != nil || s.Phase != Promoted {
		t.Fatalf("promote: %s, %v", s.Phase, err)
	}
	if got, want := r.cloud.endpoint.Tags[online.TagFence], strconv.FormatInt(l.Fence+1, 10); got != want {
		t.Errorf("the endpoint was written with fence %s, want %s", got, want)
	}
	if s := r.newest(t); s.Phase != Promoted {
		t.Errorf("the journal ends with %s", s.Phase)
	}
}
