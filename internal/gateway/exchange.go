package gateway

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"hotswap/internal/frame"
	"hotswap/internal/online"
	"hotswap/internal/scoring"
)

// Bounds of the buffers.
const (
	// firstBody is how much room a body is given before any of it has come.
	firstBody = 64 << 10
	// keptBody is the largest buffer that is kept for the next request.
	keptBody = 1 << 20
)

// exchange is one request with its buffers, which are kept for another one.
type exchange struct {
	request frame.Request
	body    []byte
	call    *call
	kept    bool // its call is left behind: nothing of it may be used again
}

var exchanges = sync.Pool{New: func() any {
	return &exchange{call: &call{granted: make(chan struct{}, 1)}}
}}

func (x *exchange) free() {
	if x.kept || cap(x.body) > keptBody {
		return
	}
	exchanges.Put(x)
}

func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchanges.Get().(*exchange)
	defer x.free()
	id := newID()
	t, answer, refusal := g.exchange(x, r, id)
	h := w.Header()
	ids := []string{id}
	h[scoring.RequestID], h[scoring.ServiceID] = ids, ids
	if client := scoring.CleanClientID(r.Header.Get(scoring.ClientID)); client != "" {
		h[scoring.ClientID] = []string{client}
	}
	if t != nil {
		h[scoring.Deployment], h[scoring.Model] = t.name, t.model
	}
	if refusal != nil {
		refusal.write(w)
		return
	}
	write(w, answer)
	if cap(answer.Body) <= keptBody {
		answers.Put(answer)
	}
}

// exchange takes a request from its arrival to its answer. The target is nil where none was picked.
func (g *Gateway) exchange(x *exchange, r *http.Request, id string) (*target, *frame.Response, *refusal) {
	name, path, ok := split(r.URL.EscapedPath())
	if !ok {
		return nil, nil, refuseNoEndpoint
	}
	if refusal := g.authenticate(name, r.Header); refusal != nil {
		return nil, nil, refusal
	}
	if refusal := x.read(r, g.maxBody); refusal != nil {
		return nil, nil, refusal
	}
	if refusal := x.head(r, path, id); refusal != nil {
		return nil, nil, refusal
	}
	t, refusal := g.claim(name, r.Header.Get(scoring.Deployment))
	if refusal != nil {
		return t, nil, refusal
	}
	answer, refusal := x.run(r.Context(), t)
	return t, answer, refusal
}

// split takes /endpoints/NAME/PATH apart; path keeps its slash.
func split(escaped string) (name, path string, ok bool) {
	rest, ok := strings.CutPrefix(escaped, "/endpoints/")
	slash := strings.IndexByte(rest, '/')
	if !ok || slash < 0 {
		return "", "", false
	}
	return strings.ToLower(rest[:slash]), rest[slash:], true
}

// read reads the whole body. It comes before any claim, so that a client that is slow, or gone,
// holds nothing.
func (x *exchange) read(r *http.Request, limit int64) *refusal {
	if r.ContentLength > limit {
		return refuseTooLarge
	}
	x.body = slices.Grow(x.body[:0], int(min(max(r.ContentLength, 0), firstBody))+1)
	for {
		n, err := r.Body.Read(x.body[len(x.body):cap(x.body)])
		x.body = x.body[:len(x.body)+n]
		switch {
		case int64(len(x.body)) > limit:
			return refuseTooLarge
		case err == io.EOF:
			return nil
		case err != nil:
			return refuseUnread
		case len(x.body) == cap(x.body):
			x.body = slices.Grow(x.body, len(x.body))
		}
	}
}

// head makes the request for the worker. The client's credentials stay here.
func (x *exchange) head(r *http.Request, path, id string) *refusal {
	x.request.Reset(r.Method, path, r.URL.RawQuery)
	x.request.Body = x.body
	for name, values := range r.Header {
		switch name {
		case "Authorization", "Proxy-Authorization", scoring.RequestID, scoring.ServiceID, scoring.ClientID:
		default:
			if !hopByHop(name) {
				x.request.Add(name, join(values))
			}
		}
	}
	x.request.Add("Host", r.Host)
	x.request.Add(scoring.RequestID, id)
	x.request.Add(scoring.ServiceID, id)
	if client := scoring.CleanClientID(r.Header.Get(scoring.ClientID)); client != "" {
		x.request.Add(scoring.ClientID, client)
	}
	switch err := x.request.Check(); {
	case err == nil:
		return nil
	case online.CodeOf(err) == online.TooLarge:
		return refuseHeaders
	}
	return refuseUnread
}

func join(values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	return strings.Join(values, ", ") // RFC 9110, section 5.3
}

// hopByHop tells whether a header speaks of the connection it came on (RFC 9110, section 7.6.1).
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// claim takes the first claim, of a deployment. A deployment that refuses is draining, so newer
// routes are in force by then and it looks again; where they are not, someone drained what is
// routed, and the request is refused rather than left to spin.
func (g *Gateway) claim(endpoint, wanted string) (*target, *refusal) {
	for seen := uint64(0); ; {
		r := (*g.routes.Load())[endpoint]
		switch {
		case r == nil:
			return nil, refuseNoEndpoint
		case r.seq <= seen:
			return nil, refuseNotReady
		}
		t, refusal := r.pick(wanted)
		if refusal != nil {
			return nil, refusal
		}
		switch t.claim() {
		case claimed:
			return t, nil
		case full:
			return t, refuseTooMany
		case closed:
			return t, refuseNotReady
		case refused:
			seen = r.seq
		}
	}
}

// run takes the second claim, of a worker, and has it answer. It gives the first claim back,
// except for a request that it leaves to its worker.
func (x *exchange) run(ctx context.Context, t *target) (*frame.Response, *refusal) {
	deadline := time.Now().Add(t.Timeout)
	for again := false; ; again = true {
		if refusal := x.wait(ctx, t, deadline, again); refusal != nil {
			t.release()
			return nil, refusal
		}
		sent, err := x.call.conn.Send(&x.request, deadline)
		if err == nil {
			return x.await(t, deadline)
		}
		t.lose(x.call.worker, err)
		if sent {
			t.release()
			return nil, refuseLost(err)
		}
	}
}

// wait waits for a worker.
func (x *exchange) wait(ctx context.Context, t *target, deadline time.Time, again bool) *refusal {
	if t.acquire(x.call, again) {
		return nil
	}
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-x.call.granted:
		return nil
	case <-ctx.Done():
	case <-timer.C:
	}
	x.kept = true // the grant may have come in between
	if t.leave(x.call) {
		return refuseTimedOut
	}
	return refuseNotReady
}

// await reads the answer to what was sent.
func (x *exchange) await(t *target, deadline time.Time) (*frame.Response, *refusal) {
	w, conn := x.call.worker, x.call.conn
	err := conn.Wait(deadline)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		x.kept = true
		w.left <- t.Stuck // the claim goes with it
		return nil, refuseTimedOut
	}
	answer := answers.Get().(*frame.Response)
	if err == nil {
		err = conn.Receive(answer)
	}
	if err != nil {
		t.lose(w, err)
		t.release()
		return nil, refuseLost(err)
	}
	t.finish(w)
	return answer, nil
}

// refuseLost tells the end of a connection from the end of the time, in the middle of a large
// body, that the request had.
func refuseLost(err error) *refusal {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refuseTimedOut
	}
	return refuseWorkerLost
}

// newID returns a GUID (RFC 9562, version 4). It is a name, not a secret.
func newID() string {
	const digits = "0123456789abcdef"
	high, low := rand.Uint64(), rand.Uint64()
	high = high&^0xf000 | 0x4000
	low = low&^(0b11<<62) | 0b10<<62
	var id [36]byte
	for n := range id {
		switch n {
		case 8, 13, 18, 23:
			id[n] = '-'
			continue
		}
		if n == 19 {
			high = low
		}
		id[n] = digits[high>>60]
		high <<= 4
	}
	return string(id[:])
}
