package gateway

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"hotswap/internal/online"
)

// FrontOptions is how a Front treats its connections. All but Others has to be set.
type FrontOptions struct {
	// HeaderTimeout is how long the head of a request may take from its first byte on.
	HeaderTimeout time.Duration
	// IdleTimeout is how long a client may take for its next request, and may leave an answer
	// unread; up to a half more is granted.
	IdleTimeout time.Duration
	// A body that has not come after BodyGrace must have come at BodyRate, in bytes a second, since.
	BodyGrace time.Duration
	BodyRate  int64
	// Others tells whether a host is served by someone else; nil where none is.
	Others func(host string) bool
}

// Front serves scoring requests of HTTP/1.1 by itself, at a fraction of what net/http takes for
// one. It takes only what is plain beyond doubt; a connection with anything else is given back, for
// net/http to judge and to keep. See design.md, "The front".
type Front struct {
	gateway *Gateway
	options FrontOptions
	date    atomic.Pointer[date]

	parting  atomic.Bool // each answer ends its connection
	stopping atomic.Bool // set under mu, after parting
	mu       sync.Mutex
	clients  map[*client]struct{}
	none     chan struct{} // closed when it is stopping and no client is left
}

// NewFront returns a front of g.
func (g *Gateway) NewFront(o FrontOptions) *Front {
	return &Front{gateway: g, options: o, clients: map[*client]struct{}{}, none: make(chan struct{})}
}

// Serve serves a connection, whose TLS handshake is done, until it ends. Where a request comes that is
// not for the front, it returns the connection as it was before that request, which is the
// caller's from then on; else nil. The end of ctx gives up requests that wait for a worker.
func (f *Front) Serve(ctx context.Context, conn net.Conn) (rest net.Conn) {
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	c := &client{front: f, conn: conn, giveUp: giveUp, in: make([]byte, firstIn)}
	if !f.add(c) {
		conn.Close() //nolint:errcheck // because there is no one to tell
		return nil
	}
	defer f.remove(c)
	return c.serve(ctx)
}

func (f *Front) add(c *client) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.stopping.Load() {
		f.clients[c] = struct{}{}
	}
	return !f.stopping.Load()
}

func (f *Front) remove(c *client) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.clients, c)
	if f.stopping.Load() && len(f.clients) == 0 {
		close(f.none)
	}
}

// Part makes every answer from now on end its connection. Idle ones are waited for until Stop.
func (f *Front) Part() { f.parting.Store(true) }

// Stop closes the connections that are idle, and each other one after its answer. It returns when none
// is left. When ctx ends before, it cuts them off; it may be called again to wait for
// those whose workers are still at work then.
func (f *Front) Stop(ctx context.Context) error {
	f.hush()
	select {
	case <-f.none:
		return nil
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.clients {
		c.cut()
	}
	if len(f.clients) == 0 {
		return nil
	}
	return online.Errorf(online.Unavailable, "%d scoring requests were still under way: %w", len(f.clients), context.Cause(ctx))
}

func (f *Front) hush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Part()
	if f.stopping.Swap(true) {
		return
	}
	if len(f.clients) == 0 {
		close(f.none)
	}
	for c := range f.clients {
		if c.state.CompareAndSwap(idle, stopped) {
			c.conn.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // because it fails on a closed connection only
		}
	}
}

// date is the value of a Date header, which changes once a second (RFC 9110, section 6.6.1).
type date struct {
	second int64
	text   string
}

func (f *Front) now(now time.Time) string {
	d := f.date.Load()
	if d == nil || d.second != now.Unix() {
		d = &date{now.Unix(), now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")}
		f.date.Store(d)
	}
	return d.text
}

// replayed is a connection of which some bytes were read already.
type replayed struct {
	net.Conn
	read []byte
}

func (r *replayed) Read(p []byte) (int, error) {
	if len(r.read) == 0 {
		return r.Conn.Read(p)
	}
	n := copy(p, r.read)
	r.read = r.read[n:]
	return n, nil
}

// replayedTLS shows net/http what it looks for in a connection that is not a *tls.Conn.
type replayedTLS struct {
	replayed
	secure *tls.Conn
}

// ConnectionState makes the requests' TLS field.
func (r *replayedTLS) ConnectionState() tls.ConnectionState { return r.secure.ConnectionState() }

// CloseWrite lets a client read the last answer while it still sends.
func (r *replayedTLS) CloseWrite() error { return r.secure.CloseWrite() }

// handOver returns the connection as it was before what has not been used of it.
func (c *client) handOver() net.Conn {
	r := replayed{c.conn, c.in[c.r:c.w]}
	if secure, ok := c.conn.(*tls.Conn); ok {
		return &replayedTLS{r, secure}
	}
	return &r
}
