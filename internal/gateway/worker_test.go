package gateway

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// asked is a request as the fake worker got it.
type asked struct {
	head []string // method, path, query, header lines
	body []byte
}

const stalls = -1

// fakeWorker speaks the worker's end of the protocol; see package frame.
type fakeWorker struct {
	t       *testing.T
	address Address
	answer  func(asked) (status int, body string) // status 0: the connection is closed instead; stalls: only the head is sent

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	lives    int // times it was started
	got      []string
	group    sync.WaitGroup
}

// newWorker makes a worker, not yet listening, whose answers come from f.
func newWorker(t *testing.T, f func(asked) (int, string)) *fakeWorker {
	t.Helper()
	w := &fakeWorker{
		t: t, answer: f, conns: map[net.Conn]bool{},
		address: Address{"unix", filepath.Join(t.TempDir(), "w")},
	}
	t.Cleanup(w.kill)
	return w
}

// startWorker makes a worker that listens.
func startWorker(t *testing.T, f func(asked) (int, string)) *fakeWorker {
	t.Helper()
	w := newWorker(t, f)
	w.start()
	return w
}

// start begins to listen, as another process than before.
func (w *fakeWorker) start() {
	l, err := net.Listen(w.address.Network, w.address.Address)
	if err != nil {
		w.t.Error(err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listener = l
	w.lives++
	process := fmt.Sprint("process-", w.lives)
	w.group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.mu.Lock()
			w.conns[c] = true
			w.mu.Unlock()
			w.group.Go(func() { w.serve(c, process) })
		}
	})
}

// kill closes the listener and every connection at once.
func (w *fakeWorker) kill() {
	w.mu.Lock()
	if w.listener != nil {
		w.listener.Close()
	}
	w.mu.Unlock()
	w.hangUp()
	w.group.Wait()
}

// hangUp closes every connection.
func (w *fakeWorker) hangUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		c.Close()
	}
}

// bodies returns the bodies of all requests so far, in their order.
func (w *fakeWorker) bodies() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.got...)
}

func testFrame(kind byte, id uint64, payload string) []byte {
	b := binary.BigEndian.AppendUint64([]byte{kind}, id)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	return append(b, payload...)
}

func (w *fakeWorker) serve(c net.Conn, process string) {
	defer c.Close()
	c.Write(testFrame(1, 0, "1\n"+process))
	reader := bufio.NewReader(c)
	for id := uint64(1); ; id++ {
		q, err := readRequest(reader, id)
		if err != nil {
			if errors.Is(err, errOrder) {
				w.t.Error(err)
			}
			return
		}
		w.mu.Lock()
		w.got = append(w.got, string(q.body))
		w.mu.Unlock()
		status, body := w.answer(q)
		if status == 0 {
			return
		}
		if status == stalls {
			c.Write(testFrame(2, id, "200"))
			continue
		}
		reply := testFrame(2, id, fmt.Sprintf("%d\nContent-Type:application/json\nX-Ms-Run-Fn-Exec-Ms:1.500", status))
		reply = append(reply, testFrame(3, id, body)...)
		c.Write(append(reply, testFrame(4, id, "")...))
	}
}

var errOrder = errors.New("frame of another request")

func readRequest(r io.Reader, id uint64) (asked, error) {
	var q asked
	for {
		header := make([]byte, 13)
		if _, err := io.ReadFull(r, header); err != nil {
			return q, err
		}
		if got := binary.BigEndian.Uint64(header[1:]); got != id {
			return q, fmt.Errorf("%w: %d while %d was due", errOrder, got, id)
		}
		payload := make([]byte, binary.BigEndian.Uint32(header[9:]))
		if _, err := io.ReadFull(r, payload); err != nil {
			return q, err
		}
		switch header[0] {
		case 2:
			q.head = strings.Split(string(payload), "\n")
		case 3:
			q.body = append(q.body, payload...)
		case 4:
			return q, nil
		}
	}
}
