package gateway

import (
	"container/list"
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"hotswap/internal/frame"
	"hotswap/internal/online"
)

// Bounds of the wait between two tries to connect. A worker that restarts should be found soon;
// a try at a socket that no one listens on costs some microseconds.
const (
	firstRedial = 10 * time.Millisecond
	lastRedial  = 500 * time.Millisecond
)

// helloTimeout bounds one try: a process that was stopped still has connections made to its socket.
const helloTimeout = 10 * time.Second

// call is one request on its way through a deployment, guarded by the mutex of its backend. From
// the grant of a worker on, worker and conn don't change until it is given back.
type call struct {
	granted chan struct{} // one signal when a call in the queue is given a worker

	place  *list.Element // in the queue; nil out of it
	worker *worker       // the one it was given last
	conn   *frame.Conn   // the worker's at that time

	// What is to be sent, set before the call is queued.
	request  *frame.Request
	deadline time.Time

	// Set before granted is signalled, where the one before it has sent it.
	ahead bool
	sent  bool
	err   error
}

// sendAhead sends what waits, unless that may take a while.
func (c *call) sendAhead() {
	if c.request.Small() {
		c.ahead = true
		c.sent, c.err = c.conn.Send(c.request, c.deadline)
	}
}

// send sends the request, if that is not done.
func (c *call) send() (sent bool, err error) {
	if !c.ahead {
		return c.conn.Send(c.request, c.deadline)
	}
	c.ahead = false
	return c.sent, c.err
}

// instance is an instance as the gateway keeps it. Its fields below workers are guarded by the
// mutex of its backend.
type instance struct {
	id      string
	model   string // that its workers hold
	workers []*worker

	running int           // calls that its workers have
	drained chan struct{} // made by drain, closed when running is 0

	stop  context.CancelFunc // ends its workers' goroutines
	group sync.WaitGroup     // of them
}

// idle returns a worker of i that can take a request; nil if there is none.
func (i *instance) idle() *worker {
	for _, w := range i.workers {
		if w.conn != nil && w.call == nil {
			return w
		}
	}
	return nil
}

// close ends the connections of i and waits for their goroutines.
func (i *instance) close() {
	i.stop()
	i.group.Wait()
}

// worker is one process of an instance. A request that was given it has its connection to itself,
// and reads the answer with no goroutine in between. One goroutine, run, connects, and connects
// again when told that the connection broke; it also waits for the answers whose clients have
// their 408 already.
type worker struct {
	gateway  *Gateway
	backend  *backend
	instance *instance
	number   int // among its instance's
	address  Address

	connected chan struct{}      // closed with the first connection
	broken    chan error         // why a connection was of no more use; once for each
	left      chan time.Duration // for how long to wait for an answer that was left to run

	condemned string // the process that must not be used again; run's alone

	// Guarded by backend.mu.
	conn    *frame.Conn // nil while there is none
	call    *call       // nil while idle
	failure error       // of the last try to connect
}

// take gives w's connection to c.
func (w *worker) take(c *call) {
	c.worker, c.conn = w, w.conn
	w.call = c
	w.instance.running++
}

// give takes the connection back.
func (w *worker) give() {
	w.call = nil
	i := w.instance
	i.running--
	if i.running == 0 && i.drained != nil {
		close(i.drained)
	}
}

// run keeps w connected until ctx ends.
func (w *worker) run(ctx context.Context) {
	for wait := firstRedial; ctx.Err() == nil; wait = min(2*wait, lastRedial) {
		conn, err := w.dial(ctx)
		if err == nil {
			wait = firstRedial
			w.keep(ctx, conn)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// dial makes one try to connect.
func (w *worker) dial(ctx context.Context) (*frame.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	conn, err := frame.Dial(ctx, w.address.Network, w.address.Address)
	if err == nil && conn.Process() == w.condemned {
		err = errors.Join(errCondemned, conn.Close())
	}
	w.backend.mu.Lock()
	defer w.backend.mu.Unlock()
	w.failure = err
	return conn, err
}

var errCondemned = errors.New("the worker is stuck and has not been replaced yet")

// keep offers a connection to requests until it breaks.
func (w *worker) keep(ctx context.Context, conn *frame.Conn) {
	defer conn.Close() //nolint:errcheck // because there is nothing left on it to lose
	w.backend.up(w, conn)
	select {
	case <-w.connected:
	default:
		close(w.connected)
	}
	for {
		select {
		case stuck := <-w.left:
			w.outlast(conn, stuck)
		case err := <-w.broken:
			w.gateway.log.Warn("worker connection lost", "instance", w.instance.id, "worker", w.number, "error", err)
			if errors.Is(err, errStuck) || errors.Is(err, frame.ErrProtocol) {
				w.condemned = conn.Process()
				w.gateway.replace(w)
			}
			return
		case <-ctx.Done():
			return
		}
	}
}

var errStuck = errors.New("no answer long after the request's timeout")

// outlast waits for the answer to a request whose client has its 408, and gives back its claim.
func (w *worker) outlast(conn *frame.Conn, stuck time.Duration) {
	err := conn.Wait(time.Now().Add(stuck))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errStuck
	case err == nil:
		err = conn.Receive(new(frame.Response))
	}
	if err == nil {
		w.backend.finish(w)
		return
	}
	w.backend.lose(w, err)
	w.backend.release()
}

// replace asks for a new process in the place of w's.
func (g *Gateway) replace(w *worker) {
	if g.stuck != nil {
		g.stuck(w.instance.id, w.number)
	}
}

// start makes an instance of b whose workers connect from now on.
func (g *Gateway) start(b *backend, of Instance, model string) *instance {
	ctx, stop := context.WithCancel(context.Background())
	i := &instance{id: of.ID, model: model, stop: stop}
	for n, address := range of.Workers {
		i.workers = append(i.workers, &worker{
			gateway: g, backend: b, instance: i, number: n, address: address,
			connected: make(chan struct{}), broken: make(chan error, 1), left: make(chan time.Duration, 1),
		})
	}
	for _, w := range i.workers {
		i.group.Go(func() { w.run(ctx) })
	}
	return i
}

// ready waits until every worker of i has been connected once.
func (i *instance) ready(ctx context.Context) error {
	for _, w := range i.workers {
		select {
		case <-w.connected:
		case <-ctx.Done():
			w.backend.mu.Lock()
			failure := w.failure
			w.backend.mu.Unlock()
			return online.Errorf(online.Unavailable, "connect to worker %d of instance %s: %w", w.number, i.id,
				errors.Join(context.Cause(ctx), failure))
		}
	}
	return nil
}

// serves reports whether i is made of these workers.
func (i *instance) serves(addresses []Address) bool {
	if len(addresses) != len(i.workers) {
		return false
	}
	for n, w := range i.workers {
		if w.address != addresses[n] {
			return false
		}
	}
	return true
}
