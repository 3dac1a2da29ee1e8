package gateway

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"hotswap/internal/frame"
)

// Who frees a worker sends the next request, so that the worker is not idle until that one's own
// goroutine runs; it is sent once, and one whose time is up by then is waited for.
func TestNextRequestIsSentAhead(t *testing.T) {
	fake := startWorker(t, echo(""))
	g := serve(t, Options{}, endpoint(1, deployment("blue", 1, fake)))
	b := backendOf(g, "blue")
	b.limit = 3
	made := func(body string) *call {
		r := new(frame.Request)
		r.Reset("POST", "/score", "")
		r.Body = []byte(body)
		if b.claim() != claimed {
			t.Fatal("no claim")
		}
		return &call{granted: make(chan struct{}, 1), request: r, deadline: time.Now().Add(5 * time.Second)}
	}
	ends := func(c *call) {
		var answer frame.Response
		if err := errors.Join(c.conn.Wait(c.deadline), c.conn.Receive(&answer)); err != nil || string(answer.Body) != string(c.request.Body) {
			t.Fatalf("answer %q, error %v", answer.Body, err)
		}
		b.finish(c.worker)
	}
	works, small, large := made("works"), made("small"), made(strings.Repeat("l", 100_000))
	if !b.acquire(works, false) || b.acquire(small, false) || b.acquire(large, false) {
		t.Fatal("one worker, and another number of requests has it")
	}
	if sent, err := works.send(); !sent || err != nil {
		t.Fatal(sent, err)
	}
	ends(works)
	eventually(t, "the worker has it", func() bool { return slices.Equal(fake.bodies(), []string{"works", "small"}) })
	if left, _ := b.leave(small); left {
		t.Error("it left the queue with a worker")
	}
	<-small.granted
	if sent, err := small.send(); !sent || err != nil || small.ahead {
		t.Errorf("sent %t, error %v, ahead still: %t", sent, err, small.ahead)
	}
	ends(small)
	<-large.granted
	if large.ahead {
		t.Error("a large request was sent ahead, which may take a while")
	}
	b.decline(large)
	b.release()
	if got := fake.bodies(); len(got) != 2 {
		t.Errorf("the worker got %d requests", len(got))
	}
}
