package journal

import (
	"context"
	"sync"
	"time"

	"hotswap/internal/online"
)

// Lease is a lock that was granted. It may be used by several goroutines.
type Lease struct {
	journal *Journal
	fence   int64
	nonce   string

	mu      sync.Mutex // held for a whole exchange with the store
	expires time.Time
	seen    sighting
}

func newLease(j *Journal, o observed) *Lease {
	return &Lease{journal: j, fence: o.Fence, nonce: o.Nonce, expires: o.Expires, seen: o.seen}
}

// Fence is the number that the holder's writes carry.
func (l *Lease) Fence() int64 { return l.fence }

// Remaining is how long the lock surely lasts yet; not above 0 when it may have expired. It
// counts the time in which the process was stopped or the machine slept.
func (l *Lease) Remaining() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.expires.Sub(l.seen.latest())
}

// Renew makes the lock last its full time again. Where it was lost to someone else, the error has
// the code Stale, and the holder must stop.
func (l *Lease) Renew(ctx context.Context) error {
	return l.change(ctx, func(*Lock) {})
}

// Rest keeps the lock for the rollout until its next step, which may be on another machine, and
// says that no process works on it meanwhile.
func (l *Lease) Rest(ctx context.Context) error {
	return l.change(ctx, func(lock *Lock) { lock.Holder.PID, lock.Holder.Start = 0, 0 })
}

// Release gives the lock back. Its fence stays, so that the next one is larger.
func (l *Lease) Release(ctx context.Context) error {
	return l.change(ctx, func(lock *Lock) { lock.Held = false })
}

// change writes the lock anew, if it is still this lease's. After a failure it looks again: what
// it wrote may be there although the reply was lost.
func (l *Lease) change(ctx context.Context, edit func(*Lock)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var wrote Lock
	var failure error
	for range attempts {
		cur, err := l.journal.readLock(ctx)
		if err != nil {
			return err
		}
		if cur.etag == "" || cur.Nonce != l.nonce {
			return l.lost(cur)
		}
		if failure != nil && wrote.same(cur.Lock) { // it was written, the reply was lost
			l.expires, l.seen = wrote.Expires, cur.seen
			return nil
		}
		wrote = cur.Lock
		edit(&wrote)
		wrote.Expires = cur.seen.store.Add(l.journal.TTL)
		if failure = l.journal.writeLock(ctx, file{wrote, l.nonce}, cur); failure == nil {
			l.expires, l.seen = wrote.Expires, cur.seen
			return nil
		}
		if !inDoubt(ctx, failure) {
			return failure
		}
	}
	return failure
}

// same reports whether l and m, of one lease, are the same write.
func (l Lock) same(m Lock) bool {
	return l.Held == m.Held && l.Holder == m.Holder && l.Expires.Equal(m.Expires)
}

func (l *Lease) lost(cur observed) error {
	endpoint := l.journal.endpoint
	switch {
	case cur.etag == "":
		return online.Errorf(online.Stale, "the lock of endpoint %q is gone: someone deleted it; stop", endpoint)
	case cur.Manual:
		return online.Errorf(online.Stale, "the lock of endpoint %q was lost to %s, who locked it by hand (%s), with fence %d after our %d; stop",
			endpoint, cur.Holder.Name, cur.Reason, cur.Fence, l.fence)
	case cur.Rollout == "":
		return online.Errorf(online.Stale, "the lock of endpoint %q was freed by hand (hotswap unlock); stop", endpoint)
	}
	return online.Errorf(online.Stale, "the lock of endpoint %q was lost to %s for rollout %s, with fence %d after our %d; stop",
		endpoint, cur.Holder.Name, cur.Rollout, cur.Fence, l.fence)
}
