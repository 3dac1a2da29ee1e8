// Package frame is the protocol between the gateway and a worker process: one connection, one
// request at a time on it, so that queueing stays with the gateway and a worker that is killed
// loses nothing but what it was working on. The other end is worker/worker.py.
//
// A frame is kind (1 byte), request id (8), length of the payload (4), payload; numbers are
// big-endian. Ids count from 1 on each connection and are never used again.
//
//	worker:   HELLO(id 0)
//	gateway:  HEAD(n) DATA(n)… END(n)      n = 1, 2, 3 …
//	worker:   HEAD(n) DATA(n)… END(n)      after it, the gateway may go on with n+1
//
// The head of a request is method, path, query and a "Name:value" for each header, a line each;
// that of an answer has the status in the place of the first three. Lines, because splitting them
// is the cheapest parse that Python has.
//
// Whatever else arrives means that the two ends disagree about what was asked: the connection is
// of no more use, and the worker on it has to be replaced.
package frame

import (
	"encoding/binary"
	"errors"
	"iter"
	"strings"

	"hotswap/internal/online"
)

// Version is the version of the protocol, which the worker's hello must carry.
const Version = "1"

// The kinds of frames.
const (
	kindHello byte = 1 + iota
	kindHead
	kindData
	kindEnd
)

// Bounds of payloads; worker.py has the same.
const (
	headerSize = 1 + 8 + 4
	maxHello   = 1 << 10
	maxHead    = 2 << 20 // net/http reads 1 MiB of request line and headers by default
	maxData    = 1 << 20

	// MaxBody is the largest body of a request or an answer.
	MaxBody = 256 << 20
)

// ErrProtocol means that the worker sent what the protocol does not allow.
var ErrProtocol = errors.New("the worker broke the protocol")

// Request is what a worker is asked. Its buffers are kept from one Reset to the next.
type Request struct {
	Body []byte // at most MaxBody bytes; not changed until the answer is there

	buf   []byte // room for a frame's header, then the head
	lines bool   // a line break within a line was found
}

// Reset begins a new request. Path is the path as the client escaped it.
func (r *Request) Reset(method, path, query string) {
	r.Body, r.lines = nil, false
	r.buf = append(r.buf[:0], make([]byte, headerSize)...)
	r.line(method)
	r.buf = append(r.buf, '\n')
	r.line(path)
	r.buf = append(r.buf, '\n')
	r.line(query)
}

// Add adds a header, whose name should be in canonical form.
func (r *Request) Add(name, value string) {
	r.buf = append(r.buf, '\n')
	r.line(name)
	r.buf = append(r.buf, ':')
	r.line(value)
}

func (r *Request) line(text string) {
	if strings.IndexByte(text, '\n') >= 0 {
		r.lines = true
	}
	r.buf = append(r.buf, text...)
}

// Check tells why r cannot be sent.
func (r *Request) Check() error {
	switch {
	case r.lines:
		return online.Errorf(online.Invalid, "send a request to a worker: its head holds a line break")
	case len(r.buf)-headerSize > maxHead:
		return online.Errorf(online.TooLarge, "send a request to a worker: its head has %d bytes, want at most %d", len(r.buf)-headerSize, maxHead)
	case len(r.Body) > MaxBody:
		return online.Errorf(online.TooLarge, "send a request to a worker: its body has %d bytes, want at most %d", len(r.Body), MaxBody)
	}
	return nil
}

// Response is a worker's answer. Its body's buffer is kept from one Receive to the next.
type Response struct {
	Status int
	Body   []byte
	fields string // "Name:value" lines
}

// Fields are the headers of the answer in their order.
func (r *Response) Fields() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for line := range strings.SplitSeq(r.fields, "\n") {
			if name, value, ok := strings.Cut(line, ":"); ok && !yield(name, value) {
				return
			}
		}
	}
}

// putHeader writes the header of a frame into b, which has room for it.
func putHeader(b []byte, kind byte, id uint64, size int) {
	b[0] = kind
	binary.BigEndian.PutUint64(b[1:], id)
	binary.BigEndian.PutUint32(b[9:], uint32(size))
}

func appendHeader(b []byte, kind byte, id uint64, size int) []byte {
	n := len(b)
	b = append(b, make([]byte, headerSize)...)
	putHeader(b[n:], kind, id, size)
	return b
}
