package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hotswap/internal/frame"
	"hotswap/internal/scoring"
)

// held is a worker's answer that waits until it is let go.
type held struct {
	begun chan string   // the body of each request as it begins
	let   chan struct{} // one receive for each answer, or closed
}

func hold() *held { return &held{make(chan string, 100), make(chan struct{})} }

func (h *held) answer(q asked) (int, string) {
	h.begun <- string(q.body)
	<-h.let
	return http.StatusOK, string(q.body)
}

// later posts in the background.
func later(g http.Handler, body string) <-chan *httptest.ResponseRecorder {
	done := make(chan *httptest.ResponseRecorder, 1)
	go func() { done <- post(g, body) }()
	return done
}

// backendOf returns the backend of a deployment that is in force.
func backendOf(g *Gateway, deployment string) *backend {
	return (*g.routes.Load())["taxi"].targets[deployment].backend
}

func (b *backend) count() (claims, waiting int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.claims, b.queue.Len()
}

func TestDrainingDeploymentRefusesClaims(t *testing.T) {
	b := &backend{limit: 2, instances: []*instance{{}}}
	if got := b.claim(); got != claimed {
		t.Fatalf("a fresh deployment answered a claim with %v", got)
	}
	drained := b.drain()
	if got := b.claim(); got != refused {
		t.Errorf("a draining deployment answered a claim with %v", got)
	}
	select {
	case <-drained:
		t.Error("drained while a claim was held")
	default:
	}
	b.release()
	<-drained
}

// A deployment that is drained while the routes still name it refuses, and the request ends.
func TestRoutesToDrainedDeploymentDoNotSpin(t *testing.T) {
	g := serve(t, Options{}, endpoint(1, deployment("blue", 1, startWorker(t, echo("")))))
	backendOf(g, "blue").drain()
	w := post(g, "x")
	want(t, w, http.StatusServiceUnavailable, "*")
	if got := w.Header().Get(scoring.ErrorReason); got != scoring.ModelNotReady {
		t.Errorf("reason %q", got)
	}
}

// The window that load cannot be trusted to hit: a request has loaded routes that name blue, and
// blue drains before the request has claimed it.
func TestRefusedClaimTakesNewerRoutes(t *testing.T) {
	blue, green := deployment("blue", 1, startWorker(t, echo("blue "))), deployment("green", 1, startWorker(t, echo("green ")))
	g := serve(t, Options{}, endpoint(1, blue))
	b := backendOf(g, "blue")
	b.mu.Lock()
	answer := later(g, "x")
	eventually(t, "the request is about to claim blue", func() bool {
		stacks := make([]byte, 1<<20)
		return strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "gateway.(*backend).claim(")
	})
	swap(t, g, endpoint(2, green))
	b.drained = make(chan struct{})
	close(b.drained)
	b.mu.Unlock()
	want(t, <-answer, http.StatusOK, "green x")
}

func TestDeadWorkerIsSkipped(t *testing.T) {
	dead, sibling := startWorker(t, echo("dead ")), startWorker(t, echo("sibling "))
	g := serve(t, Options{}, endpoint(1, deployment("blue", 4, dead, sibling)))
	dead.kill()
	for n := range 10 {
		want(t, post(g, fmt.Sprint(n)), http.StatusOK, fmt.Sprint("sibling ", n))
	}
	if got := dead.bodies(); len(got) > 0 {
		t.Errorf("the dead worker got %q", got)
	}
	dead.start() // at the same address, and is found again
	eventually(t, "the worker that came back is used", func() bool {
		return strings.HasPrefix(post(g, "y").Body.String(), "dead ")
	})
}

func TestNothingIsSentTwice(t *testing.T) {
	var got atomic.Int64
	dies := func(asked) (int, string) {
		got.Add(1)
		return 0, ""
	}
	g := serve(t, Options{}, endpoint(1, deployment("blue", 4, startWorker(t, dies), startWorker(t, dies))))
	w := post(g, "pay once")
	want(t, w, http.StatusFailedDependency, "*")
	if n := got.Load(); n != 1 {
		t.Errorf("the request was sent %d times", n)
	}
	if reason, status := w.Header().Get(scoring.ErrorReason), w.Header().Get(scoring.ErrorStatusCode); reason != "model_error" || status != "502" {
		t.Errorf("reason %q, status %q; want model_error, 502", reason, status)
	}
}

// The same where the worker dies before it has the whole request.
func TestHalfARequestIsNotSentAgain(t *testing.T) {
	sibling := startWorker(t, func(asked) (int, string) { return http.StatusOK, "ok" })
	dies := newWorker(t, echo(""))
	l, err := net.Listen("unix", dies.address.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		c.Write(testFrame(1, 0, "1\ndies"))
		io.ReadFull(c, make([]byte, 1000))
		c.Close()
		l.Close()
	})
	d := deployment("blue", 1, sibling, dies)
	g := serve(t, Options{}, endpoint(1, d))
	large := strings.Repeat("x", 4<<20)
	statuses := map[int]int{}
	for range 2 { // one to each
		statuses[post(g, large).Code]++
	}
	if statuses[http.StatusOK] != 1 || statuses[http.StatusFailedDependency] != 1 || len(sibling.bodies()) != 1 {
		t.Errorf("statuses %v, the sibling got %d requests", statuses, len(sibling.bodies()))
	}
}

func TestPendingLimit(t *testing.T) {
	h := hold()
	const concurrency = 3
	g := serve(t, Options{}, endpoint(1, deployment("blue", concurrency, startWorker(t, h.answer))))
	var answers []<-chan *httptest.ResponseRecorder
	for n := range 2 * concurrency {
		answers = append(answers, later(g, fmt.Sprint(n)))
	}
	eventually(t, "all are pending", func() bool {
		claims, _ := backendOf(g, "blue").count()
		return claims == 2*concurrency
	})
	w := post(g, "one too many")
	want(t, w, http.StatusTooManyRequests, "")
	if got := w.Header().Get(scoring.ErrorReason); got != "too_many_pending_request" {
		t.Errorf("reason %q", got)
	}
	close(h.let)
	for n, answer := range answers {
		want(t, <-answer, http.StatusOK, fmt.Sprint(n))
	}
	want(t, post(g, "room again"), http.StatusOK, "room again")
}

func TestConcurrencyBoundsAnInstance(t *testing.T) {
	h := hold()
	d := deployment("blue", 2)
	d.Instances = []Instance{{ID: "i", Workers: []Address{
		startWorker(t, h.answer).address, startWorker(t, h.answer).address, startWorker(t, h.answer).address,
	}}}
	g := serve(t, Options{}, endpoint(1, d))
	answers := []<-chan *httptest.ResponseRecorder{later(g, "a"), later(g, "b"), later(g, "c")}
	eventually(t, "one waits", func() bool {
		claims, waiting := backendOf(g, "blue").count()
		return claims == 3 && waiting == 1
	})
	if len(h.begun) > 2 {
		t.Errorf("%d requests run, want 2", len(h.begun))
	}
	close(h.let)
	for _, answer := range answers {
		want(t, <-answer, http.StatusOK, "*")
	}
}

func TestWaitingIsFirstComeFirstServed(t *testing.T) {
	h := hold()
	worker := startWorker(t, h.answer)
	g := serve(t, Options{}, endpoint(1, deployment("blue", 10, worker)))
	var order []string
	var answers []<-chan *httptest.ResponseRecorder
	for n := range 12 {
		order = append(order, fmt.Sprint(n))
		answers = append(answers, later(g, fmt.Sprint(n)))
		eventually(t, "it is in its place", func() bool {
			claims, _ := backendOf(g, "blue").count()
			return claims == n+1
		})
		if n > 0 {
			eventually(t, "it waits", func() bool {
				_, waiting := backendOf(g, "blue").count()
				return waiting == n
			})
		}
	}
	close(h.let)
	for _, answer := range answers {
		want(t, <-answer, http.StatusOK, "*")
	}
	if got := worker.bodies(); !slices.Equal(got, order) {
		t.Errorf("served in the order %v", got)
	}
}

// A request whose worker was dead when it came to send keeps its turn.
func TestRequestThatComesBackGoesFirst(t *testing.T) {
	b := &backend{concurrency: 1, limit: 4}
	i := &instance{}
	w := &worker{backend: b, instance: i, broken: make(chan error, 1)}
	i.workers, b.instances = []*worker{w}, []*instance{i}
	waits, comesBack := &call{granted: make(chan struct{}, 1)}, &call{granted: make(chan struct{}, 1)}
	if b.acquire(waits, false) || b.acquire(comesBack, true) {
		t.Fatal("a worker that is down was given away")
	}
	b.up(w, new(frame.Conn))
	select {
	case <-comesBack.granted:
	default:
		t.Error("another request was served before it")
	}
	b.decline(comesBack)
	<-waits.granted
}

func TestTimeoutHoldsTheWorker(t *testing.T) {
	h := hold()
	worker := startWorker(t, h.answer)
	d := deployment("blue", 1, worker)
	d.Timeout = 50 * time.Millisecond
	g := serve(t, Options{}, endpoint(1, d))
	want(t, post(g, "slow"), http.StatusRequestTimeout, scoring.TimedOut)
	want(t, post(g, "waits in vain"), http.StatusRequestTimeout, scoring.TimedOut)
	if claims, waiting := backendOf(g, "blue").count(); claims != 1 || waiting != 0 {
		t.Errorf("%d claims, %d waiting; want the one whose worker still runs it", claims, waiting)
	}
	close(h.let)
	eventually(t, "the worker has answered", func() bool {
		claims, _ := backendOf(g, "blue").count()
		return claims == 0
	})
	want(t, post(g, "next"), http.StatusOK, "next")
	if got := worker.bodies(); !slices.Equal(got, []string{"slow", "next"}) {
		t.Errorf("the worker got %q", got)
	}
}

// An answer that stops in the middle is a 408 too, and its connection is of no more use.
func TestAnswerThatStalls(t *testing.T) {
	var requests atomic.Int64
	worker := startWorker(t, func(asked) (int, string) {
		if requests.Add(1) == 1 {
			return stalls, ""
		}
		return http.StatusOK, "ok"
	})
	d := deployment("blue", 1, worker)
	d.Timeout = 100 * time.Millisecond
	g := serve(t, Options{}, endpoint(1, d))
	want(t, post(g, "x"), http.StatusRequestTimeout, scoring.TimedOut)
	want(t, post(g, "x"), http.StatusOK, "ok")
}

func TestStuckWorkerIsReplaced(t *testing.T) {
	h := hold()
	worker := startWorker(t, h.answer)
	d := deployment("blue", 1, worker)
	d.Timeout, d.Stuck = 30*time.Millisecond, 30*time.Millisecond
	stuck := make(chan string, 10)
	g := serve(t, Options{Stuck: func(instance string, n int) { stuck <- fmt.Sprint(instance, " ", n) }}, endpoint(1, d))
	want(t, post(g, "forever"), http.StatusRequestTimeout, "*")
	if got := <-stuck; got != "blue-1-a 0" {
		t.Errorf("told of %q", got)
	}
	eventually(t, "its claim is given back", func() bool {
		claims, _ := backendOf(g, "blue").count()
		return claims == 0
	})
	// The process is there still and says hello; it must not get a request that waits behind the stuck one.
	want(t, post(g, "no worker"), http.StatusServiceUnavailable, "*")
	close(h.let)
	worker.kill()
	worker.start()
	eventually(t, "the new process serves", func() bool { return post(g, "next").Code == http.StatusOK })
	if got := worker.bodies(); slices.Contains(got, "no worker") {
		t.Errorf("the stuck process got %q", got)
	}
}

func TestWorkerThatBreaksTheProtocolIsReplaced(t *testing.T) {
	worker := startWorker(t, func(asked) (int, string) { return 99, "no such status" })
	stuck := make(chan int, 10)
	g := serve(t, Options{Stuck: func(_ string, n int) { stuck <- n }}, endpoint(1, deployment("blue", 1, worker)))
	want(t, post(g, "x"), http.StatusFailedDependency, "*")
	if n := <-stuck; n != 0 {
		t.Errorf("told of worker %d", n)
	}
}

func TestNoWorkerAlive(t *testing.T) {
	worker := startWorker(t, echo("back "))
	d := deployment("blue", 1, worker)
	d.Timeout = 400 * time.Millisecond
	g := serve(t, Options{}, endpoint(1, d))
	worker.kill()
	w := post(g, "too early")
	want(t, w, http.StatusServiceUnavailable, "*")
	if got := w.Header().Get(scoring.ErrorReason); got != "model_not_ready" {
		t.Errorf("reason %q", got)
	}
	var group sync.WaitGroup
	group.Go(func() {
		time.Sleep(50 * time.Millisecond)
		worker.start()
	})
	want(t, post(g, "waits for the restart"), http.StatusOK, "back waits for the restart")
	group.Wait()
}

func TestClientThatLeavesTheQueueIsNotServed(t *testing.T) {
	h := hold()
	worker := startWorker(t, h.answer)
	g := serve(t, Options{}, endpoint(1, deployment("blue", 1, worker)))
	first := later(g, "first")
	<-h.begun
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		r := httptest.NewRequest(http.MethodPost, "/endpoints/taxi/score", strings.NewReader("gone")).WithContext(ctx)
		r.Header.Set("Authorization", "Bearer "+testKey)
		g.ServeHTTP(httptest.NewRecorder(), r)
	}()
	eventually(t, "it waits", func() bool {
		_, waiting := backendOf(g, "blue").count()
		return waiting == 1
	})
	leave()
	<-gone
	close(h.let)
	want(t, <-first, http.StatusOK, "first")
	if claims, _ := backendOf(g, "blue").count(); claims != 0 || len(worker.bodies()) != 1 {
		t.Errorf("%d claims are held, the worker got %q", claims, worker.bodies())
	}
}

// halfBody is a client that goes away in the middle of its body.
type halfBody struct{ sent bool }

func (h *halfBody) Read(p []byte) (int, error) {
	if h.sent {
		return 0, errors.New("connection reset")
	}
	h.sent = true
	return copy(p, "half"), nil
}

func TestClientGoneWhileReadingClaimsNothing(t *testing.T) {
	worker := startWorker(t, echo(""))
	g := serve(t, Options{}, endpoint(1, deployment("blue", 1, worker)))
	r := httptest.NewRequest(http.MethodPost, "/endpoints/taxi/score", &halfBody{})
	r.Header.Set("Authorization", "Bearer "+testKey)
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	want(t, w, http.StatusBadRequest, "*")
	if claims, _ := backendOf(g, "blue").count(); claims != 0 || len(worker.bodies()) != 0 {
		t.Errorf("%d claims, worker got %q", claims, worker.bodies())
	}
}
