package gateway

import (
	"container/list"
	"context"
	"errors"
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

// call is one request on its way through a deployment. The worker's fields are guarded by the
// backend's mutex; conn may be used by the request from the grant to the outcome.
type call struct {
	granted chan struct{} // one signal when a call in the queue is given a worker
	outcome chan outcome  // exactly one for each time the call was given a worker and was not abandoned

	place     *list.Element // in the queue; nil out of it
	worker    *worker       // the one it was given last
	conn      *frame.Conn   // the worker's at that time
	abandoned bool          // no one waits for the outcome any more: whoever finishes releases the claim
	stuck     *time.Timer   // runs since it was abandoned
}

func newCall() *call {
	return &call{granted: make(chan struct{}, 1), outcome: make(chan outcome, 1)}
}

// outcome is what became of a call: an answer, or the end of the worker's connection.
type outcome struct {
	answer *frame.Response
	err    error
}

// answers keeps the buffers of answers.
var answers = sync.Pool{New: func() any { return new(frame.Response) }}

// instance is an instance as the gateway keeps it. Its fields below workers are guarded by the
// mutex of its backend.
type instance struct {
	id      string
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

// worker is one process of an instance. One goroutine, run, owns its connection: it alone dials,
// receives and tells what became of a call. Requests send on the connection while they have it.
type worker struct {
	gateway  *Gateway
	backend  *backend
	instance *instance
	number   int // among its instance's
	address  Address

	connected chan struct{} // closed with the first connection

	// Guarded by backend.mu.
	conn      *frame.Conn // nil while there is none
	call      *call       // nil while idle
	condemned string      // the process that must not be used again
	failure   error       // of the last try to connect
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
			err = w.serve(ctx, conn)
			w.lost(ctx, conn, err)
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
	w.backend.mu.Lock()
	defer w.backend.mu.Unlock()
	if err == nil && conn.Process() == w.condemned {
		err = errors.Join(errCondemned, conn.Close())
	}
	w.failure = err
	return conn, err
}

var errCondemned = errors.New("the worker is stuck and has not been replaced yet")

// serve offers the connection to requests and hands each its answer, until the connection ends.
func (w *worker) serve(ctx context.Context, conn *frame.Conn) error {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	w.backend.up(w, conn)
	answer := answers.Get().(*frame.Response)
	for {
		err := conn.Receive(answer)
		if c := w.backend.finish(w, err != nil); c != nil {
			c.outcome <- outcome{answer, err}
			answer = answers.Get().(*frame.Response)
		}
		if err != nil {
			return err
		}
	}
}

// lost tells of a connection that ended. A worker that broke the protocol has to be replaced.
func (w *worker) lost(ctx context.Context, conn *frame.Conn, err error) {
	if ctx.Err() != nil {
		return
	}
	w.gateway.log.Warn("worker connection lost", "instance", w.instance.id, "worker", w.number, "error", err)
	if !errors.Is(err, frame.ErrProtocol) {
		return
	}
	w.backend.mu.Lock()
	w.condemned = conn.Process()
	w.backend.mu.Unlock()
	w.gateway.replace(w)
}

// replace asks for a new process in the place of w's.
func (g *Gateway) replace(w *worker) {
	g.log.Warn("worker stuck", "instance", w.instance.id, "worker", w.number)
	if g.stuck != nil {
		g.stuck(w.instance.id, w.number)
	}
}

// up makes a connected worker fit for requests.
func (b *backend) up(w *worker, conn *frame.Conn) {
	b.mu.Lock()
	w.conn = conn
	b.dispatch()
	b.mu.Unlock()
	select {
	case <-w.connected:
	default:
		close(w.connected)
	}
}

// start makes an instance of b whose workers connect from now on.
func (g *Gateway) start(b *backend, of Instance) *instance {
	ctx, stop := context.WithCancel(context.Background())
	i := &instance{id: of.ID, stop: stop}
	for n, address := range of.Workers {
		i.workers = append(i.workers, &worker{
			gateway: g, backend: b, instance: i, number: n, address: address, connected: make(chan struct{}),
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
