package journal

import (
	"context"
	"math/rand/v2"
	"time"
)

// How long a claim that waits lets go by between two looks at the lock: at first, and at most.
const (
	firstPause = time.Second
	mostPause  = 5 * time.Second
)

// waiting is a claim's wait for a lock that someone else holds.
type waiting struct {
	claim Claim
	end   time.Time
	pause time.Duration
	told  int64 // the fence of the holder that was told of last; a holder's fence is above 0
}

func newWaiting(c Claim) *waiting {
	return &waiting{claim: c, end: time.Now().Add(c.Wait), pause: firstPause}
}

// again pauses before the next try, or reports that the time is over. It returns early, and true,
// where ctx ends.
func (w *waiting) again(ctx context.Context, held Lock) bool {
	left := time.Until(w.end)
	if left <= 0 {
		return false
	}
	if w.claim.Waiting != nil && w.told != held.Fence {
		w.claim.Waiting(held)
	}
	w.told = held.Fence
	spread := time.Duration((0.8 + 0.4*rand.Float64()) * float64(w.pause)) // so that many who wait don't all ask at once
	w.pause = min(2*w.pause, mostPause)
	select {
	case <-time.After(min(spread, left)):
	case <-ctx.Done():
	}
	return true
}
