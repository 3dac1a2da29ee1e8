package rollout

import (
	"context"
	"sync"
	"time"

	"hotswap/internal/journal"
	"hotswap/internal/online"
)

// lease is the lock as one process holds it: kept while long work goes on, asked before a write.
type lease struct {
	write time.Duration // how long one write may take

	mu   sync.Mutex
	held *journal.Lease
}

// outlives makes sure that the lock lasts for at least that many writes more, renewing it if
// need be. It fails with online.Stale if another rollout has taken the lock.
func (l *lease) outlives(ctx context.Context, writes int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	need := time.Duration(writes) * l.write
	if l.held.Remaining() > 2*need {
		return nil
	}
	return l.renewFor(ctx, need)
}

// renew makes the lock last its full time, also where it would last long enough: the store is
// asked whether it is still ours, since a person may have freed it.
func (l *lease) renew(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.renewFor(ctx, l.write)
}

func (l *lease) renewFor(ctx context.Context, need time.Duration) error {
	if err := l.held.Renew(ctx); err != nil {
		return err
	}
	if left := l.held.Remaining(); left <= need {
		return online.Errorf(online.Stale, "the lock lasts %v more and a write may take %v: nothing was written", left, l.write)
	}
	return nil
}

// keep renews the lock until stop is called, and ends the returned context if it was lost.
func (l *lease) keep(ctx context.Context) (kept context.Context, stop func()) {
	kept, cancel := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() {
		for {
			select {
			case <-time.After(l.write / 2):
			case <-kept.Done():
				return
			}
			if err := l.outlives(kept, 2); online.CodeOf(err) == online.Stale {
				cancel(err)
			}
		}
	})
	return kept, func() { cancel(nil); renewing.Wait() }
}

// rest keeps the lock for the rollout's next step, which may run elsewhere.
func (l *lease) rest(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held.Rest(ctx)
}

func (l *lease) release(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held.Release(ctx)
}
