package frame

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"time"

	"hotswap/internal/online"
)

// readBuffer holds nearly every answer whole, so that it costs one read.
const readBuffer = 16 << 10

// inline is how much is sent with one plain write. The kernel takes it at once, because the worker
// has read all that was sent before, and its socket has room for 208 KiB (Linux, net.core.wmem_default).
const inline = 64 << 10

// Conn is a connection to a worker. All but Close must be called from one goroutine at a time.
type Conn struct {
	net     *patient
	reader  reader
	process string
	sent    uint64 // id of the last request
}

// Dial connects to a worker and returns once its hello has arrived.
func Dial(ctx context.Context, network, address string) (*Conn, error) {
	n, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, online.Errorf(online.Unavailable, "connect to a worker: %w", err)
	}
	c := newConn(n)
	interrupt := context.AfterFunc(ctx, func() { n.SetReadDeadline(time.Unix(1, 0)) }) //nolint:errcheck // because it fails on a closed connection only
	c.process, err = c.reader.hello()
	if !interrupt() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, online.Errorf(online.Unavailable, "wait for the hello of a worker: %w", errors.Join(truncated(err), n.Close()))
	}
	return c, nil
}

func newConn(n net.Conn) *Conn {
	p := &patient{Conn: n}
	return &Conn{net: p, reader: reader{Reader: bufio.NewReaderSize(p, readBuffer)}}
}

// patient is a connection whose deadline for reading may change with every request at no cost: the
// one that the runtime has stays while it is the earlier one, and when it passes, the one that is due
// takes its place. To set the runtime's moves a timer, which costs more than the rest of a Wait.
type patient struct {
	net.Conn
	due time.Time // what the reader asked for
	set time.Time // what the runtime has; zero for none
}

// within makes reads fail from a deadline on.
func (p *patient) within(deadline time.Time) error {
	p.due = deadline
	if !p.set.IsZero() && !p.set.After(deadline) {
		return nil
	}
	return p.rearm()
}

func (p *patient) rearm() error {
	p.set = p.due
	return p.SetReadDeadline(p.due)
}

func (p *patient) Read(b []byte) (int, error) {
	for {
		n, err := p.Conn.Read(b)
		if n > 0 || !p.set.Before(p.due) || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if err := p.rearm(); err != nil {
			return 0, err
		}
	}
}

// Process names the process at the other end: another one at the same address has another name.
func (c *Conn) Process() string { return c.process }

// Close ends the connection, and with it a Send or Receive under way.
func (c *Conn) Close() error { return c.net.Close() }

// Send sends a request, whose answer the next Receive reads. It must not be called before that.
// After an error, sent tells whether any byte of the request was written: if not, it may
// be sent to another worker. The connection is of no use then, but for a request that fails Check.
// A worker that does not read is waited for until the deadline.
func (c *Conn) Send(r *Request, deadline time.Time) (sent bool, err error) {
	if err := r.Check(); err != nil {
		return false, err
	}
	c.sent++
	id := c.sent
	putHeader(r.buf, kindHead, id, len(r.buf)-headerSize)
	var n int64
	if r.Small() {
		n, err = c.sendSmall(r, id)
	} else {
		n, err = c.sendLarge(r, id, deadline)
	}
	if err != nil {
		return n > 0, online.Errorf(online.Unavailable, "send a request to a worker: %w", err)
	}
	return true, nil
}

// Small tells whether Send never waits for the worker.
func (r *Request) Small() bool { return len(r.buf)+len(r.Body) <= inline }

func (c *Conn) sendSmall(r *Request, id uint64) (int64, error) {
	all := r.buf
	if len(r.Body) > 0 {
		all = appendHeader(all, kindData, id, len(r.Body))
		all = append(all, r.Body...)
	}
	all = appendHeader(all, kindEnd, id, 0)
	r.buf = all[:len(r.buf)] // keeps the room, and the head as it was: r may be sent again
	n, err := c.net.Write(all)
	return int64(n), err
}

// sendLarge sends the body from where it is, in DATA frames of the largest size.
func (c *Conn) sendLarge(r *Request, id uint64, deadline time.Time) (int64, error) {
	if err := c.net.SetWriteDeadline(deadline); err != nil {
		return 0, err
	}
	pieces := net.Buffers{r.buf}
	for rest := r.Body; len(rest) > 0; {
		size := min(len(rest), maxData)
		pieces = append(pieces, appendHeader(nil, kindData, id, size), rest[:size])
		rest = rest[size:]
	}
	pieces = append(pieces, appendHeader(nil, kindEnd, id, 0))
	n, err := pieces.WriteTo(c.net.Conn) // which has writev
	if err != nil {
		return n, err
	}
	return n, c.net.SetWriteDeadline(time.Time{})
}

// Wait waits until the answer to the request that was sent begins to arrive. After its error wraps
// os.ErrDeadlineExceeded, it may be called again: nothing of the answer is lost. The deadline
// holds for Receive too.
func (c *Conn) Wait(deadline time.Time) error {
	if err := c.net.within(deadline); err != nil {
		return online.Errorf(online.Unavailable, "wait for a worker: %w", err)
	}
	if _, err := c.reader.Peek(1); err != nil {
		return online.Errorf(online.Unavailable, "wait for a worker: %w", err)
	}
	return nil
}

// Receive reads the answer to the request that was sent. Its error wraps io.EOF where the worker
// closed the connection before any byte of an answer, and ErrProtocol where it sent what it must
// not. The connection is of no use after an error.
func (c *Conn) Receive(to *Response) error {
	if err := c.reader.response(c.sent, to); err != nil {
		return online.Errorf(online.Unavailable, "receive an answer from a worker: %w", err)
	}
	return nil
}
