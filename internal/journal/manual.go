package journal

import (
	"context"
	"crypto/rand"

	"hotswap/internal/online"
)

// Hold locks the endpoint for a person, until Free. The error has the code Locked where anybody
// holds the lock, who may be the same person.
func (j *Journal) Hold(ctx context.Context, h Holder, reason string, seenFence int64) (Lock, error) {
	h.PID, h.Start = 0, 0 // the process ends, the lock stays
	held, err := j.claim(ctx, Claim{Reason: reason, Holder: h, SeenFence: seenFence}, true)
	if err != nil {
		return Lock{}, err
	}
	return held.Lock, nil
}

// Free frees a person's lock and returns it as it was; it is not held where there was none.
// A rollout's lock is freed only by the fence that it has, given as forced, so that of two
// rollouts the one that was meant loses it: its lease, and every later step of it, is Stale.
func (j *Journal) Free(ctx context.Context, forced int64) (Lock, error) {
	nonce := rand.Text()
	var was Lock
	for range attempts {
		cur, err := j.readLock(ctx)
		if err != nil {
			return Lock{}, err
		}
		switch {
		case was.Held && (cur.Nonce == nonce || cur.Fence != was.Fence): // freed, by us with the reply lost, or by another
			return was, nil
		case !cur.Held || cur.expired():
			return Lock{}, nil
		case !cur.Manual && cur.Fence != forced:
			return Lock{}, online.Errorf(online.Locked, "%w; `hotswap unlock --force` takes it away, which may break into a write that is under way",
				j.lockedBy(cur.Lock))
		}
		was = cur.Lock
		err = j.writeLock(ctx, file{Lock{Fence: cur.Fence}, nonce}, cur)
		if err == nil {
			return was, nil
		}
		if !inDoubt(ctx, err) {
			return Lock{}, err
		}
	}
	return Lock{}, j.contended("unlock")
}
