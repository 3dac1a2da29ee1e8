package journal

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"hotswap/internal/online"
)

// Holder is who works under a lock.
type Holder struct {
	Name  string `json:"name"` // user@host, or the run of a CI
	Host  string `json:"host"`
	PID   int    `json:"pid"`   // 0: no process works on it now
	Start uint64 `json:"start"` // when the process started, so that a reused PID is told apart
	Boot  string `json:"boot"`  // which boot of the host the process belongs to
}

// Lock is the right to change an endpoint, as it is in the store.
type Lock struct {
	Fence   int64     `json:"fence"`
	Rollout string    `json:"rollout"`
	Holder  Holder    `json:"holder"`
	Reason  string    `json:"reason"`
	Expires time.Time `json:"expires,omitzero"` // by the store's clock; zero in a manual lock, which never does
	Held    bool      `json:"held"`
	Manual  bool      `json:"manual,omitempty"` // a person's: of no rollout, and held until it is freed
}

// Claim asks for the lock.
type Claim struct {
	Rollout   string
	Reason    string
	Holder    Holder
	SeenFence int64           // the largest fence seen on the endpoint
	Take      func(Lock) bool // may a lock that has not expired be taken over? nil: it may not; never asked of a manual one
	Wait      time.Duration   // how long to try again while someone else holds the lock
	Waiting   func(Lock)      // told, once a holder, whom it waits for; nil: nobody is
}

// file is the lock's blob. The nonce is the lease's own, so that a lease knows its own write
// again after a reply was lost.
type file struct {
	Lock
	Nonce string `json:"nonce"`
}

// observed is the lock as read from the store.
type observed struct {
	file
	stored
}

func (j *Journal) lockName() string { return j.prefix + "lock.json" }

func (j *Journal) readLock(ctx context.Context) (observed, error) {
	s, err := j.read(ctx, j.lockName())
	if err != nil || s.etag == "" {
		return observed{stored: s}, err
	}
	o := observed{stored: s}
	if err := json.Unmarshal(s.body, &o.file); err != nil {
		return observed{}, online.Errorf(online.Internal, "read the lock of endpoint %q: %w; delete the blob %s if no rollout runs", j.endpoint, err, j.lockName())
	}
	return o, nil
}

func (j *Journal) writeLock(ctx context.Context, f file, over observed) error {
	body, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return online.Errorf(online.Internal, "write the lock of endpoint %q: %w", j.endpoint, err)
	}
	return j.write(ctx, j.lockName(), body, over.etag)
}

// Lock returns the lock as it is in the store; zero where there has never been one. One that has
// expired is not held.
func (j *Journal) Lock(ctx context.Context) (Lock, error) {
	o, err := j.readLock(ctx)
	o.Held = o.Held && !o.expired()
	return o.Lock, err
}

func (o observed) expired() bool { return !o.Manual && !o.seen.store.Before(o.Expires) }

// attempts bounds how often a claim looks at the lock again after someone else's write. Each such
// write grants the lock or lets it go, so a claim that is refused for good is refused soon.
const attempts = 10

// Acquire claims the lock, and waits for it as long as the claim says. The error has the code
// Locked where someone else holds it, and Stale where the endpoint has seen a larger fence than
// the rollout's own.
func (j *Journal) Acquire(ctx context.Context, c Claim) (*Lease, error) {
	w := newWaiting(c)
	for {
		held, err := j.claim(ctx, c, false)
		if err == nil {
			return newLease(j, held), nil
		}
		if online.CodeOf(err) != online.Locked || !w.again(ctx, held.Lock) {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w; stopped waiting: %w", err, ctx.Err())
		}
	}
}

// claim tries to get the lock now. What it observed is the lock that was granted, or the one
// that is in the way.
func (j *Journal) claim(ctx context.Context, c Claim, manual bool) (observed, error) {
	nonce := rand.Text()
	for range attempts {
		cur, err := j.readLock(ctx)
		if err != nil {
			return observed{}, err
		}
		if cur.etag != "" && cur.Nonce == nonce { // our write was granted, its reply was lost
			return cur, nil
		}
		fence, err := j.grant(cur, c)
		if err != nil {
			return cur, err
		}
		next := file{Lock{fence, c.Rollout, c.Holder, c.Reason, cur.seen.store.Add(j.TTL), true, manual}, nonce}
		if manual {
			next.Expires = time.Time{}
		}
		err = j.writeLock(ctx, next, cur)
		if err == nil {
			cur.file = next
			return cur, nil
		}
		if !inDoubt(ctx, err) {
			return observed{}, err
		}
	}
	return observed{}, j.contended("lock")
}

// contended says that others wrote the lock again and again while it was to be changed.
func (j *Journal) contended(doing string) error {
	return online.Errorf(online.Unavailable, "%s endpoint %q: the lock changed or could not be written %d times in a row; try again", doing, j.endpoint, attempts)
}

// inDoubt reports whether a write that failed so may have been refused only because it was granted
// before, with the reply lost, so that the store should be asked what it has.
func inDoubt(ctx context.Context, err error) bool {
	code := online.CodeOf(err)
	return ctx.Err() == nil && (code == online.Stale || code == online.Unavailable)
}

// grant decides on a claim: it returns the fence that the claim gets, or why it gets none. A
// manual lock is of no rollout, so nothing goes on with it, and nothing takes it over. Who goes on
// with a rollout at which a process was at work gets a fence of its own: what that one has still on its
// way must be told apart.
func (j *Journal) grant(cur observed, c Claim) (int64, error) {
	next := 1 + max(c.SeenFence, cur.Fence)
	again := c.Rollout != "" && c.Rollout == cur.Rollout
	atWork := cur.Held && cur.Holder.PID != 0 && cur.Holder != c.Holder
	switch {
	case cur.Held && cur.Manual:
		return 0, j.lockedBy(cur.Lock)
	case again && c.SeenFence > cur.Fence:
		return 0, online.Errorf(online.Stale, "lock endpoint %q: rollout %s had it last with fence %d, but the endpoint has seen fence %d: another rollout has gone on since", j.endpoint, c.Rollout, cur.Fence, c.SeenFence)
	case again && !atWork: // nobody else had the lock since, held or not
		return cur.Fence, nil
	case !cur.Held:
		return next, nil
	case cur.expired():
		return next, nil
	case c.Take != nil && c.Take(cur.Lock):
		return next, nil
	}
	return 0, j.lockedBy(cur.Lock)
}

// lockedBy says who is in the way, and what can be done.
func (j *Journal) lockedBy(l Lock) error {
	if l.Manual {
		return online.Errorf(online.Locked, "endpoint %q is locked by hand by %s (%s); ask them, or free it with `hotswap unlock`",
			j.endpoint, l.Holder.Name, l.Reason)
	}
	return online.Errorf(online.Locked, "endpoint %q is locked by %s for rollout %s (%s) until %s; wait, or look at it with `hotswap status`",
		j.endpoint, l.Holder.Name, l.Rollout, l.Reason, l.Expires.UTC().Format(time.RFC3339))
}
