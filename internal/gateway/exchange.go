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
	"hotswap/internal/meter"
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

// exchange is one request from its head to its answer, with its buffers, which are kept for another
// one. A front begins it, gives it the headers and the body, has the gateway answer, and writes what
// is in it then. All fronts do the same with it, so what a request gets does not depend on which
// it came by.
type exchange struct {
	// From the front.
	endpoint      string // "" where the path names none
	id            string
	authorization string
	clientID      string
	wanted        string // deployment that is asked for by name
	length        int64  // of the body; -1 where it is not told
	source        io.Reader

	request frame.Request
	body    []byte
	picking time.Time // when the deployment began to be picked: the body was there by then
	call    *call
	timer   *time.Timer
	kept    bool // its call is left behind: nothing of it may be used again

	// For the front.
	status  int
	fields  []field // headers, all but those of the connection
	content []byte
	answer  frame.Response

	out []byte // the answer as Front writes it
}

// field is one header; its name is in canonical form.
type field struct{ name, value string }

var exchanges = sync.Pool{New: func() any {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &exchange{call: &call{granted: make(chan struct{}, 1)}, timer: timer}
}}

// begin returns an exchange for a request with that request line; path is as the client escaped it.
func begin(method, path, query string) *exchange {
	x := exchanges.Get().(*exchange)
	x.endpoint, path = split(path)
	x.id = newID()
	x.authorization, x.clientID, x.wanted = "", "", ""
	x.request.Reset(method, path, query)
	x.request.Add(scoring.RequestID, x.id)
	x.request.Add(scoring.ServiceID, x.id)
	return x
}

// header takes a header of the request. The client's credentials don't go to the worker, nor do
// the headers of the connection.
func (x *exchange) header(name, value string) {
	switch name {
	case "Authorization":
		x.authorization = value
		return
	case scoring.ClientID:
		if value = scoring.CleanClientID(value); value == "" {
			return
		}
		x.clientID = value
	case scoring.Deployment:
		x.wanted = value
	case "Proxy-Authorization", scoring.RequestID, scoring.ServiceID:
		return
	default:
		if hopByHop(name) {
			return
		}
	}
	x.request.Add(name, value)
}

// free keeps the buffers for the next request.
func (x *exchange) free() {
	if x.kept || cap(x.body) > keptBody || cap(x.answer.Body) > keptBody {
		return
	}
	x.source = nil
	exchanges.Put(x)
}

func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := begin(r.Method, r.URL.EscapedPath(), r.URL.RawQuery)
	defer x.free()
	x.header("Host", r.Host)
	for name, values := range r.Header {
		x.header(name, join(values))
	}
	x.source, x.length = r.Body, r.ContentLength
	g.answer(r.Context(), x)
	x.write(w)
}

// answer takes a request from its head to its answer.
func (g *Gateway) answer(ctx context.Context, x *exchange) {
	t, refusal := g.exchange(ctx, x)
	x.identify(t, refusal == nil)
	given := meter.Status{}
	if refusal != nil {
		x.refuse(refusal)
		given.Model = refusal.model
	} else {
		given.Model = x.answer.Status
		x.pass()
	}
	if t != nil {
		given.Client = x.status
		t.counter.Count(x.picking, given)
	}
}

// exchange has a worker answer. The target is nil where none was picked.
func (g *Gateway) exchange(ctx context.Context, x *exchange) (*target, *refusal) {
	if x.endpoint == "" {
		return nil, refuseNoEndpoint
	}
	if refusal := g.authenticate(x.endpoint, x.authorization); refusal != nil {
		return nil, refusal
	}
	if refusal := x.read(g.maxBody); refusal != nil {
		return nil, refusal
	}
	if refusal := x.check(); refusal != nil {
		return nil, refusal
	}
	x.picking = time.Now()
	t, refusal := g.claim(x.endpoint, x.wanted)
	if refusal != nil {
		return t, refusal
	}
	return t, x.run(ctx, t)
}

// split takes /endpoints/NAME/PATH apart; path keeps its slash. The name is "" where there is none.
func split(escaped string) (name, path string) {
	rest, ok := strings.CutPrefix(escaped, scored)
	slash := strings.IndexByte(rest, '/')
	if !ok || slash < 0 {
		return "", "/"
	}
	return strings.ToLower(rest[:slash]), rest[slash:]
}

// scored is what the path of a scoring request begins with.
const scored = "/endpoints/"

// read reads the whole body. It comes before any claim, so that a client that is slow, or gone,
// holds nothing.
func (x *exchange) read(limit int64) *refusal {
	if x.length > limit {
		return refuseTooLarge
	}
	x.body = slices.Grow(x.body[:0], int(min(max(x.length, 0), firstBody))+1)
	for {
		n, err := x.source.Read(x.body[len(x.body):cap(x.body)])
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

// check tells whether the request can be sent to a worker.
func (x *exchange) check() *refusal {
	x.request.Body = x.body
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
func (x *exchange) run(ctx context.Context, t *target) *refusal {
	deadline := x.picking.Add(t.Timeout)
	x.call.request, x.call.deadline = &x.request, deadline
	for again := false; ; again = true {
		if refusal := x.wait(ctx, t, again); refusal != nil {
			t.release()
			return refusal
		}
		sent, err := x.call.send()
		if err == nil {
			return x.await(t, deadline)
		}
		t.lose(x.call.worker, err)
		if sent {
			t.release()
			return refuseLost(err)
		}
	}
}

// wait waits for a worker. Where the request was sent already when its time is up, it goes on: there
// is a worker now that has to be waited for.
func (x *exchange) wait(ctx context.Context, t *target, again bool) *refusal {
	c := x.call
	if t.acquire(c, again) {
		return nil
	}
	x.timer.Reset(time.Until(c.deadline))
	defer x.timer.Stop()
	select {
	case <-c.granted:
		return nil
	case <-ctx.Done():
	case <-x.timer.C:
	}
	left, alive := t.leave(c)
	if !left {
		if <-c.granted; c.ahead {
			return nil
		}
		t.decline(c)
	}
	if alive {
		return refuseTimedOut
	}
	return refuseNotReady
}

// await reads the answer to what was sent.
func (x *exchange) await(t *target, deadline time.Time) *refusal {
	w, conn := x.call.worker, x.call.conn
	err := conn.Wait(deadline)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		x.kept = true
		w.left <- t.Stuck // the claim goes with it
		return refuseTimedOut
	}
	if err == nil {
		err = conn.Receive(&x.answer)
	}
	if err != nil {
		t.lose(w, err)
		t.release()
		return refuseLost(err)
	}
	t.finish(w)
	return nil
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
