package gateway

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"hotswap/internal/online"
)

// startScored starts a front whose worker echoes.
func startScored(t *testing.T, o FrontOptions) (*testFront, *fakeWorker) {
	t.Helper()
	worker := startWorker(t, echo(""))
	return startFront(t, serve(t, Options{}, endpoint(1, deployment("blue", 1, worker))), o), worker
}

// status returns the status of the next answer, 0 where the connection ends instead.
func status(t *testing.T, from *bufio.Reader) (code int, last bool) {
	t.Helper()
	a, err := http.ReadResponse(from, nil)
	if err != nil {
		return 0, true
	}
	if _, err := io.Copy(io.Discard, a.Body); err != nil {
		t.Error(err)
	}
	return a.StatusCode, a.Close
}

// A request may come in any pieces.
func TestFrontReadsAnyPieces(t *testing.T) {
	f, _ := startScored(t, quick)
	raw := request(scoreLine, "Content-Length: 3") + "abc"
	for _, size := range []int{1, 7, 64} {
		c := dial(t, f.address)
		answers := bufio.NewReader(c)
		for range 2 {
			for rest := raw; rest != ""; rest = rest[min(size, len(rest)):] {
				io.WriteString(c, rest[:min(size, len(rest))])
			}
			if got, last := status(t, answers); got != 200 || last {
				t.Errorf("pieces of %d: status %d, the last one: %t", size, got, last)
			}
		}
	}
	if n := f.handed.Load(); n != 0 {
		t.Errorf("%d connections were handed over", n)
	}
}

func TestFrontTimes(t *testing.T) {
	const short = 200 * time.Millisecond
	slow, early, late := quick, quick, quick
	slow.HeaderTimeout, early.IdleTimeout, late.BodyGrace = short, short, short
	score := request(scoreLine, "Content-Length: 1") + "x"
	cases := map[string]struct {
		options FrontOptions
		sent    string
		drip    string // sent piece by piece, for longer than any time
		want    []int
	}{
		"no request":            {early, "", "", nil},
		"no second request":     {early, score, "", []int{200}},
		"half a head":           {slow, score[:30], "", nil},
		"a head, byte by byte":  {slow, score[:30], score[30:], nil},
		"a second one, slowly":  {slow, score, score, []int{200}},
		"half a body":           {late, request(scoreLine, "Content-Length: 9") + "x", "", []int{400}},
		"a body, byte by byte":  {late, request(scoreLine, "Content-Length: 99"), strings.Repeat("x", 99), []int{400}},
		"one that is not taken": {late, strings.Replace(request(scoreLine, "Content-Length: 9"), testKey, "none", 1), "x", []int{401}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, worker := startScored(t, c.options)
			conn := dial(t, f.address)
			began := time.Now()
			io.WriteString(conn, c.sent)
			go func() {
				for n := range len(c.drip) {
					time.Sleep(20 * time.Millisecond)
					io.WriteString(conn, c.drip[n:n+1])
				}
			}()
			answers := bufio.NewReader(conn)
			for _, want := range c.want {
				if got, _ := status(t, answers); got != want {
					t.Errorf("status %d, want %d", got, want)
				}
			}
			if got, _ := status(t, answers); got != 0 {
				t.Errorf("status %d, want the end", got)
			}
			if took := time.Since(began); took < 190*time.Millisecond || took > 1500*time.Millisecond {
				t.Errorf("ended after %v", took)
			}
			if got := len(worker.bodies()); got != strings.Count(name, "second") {
				t.Errorf("the worker got %d requests", got)
			}
		})
	}
}

// A body at the least pace is waited for, and what is set for it does not reach the next request.
func TestFrontWaitsForALongBody(t *testing.T) {
	o := quick
	o.BodyGrace, o.BodyRate, o.IdleTimeout = 150*time.Millisecond, 100, 5*time.Second
	f, _ := startScored(t, o)
	c := dial(t, f.address)
	answers := bufio.NewReader(c)
	io.WriteString(c, request(scoreLine, "Content-Length: 600"))
	for range 6 {
		time.Sleep(100 * time.Millisecond)
		io.WriteString(c, strings.Repeat("x", 100))
	}
	if got, _ := status(t, answers); got != 200 {
		t.Errorf("status %d", got)
	}
	time.Sleep(300 * time.Millisecond)
	io.WriteString(c, request(scoreLine))
	if got, _ := status(t, answers); got != 200 {
		t.Errorf("the next one: status %d", got)
	}
}

func TestFrontClientGoneClaimsNothing(t *testing.T) {
	f, worker := startScored(t, quick)
	c := dial(t, f.address)
	io.WriteString(c, request(scoreLine, "Content-Length: 10")+"half")
	c.CloseWrite()
	if got, last := status(t, bufio.NewReader(c)); got != 400 || !last {
		t.Errorf("status %d, the last one: %t", got, last)
	}
	if claims, _ := backendOf(f.gateway, "blue").count(); claims != 0 || len(worker.bodies()) != 0 {
		t.Errorf("%d claims, worker got %q", claims, worker.bodies())
	}
}

// Requests that are not for the front end its part of a connection, in the middle of a pipeline too.
func TestFrontHandsOverForGood(t *testing.T) {
	o := quick
	o.Others = func(host string) bool { return host == "elsewhere" }
	f, _ := startScored(t, o)
	c := dial(t, f.address)
	answers := bufio.NewReader(c)
	score := request(scoreLine, "Content-Length: 1") + "x"
	for n, step := range []struct {
		raw    string
		want   int
		handed int64
	}{
		{score, 200, 0},
		{strings.Replace(score, "Host: here", "Host: elsewhere", 1), 200, 1},
		{score, 200, 1},
		{"GET /metadata HTTP/1.1\r\nHost: here\r\n\r\n", 404, 1},
	} {
		io.WriteString(c, step.raw)
		if got, last := status(t, answers); got != step.want || last || f.handed.Load() != step.handed {
			t.Errorf("step %d: status %d, the last one: %t, %d handed over", n, got, last, f.handed.Load())
		}
	}
}

// Stop ends idle connections at once, and each other one with its answer.
func TestFrontStops(t *testing.T) {
	h := hold()
	worker := startWorker(t, h.answer)
	f := startFront(t, serve(t, Options{}, endpoint(1, deployment("blue", 1, worker))), quick)
	score := request(scoreLine, "Content-Length: 1") + "x"
	fresh, works, queues := dial(t, f.address), dial(t, f.address), dial(t, f.address)
	io.WriteString(works, score)
	<-h.begun
	io.WriteString(queues, score+score)
	eventually(t, "one waits", func() bool {
		_, waiting := backendOf(f.gateway, "blue").count()
		return waiting == 1
	})
	late, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	stopped := make(chan error)
	go func() { stopped <- f.Stop(t.Context()) }()
	if n, err := fresh.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("an idle connection: %d bytes, %v", n, err)
	}
	defer cancel()
	<-late.Done()
	select {
	case err := <-stopped:
		t.Errorf("stopped with two requests under way: %v", err)
	default:
	}
	close(h.let)
	for name, c := range map[string]*bufio.Reader{"works": bufio.NewReader(works), "queues": bufio.NewReader(queues)} {
		if got, last := status(t, c); got != 200 || !last {
			t.Errorf("%s: status %d, the last one: %t", name, got, last)
		}
		if got, _ := status(t, c); got != 0 {
			t.Errorf("%s: status %d after the last one", name, got)
		}
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// When its time is up, Stop cuts off what is under way; what waits for a worker is given up.
func TestFrontIsCutOff(t *testing.T) {
	h := hold()
	worker := startWorker(t, h.answer)
	f := startFront(t, serve(t, Options{}, endpoint(1, deployment("blue", 1, worker))), quick)
	works, queues := dial(t, f.address), dial(t, f.address)
	io.WriteString(works, request(scoreLine))
	<-h.begun
	io.WriteString(queues, request(scoreLine))
	eventually(t, "one waits", func() bool {
		_, waiting := backendOf(f.gateway, "blue").count()
		return waiting == 1
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := f.Stop(ctx); online.CodeOf(err) != online.Unavailable || !strings.Contains(err.Error(), "2 scoring requests") {
		t.Errorf("Stop: %v", err)
	}
	for name, c := range map[string]io.Reader{"works": works, "queues": queues} {
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
	}
	eventually(t, "the one that waits is given up", func() bool {
		claims, waiting := backendOf(f.gateway, "blue").count()
		return claims == 1 && waiting == 0
	})
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("given up after %v", took)
	}
	close(h.let)
	if err := f.Stop(t.Context()); err != nil {
		t.Errorf("Stop, again: %v", err)
	}
}

// After Part, answers end their connections, and new ones are still taken.
func TestFrontParts(t *testing.T) {
	f, _ := startScored(t, quick)
	before := dial(t, f.address)
	io.WriteString(before, request(scoreLine))
	if got, last := status(t, bufio.NewReader(before)); got != 200 || last {
		t.Errorf("before: status %d, the last one: %t", got, last)
	}
	f.Part()
	for name, c := range map[string]io.ReadWriter{"before": before, "after": dial(t, f.address)} {
		io.WriteString(c, request(scoreLine))
		if got, last := status(t, bufio.NewReader(c)); got != 200 || !last {
			t.Errorf("%s: status %d, the last one: %t", name, got, last)
		}
	}
}

// A client that Stop finds busy, and that goes idle with no answer in between, sees that it is stopping.
func TestFrontStopsWhoGoesIdle(t *testing.T) {
	f := New(Options{}).NewFront(quick)
	conn, other := net.Pipe()
	defer other.Close()
	c := &client{front: f, conn: conn, in: make([]byte, firstIn)}
	f.add(c)
	f.hush()
	waited := make(chan bool)
	go func() { waited <- c.wait() }()
	select {
	case more := <-waited:
		if more {
			t.Error("it goes on")
		}
	case <-time.After(time.Second):
		t.Error("it waits for a request")
		conn.Close()
		<-waited
	}
}
