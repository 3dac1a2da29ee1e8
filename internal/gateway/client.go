package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// The states of a client. Only its own goroutine makes it busy or idle; Stop makes an idle one stopped.
const (
	busy int32 = iota
	idle
	stopped
)

// Bounds of a connection's buffers and of its end.
const (
	firstIn   = 4 << 10   // holds nearly every request whole
	oneRecord = 16 << 10  // of TLS (RFC 8446, section 5.1): answers up to it are sent in one piece
	maxPiece  = 1 << 20   // of an answer that a client may take IdleTimeout for
	maxUnread = 256 << 10 // of a refused request's body is read to keep the connection
	lingering = 500 * time.Millisecond
)

// client is a connection that a Front serves, from one goroutine.
type client struct {
	front  *Front
	conn   net.Conn
	giveUp context.CancelFunc // ends a wait for a worker
	state  atomic.Int32
	head   head

	in    []byte // in[r:w] has been read and not been used
	r, w  int
	left  int64     // of the body of the request under way
	due   time.Time // when more of the body must be there; zero while none was waited for
	fresh int64     // bytes that came since due was moved

	readBy, writeBy time.Time // deadlines in force
}

// What the wait for a request ended with.
type arrival int

const (
	taken  arrival = iota // a request's head is in c.head
	others                // something that is not for the front
	gone                  // nothing
)

// serve answers requests until the connection ends or is not for the front.
func (c *client) serve(ctx context.Context) (rest net.Conn) {
	for {
		switch c.next() {
		case others:
			c.conn.SetDeadline(time.Time{}) //nolint:errcheck // because it fails on a closed connection only
			return c.handOver()
		case gone:
			c.conn.Close() //nolint:errcheck // because there is no one to tell
			return nil
		case taken:
			if !c.exchange(ctx) {
				c.hangUp()
				return nil
			}
		}
	}
}

// next waits for the head of a request and takes it apart. What was read of it stays in c.in where
// it is not for the front.
func (c *client) next() arrival {
	length := 0
	if c.r == c.w {
		c.r, c.w = 0, 0
		if !c.wait() {
			return gone
		}
	}
	for known := 0; ; {
		if length = measure(c.in[c.r:c.w], known); length != 0 {
			break
		}
		if known == 0 {
			c.allow(time.Now(), c.front.options.HeaderTimeout) // for all of it
		}
		known = c.w - c.r
		if known >= maxHead {
			return others
		}
		switch err := c.more(); {
		case errors.Is(err, io.EOF):
			return others // half a request has its answer too
		case err != nil:
			return gone
		}
	}
	if length < 0 || length > maxHead || !c.head.parse(string(c.in[c.r:c.r+length])) || c.elsewhere() {
		return others
	}
	c.r += length
	c.left, c.due, c.fresh = c.head.length, time.Time{}, 0
	return taken
}

func (c *client) elsewhere() bool {
	is := c.front.options.Others
	return is != nil && is(c.head.host)
}

// wait waits, idle, for the first bytes of a request.
func (c *client) wait() bool {
	c.allow(time.Now(), c.front.options.IdleTimeout) // before Stop may set another deadline
	c.state.Store(idle)
	if c.front.stopping.Load() { // Stop may have found it busy
		return false
	}
	n, _ := c.conn.Read(c.in)
	c.w = n
	return n > 0 && c.state.CompareAndSwap(idle, busy)
}

// more reads on, behind what is there.
func (c *client) more() error {
	if c.r > 0 {
		c.r, c.w = 0, copy(c.in, c.in[c.r:c.w])
	}
	if c.w == len(c.in) {
		c.in = append(c.in, make([]byte, len(c.in))...)
	}
	n, err := c.conn.Read(c.in[c.w:])
	c.w += n
	if n > 0 {
		return nil
	}
	return err
}

// allow gives reads at least a time and at most a half more. It leaves the deadline in force where
// that is so already: to set one moves a timer of the runtime's.
func (c *client) allow(now time.Time, least time.Duration) {
	if left := c.readBy.Sub(now); left < least || left > least+least/2 {
		c.readBy = now.Add(least + least/4)
		c.conn.SetReadDeadline(c.readBy) //nolint:errcheck // because the read fails then too
	}
}

// Read reads the body of the request under way.
func (c *client) Read(p []byte) (n int, err error) {
	switch {
	case c.left == 0:
		return 0, io.EOF
	case c.r < c.w:
		n = copy(p[:min(int64(len(p)), c.left)], c.in[c.r:c.w])
		c.r += n
	default:
		c.press()
		n, err = c.conn.Read(p[:min(int64(len(p)), c.left)])
		c.fresh += int64(n)
	}
	c.left -= int64(n)
	switch {
	case c.left == 0:
		err = io.EOF
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// press sets the deadline for the next piece of a body that did not come with its head.
func (c *client) press() {
	rate := c.front.options.BodyRate
	switch seconds := c.fresh / rate; {
	case c.due.IsZero():
		c.due = time.Now().Add(c.front.options.BodyGrace)
	case seconds == 0:
		return
	default:
		c.due = c.due.Add(time.Duration(seconds) * time.Second)
		c.fresh -= seconds * rate
	}
	c.readBy = c.due
	c.conn.SetReadDeadline(c.due) //nolint:errcheck // because the read fails then too
}

// exchange answers the request under way and tells whether the connection goes on.
func (c *client) exchange(ctx context.Context) (more bool) {
	x := begin(c.head.method, c.head.path, c.head.query)
	defer x.free()
	for _, f := range c.head.fields {
		x.header(f.name, f.value)
	}
	x.source, x.length = c, c.head.length
	c.front.gateway.answer(ctx, x)
	more = !c.head.last && c.skip() && !c.front.parting.Load()
	return c.write(x, more) && more
}

// skip reads what is left of a body that was refused, where that is little.
func (c *client) skip() bool {
	if c.left > 0 && c.left < maxUnread {
		io.CopyN(io.Discard, c, c.left) //nolint:errcheck // because c.left tells
	}
	return c.left == 0
}

// write answers, in one piece unless the answer is large.
func (c *client) write(x *exchange, more bool) bool {
	now := time.Now()
	x.compose(c.front.now(now), more)
	if len(x.out)+len(x.content) <= oneRecord {
		x.out = append(x.out, x.content...)
		return c.send(x.out, now)
	}
	ok := c.send(x.out, now)
	for piece := range slices.Chunk(x.content, maxPiece) {
		ok = ok && c.send(piece, time.Now())
	}
	return ok
}

// send gives a client that does not read at least IdleTimeout, by a deadline that is seldom moved.
func (c *client) send(piece []byte, now time.Time) bool {
	if least := c.front.options.IdleTimeout; c.writeBy.Sub(now) < least {
		c.writeBy = now.Add(least + least/4)
		c.conn.SetWriteDeadline(c.writeBy) //nolint:errcheck // because the write fails then too
	}
	_, err := c.conn.Write(piece)
	return err == nil
}

// compose writes the head of the answer into x.out.
func (x *exchange) compose(date string, more bool) {
	b := append(x.out[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(x.status), 10)
	b = append(append(b, ' '), http.StatusText(x.status)...)
	b = append(append(b, "\r\nDate: "...), date...)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(x.content)), 10)
	for _, f := range x.fields {
		b = append(append(b, "\r\n"...), f.name...)
		b = append(append(b, ": "...), f.value...)
	}
	if !more {
		b = append(b, "\r\nConnection: close"...)
	}
	x.out = append(b, "\r\n\r\n"...)
}

// hangUp closes the connection. A client that is still sending is told that nothing more comes and
// heard out for a while: a reset would take its answer away (RFC 9112, section 9.6).
func (c *client) hangUp() {
	if half, ok := c.conn.(interface{ CloseWrite() error }); ok && c.left > 0 && half.CloseWrite() == nil {
		c.conn.SetReadDeadline(time.Now().Add(lingering)) //nolint:errcheck // because the read fails then too
		io.Copy(io.Discard, c.conn)                       //nolint:errcheck // because it ends in any case
	}
	c.conn.Close() //nolint:errcheck // because there is no one to tell
}

// cut ends the connection at once, and with it whatever its goroutine does there.
func (c *client) cut() {
	defer c.giveUp()
	conn := c.conn
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn() // because the other one would say goodbye first
	}
	conn.Close() //nolint:errcheck // because there is no one to tell
}
