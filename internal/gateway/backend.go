package gateway

import (
	"container/list"
	"sync"

	"hotswap/internal/frame"
)

// A verdict is the answer to a claim of a deployment.
type verdict int

const (
	claimed verdict = iota
	refused         // it drains: newer routes are in force
	full            // as many requests as it may have are under way
	closed          // it has no instance
)

// backend is a deployment as the gateway keeps it, from one route to the next. See design.md for
// its two claims.
//
// Invariants, whenever mu is free:
//
//  1. claims counts the requests under way, waiting or running, and those whose client has its 408
//     while a worker still runs them. Once draining is set it only falls.
//  2. A worker with a call is busy, and its instance's running counts it. Whoever has the call,
//     the request or after its 408 the worker's owner, gives the worker back exactly once.
//  3. There is never both a request in the queue and a worker that could take it.
type backend struct {
	mu          sync.Mutex
	concurrency int // of each instance
	limit       int // of claims
	claims      int
	drained     chan struct{} // made by drain, closed when claims is 0
	instances   []*instance
	leaving     map[string]*instance // those that a Swap left out and DrainInstance has not closed
	turn        int                  // where the search for a worker begins
	queue       list.List            // of *call, the next one at the front
}

// claim is the first of the two claims: it takes the request in, or says why not.
func (b *backend) claim() verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.drained != nil:
		return refused
	case len(b.instances) == 0:
		return closed
	case b.claims >= b.limit:
		return full
	}
	b.claims++
	return claimed
}

// release gives a claim back.
func (b *backend) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.releaseLocked()
}

func (b *backend) releaseLocked() {
	b.claims--
	if b.claims == 0 && b.drained != nil {
		close(b.drained)
	}
}

// drain refuses claims from now on. The channel it returns is closed when no claim is left.
func (b *backend) drain() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.drained == nil {
		b.drained = make(chan struct{})
		if b.claims == 0 {
			close(b.drained)
		}
	}
	return b.drained
}

// draining tells whether drain was called.
func (b *backend) draining() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.drained != nil
}

// acquire is the second of the two claims: it gives c a worker at once, or a place in the queue,
// whose end c.granted tells. A request that comes back from a worker that was dead keeps its
// turn: it goes to the front.
func (b *backend) acquire(c *call, front bool) (taken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.idle(); w != nil {
		w.take(c)
		return true
	}
	if front {
		c.place = b.queue.PushFront(c)
	} else {
		c.place = b.queue.PushBack(c)
	}
	return false
}

// leave takes c, whose time is up, out of the queue. It reports false where c was given a worker in
// between, and whether any worker was there to wait for.
func (b *backend) leave(c *call) (left, alive bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.place == nil {
		return false, true
	}
	b.queue.Remove(c.place)
	c.place = nil
	return true, b.alive()
}

// decline gives back a worker that c has not used.
func (b *backend) decline(c *call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c.worker.give()
	b.dispatch()
}

func (b *backend) alive() bool {
	for _, i := range b.instances {
		for _, w := range i.workers {
			if w.conn != nil {
				return true
			}
		}
	}
	return false
}

// dispatch restores invariant 3.
func (b *backend) dispatch() {
	for c := b.next(); c != nil; c = b.next() {
		c.granted <- struct{}{}
	}
}

// next gives a worker to the first call in the queue and returns it, which has to be told; nil if
// there is none, or no worker.
func (b *backend) next() *call {
	if b.queue.Len() == 0 {
		return nil
	}
	w := b.idle()
	if w == nil {
		return nil
	}
	c := b.queue.Remove(b.queue.Front()).(*call)
	c.place = nil
	w.take(c)
	return c
}

// idle returns a worker that can take a request, of the instance that runs the fewest; nil if
// there is none. Instances that run as many take turns.
func (b *backend) idle() *worker {
	var best *worker
	for n := range b.instances {
		i := b.instances[(b.turn+n)%len(b.instances)]
		if i.running >= b.concurrency || best != nil && i.running >= best.instance.running {
			continue
		}
		if w := i.idle(); w != nil {
			best = w
		}
	}
	b.turn++
	return best
}

// finish ends a call that was answered: the worker goes to the next one, the claim is given back.
// The next one's request is sent from here, since the worker would be idle until its own goroutine
// has come round to it.
func (b *backend) finish(w *worker) {
	b.mu.Lock()
	w.give()
	c := b.next() // there can be one at most, by invariant 3
	b.releaseLocked()
	b.mu.Unlock()
	if c != nil {
		c.sendAhead()
		c.granted <- struct{}{}
	}
}

// lose ends a call whose worker's connection is of no more use; its owner makes another. The claim
// stays, since the request may go to a sibling.
func (b *backend) lose(w *worker, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w.conn = nil
	w.give()
	w.broken <- err
	b.dispatch()
}

// up makes a connected worker fit for requests.
func (b *backend) up(w *worker, conn *frame.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w.conn = conn
	b.dispatch()
}

// adopt puts the instances of a newer route in the place of those before it.
func (b *backend) adopt(d Deployment, instances []*instance) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, i := range b.instances {
		b.leaving[i.id] = i
	}
	for _, i := range instances {
		delete(b.leaving, i.id)
	}
	b.instances = instances
	b.concurrency = d.Concurrency
	b.limit = pendingFactor * d.Concurrency * len(instances)
	b.dispatch()
}
