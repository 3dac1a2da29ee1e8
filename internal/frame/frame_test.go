package frame

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotswap/internal/online"
	"hotswap/worker"
)

// pipe returns a Conn past its hello and the worker's end of it.
func pipe(t *testing.T) (*Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "w"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		n, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		n.Write(hello("1\nprocess"))
		accepted <- n
	}()
	c, err := Dial(t.Context(), "unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other := <-accepted
	t.Cleanup(func() {
		c.Close()
		other.Close()
	})
	return c, other
}

func frameOf(kind byte, id uint64, payload string) []byte {
	return append(appendHeader(nil, kind, id, len(payload)), payload...)
}

func hello(text string) []byte { return frameOf(kindHello, 0, text) }

// answer returns a whole answer.
func answer(id uint64, head string, pieces ...string) []byte {
	b := frameOf(kindHead, id, head)
	for _, piece := range pieces {
		b = append(b, frameOf(kindData, id, piece)...)
	}
	return append(b, frameOf(kindEnd, id, "")...)
}

func post(body string) *Request {
	r := new(Request)
	r.Reset("POST", "/score", "")
	r.Add("Content-Type", "application/json")
	r.Body = []byte(body)
	return r
}

func soon() time.Time { return time.Now().Add(10 * time.Second) }

func TestDialRefuses(t *testing.T) {
	cases := map[string]struct {
		sent []byte
		want error
	}{
		"another version":   {hello("2\nprocess"), ErrProtocol},
		"another protocol":  {[]byte("HTTP/1.1 200 OK\r\nServer: x\r\n"), ErrProtocol},
		"no hello":          {answer(0, "200"), ErrProtocol},
		"a hello too large": {hello(strings.Repeat("x", 2000)), ErrProtocol},
		"an end":            {nil, io.ErrUnexpectedEOF},
		"an early end":      {hello("1\nprocess")[:15], io.ErrUnexpectedEOF},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("unix", filepath.Join(t.TempDir(), "w"))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				if n, err := l.Accept(); err == nil {
					n.Write(c.sent)
					n.Close()
				}
			}()
			_, err = Dial(t.Context(), "unix", l.Addr().String())
			if !errors.Is(err, c.want) || online.CodeOf(err) != online.Unavailable {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

func TestDialGivesUp(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "w"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // it never accepts
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, "unix", l.Addr().String()); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if _, err := Dial(t.Context(), "unix", filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestReceiveRefuses(t *testing.T) {
	cases := map[string]struct {
		sent []byte
		want error
	}{
		"an end":                  {nil, io.EOF},
		"an end in a header":      {answer(1, "200")[:5], io.ErrUnexpectedEOF},
		"an end in a payload":     {answer(1, "200")[:14], io.ErrUnexpectedEOF},
		"an end in the body":      {frameOf(kindHead, 1, "200"), io.ErrUnexpectedEOF},
		"the id before":           {answer(0, "200"), ErrProtocol},
		"the id after":            {answer(2, "200"), ErrProtocol},
		"another id in the body":  {append(frameOf(kindHead, 1, "200"), frameOf(kindData, 2, "x")...), ErrProtocol},
		"a second head":           {append(frameOf(kindHead, 1, "200"), frameOf(kindHead, 1, "200")...), ErrProtocol},
		"a body first":            {frameOf(kindData, 1, "x"), ErrProtocol},
		"an unknown kind":         {frameOf(9, 1, ""), ErrProtocol},
		"a second hello":          {frameOf(kindHello, 1, "1\nprocess"), ErrProtocol},
		"a head too large":        {appendHeader(nil, kindHead, 1, maxHead+1), ErrProtocol},
		"data too large":          {append(frameOf(kindHead, 1, "200"), appendHeader(nil, kindData, 1, maxData+1)...), ErrProtocol},
		"an end with a payload":   {append(frameOf(kindHead, 1, "200"), frameOf(kindEnd, 1, "x")...), ErrProtocol},
		"a status that is none":   {answer(1, "ok"), ErrProtocol},
		"a status out of range":   {answer(1, "42"), ErrProtocol},
		"an informational status": {answer(1, "100"), ErrProtocol},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			conn, other := pipe(t)
			if _, err := conn.Send(post("x"), soon()); err != nil {
				t.Fatal(err)
			}
			if _, err := bufio.NewReader(other).Peek(headerSize); err != nil {
				t.Fatal(err)
			}
			other.Write(c.sent)
			other.(*net.UnixConn).CloseWrite()
			if err := conn.Receive(new(Response)); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	c, other := pipe(t)
	if c.Process() != "process" {
		t.Errorf("process %q", c.Process())
	}
	var r Response
	for n, body := range [][]string{{"one"}, nil, {"th", "", "ree"}} {
		other.Write(answer(uint64(n+1), "201\nContent-Type:text/plain\nX-Time:1:2\nno colon", body...))
		if _, err := c.Send(post("x"), soon()); err != nil {
			t.Fatal(err)
		}
		if err := c.Receive(&r); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"Content-Type": "text/plain", "X-Time": "1:2"}
		if got := maps.Collect(r.Fields()); r.Status != 201 || string(r.Body) != strings.Join(body, "") || !maps.Equal(got, want) {
			t.Errorf("status %d, body %q, headers %v", r.Status, r.Body, got)
		}
	}
	for range r.Fields() {
		break // an early end of the loop is fine
	}
}

func TestWaitKeepsTheAnswer(t *testing.T) {
	c, other := pipe(t)
	if _, err := c.Send(post("x"), soon()); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(time.Now().Add(10 * time.Millisecond)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
	other.Write(answer(1, "200", "late"))
	var r Response
	if err := errors.Join(c.Wait(soon()), c.Receive(&r)); err != nil || string(r.Body) != "late" {
		t.Errorf("body %q, error %v", r.Body, err)
	}
}

// The proof that a retry rests on: a worker that has closed, or only reads no more, takes no byte.
func TestSendTellsWhetherAnythingWasSent(t *testing.T) {
	large := strings.Repeat("x", 4<<20)
	cases := map[string]struct {
		peer func(*net.UnixConn)
		body string
		sent bool
	}{
		"closed":                     {func(n *net.UnixConn) { n.Close() }, "x", false},
		"closed, a large body":       {func(n *net.UnixConn) { n.Close() }, large, false},
		"reads no more":              {func(n *net.UnixConn) { n.CloseRead() }, "x", false},
		"does not read a large body": {func(*net.UnixConn) {}, large, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			conn, other := pipe(t)
			c.peer(other.(*net.UnixConn))
			sent, err := conn.Send(post(c.body), time.Now().Add(50*time.Millisecond))
			if sent != c.sent || err == nil {
				t.Errorf("sent %t, error %v; want sent %t and an error", sent, err, c.sent)
			}
		})
	}
}

// The deadline of a large request is not that of the next one, which is small.
func TestDeadlineIsOfOneRequest(t *testing.T) {
	c, other := pipe(t)
	go io.Copy(io.Discard, other)
	for _, body := range []string{strings.Repeat("x", 2*inline), "x"} {
		deadline := time.Now().Add(200 * time.Millisecond)
		if _, err := c.Send(post(body), deadline); err != nil {
			t.Fatalf("%d bytes: %v", len(body), err)
		}
		time.Sleep(time.Until(deadline) + 10*time.Millisecond)
	}
}

// Each request has its own deadline, be it before or after the one that the connection has.
func TestDeadlinesOfRequestsInTurn(t *testing.T) {
	c, _ := pipe(t)
	for _, within := range []time.Duration{time.Minute, 30 * time.Millisecond, 200 * time.Millisecond, 60 * time.Millisecond} {
		if within == time.Minute {
			c.net.within(time.Now().Add(within))
			continue
		}
		began := time.Now()
		err := c.Wait(began.Add(within))
		if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || took < within || took > within+time.Second {
			t.Errorf("within %v: error %v after %v", within, err, took)
		}
	}
}

// A request that came back unsent goes to the next worker byte by byte as it was.
func TestRequestCanBeSentAgain(t *testing.T) {
	r := post("body")
	var got [2][]byte
	for n := range got {
		c, other := pipe(t)
		if _, err := c.Send(r, soon()); err != nil {
			t.Fatal(err)
		}
		c.Close()
		got[n], _ = io.ReadAll(other)
	}
	if len(got[0]) == 0 || !bytes.Equal(got[0], got[1]) {
		t.Errorf("sent %q, then %q", got[0], got[1])
	}
}

func TestRequestCheck(t *testing.T) {
	cases := map[string]struct {
		change func(*Request)
		code   online.Code
	}{
		"a line break in a value": {func(r *Request) { r.Add("A", "b\nc") }, online.Invalid},
		"a line break in a name":  {func(r *Request) { r.Add("A\n", "b") }, online.Invalid},
		"a head too large":        {func(r *Request) { r.Add("A", strings.Repeat("x", maxHead)) }, online.TooLarge},
		"a body too large":        {func(r *Request) { r.Body = make([]byte, MaxBody+1) }, online.TooLarge},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := post("")
			c.change(r)
			conn, _ := pipe(t)
			sent, err := conn.Send(r, soon())
			if sent || online.CodeOf(errors.Unwrap(err)) != c.code && online.CodeOf(err) != c.code {
				t.Errorf("sent %t, error %v; want code %s", sent, err, c.code)
			}
			if r.Reset("POST", "/score", ""); r.Check() != nil {
				t.Errorf("after Reset: %v", r.Check())
			}
		})
	}
}

// Both ends of the protocol together: the real worker.
func TestPythonWorker(t *testing.T) {
	dir := t.TempDir()
	script := "def init(): pass\ndef run(data, request_headers): return [data, request_headers['Content-Type']]\n"
	for name, text := range map[string]string{"worker.py": string(worker.Source), "score.py": script} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	socket := filepath.Join(dir, "w")
	command := exec.Command("python3", "-B", "-u", "worker.py", "--socket", "w")
	command.Dir, command.Stderr = dir, os.Stderr
	command.Env = append(os.Environ(), "AML_APP_ROOT="+dir)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer command.Wait()
	defer command.Process.Kill()
	var c *Conn
	for deadline := soon(); c == nil; time.Sleep(5 * time.Millisecond) {
		var err error
		if c, err = Dial(t.Context(), "unix", socket); err != nil && time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	defer c.Close()
	var r Response
	for n, size := range []int{0, 1, inline - headerSize, inline, maxData, maxData + 1, 5 * maxData} {
		body := strings.Repeat("b", size)
		sent, err := c.Send(post(body), soon())
		if err != nil || !sent {
			t.Fatalf("request %d: sent %t, %v", n, sent, err)
		}
		if err := errors.Join(c.Wait(soon()), c.Receive(&r)); err != nil {
			t.Fatal(err)
		}
		if want := `["` + body + `", "application/json"]`; r.Status != 200 || string(r.Body) != want {
			t.Errorf("%d bytes: status %d, %d bytes back", size, r.Status, len(r.Body))
		}
	}
}

// Whatever a worker sends, reading it ends, holds no more than was sent, and gives a valid answer or an error.
func FuzzReceive(f *testing.F) {
	f.Add(answer(1, "200\nContent-Type:text/plain", "body"))
	f.Add(answer(1, "500", "a", "b"))
	f.Add(answer(2, "200"))
	f.Add(append(hello("1\nprocess"), answer(1, "200\n:\n\n")...))
	f.Add(appendHeader(nil, kindData, 1, maxData))
	f.Add(append(frameOf(kindHead, 1, "200"), appendHeader(nil, kindData, 1, maxData)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		read := func() *reader { return &reader{Reader: bufio.NewReader(bytes.NewReader(data))} }
		if process, err := read().hello(); err == nil && !bytes.Contains(data, []byte(process)) {
			t.Errorf("process %q", process)
		}
		var r Response
		if err := read().response(1, &r); err != nil {
			return
		}
		if r.Status < 200 || r.Status > 599 || len(r.Body) > len(data) {
			t.Errorf("status %d, %d bytes of body from %d", r.Status, len(r.Body), len(data))
		}
		for name, value := range r.Fields() {
			if strings.ContainsAny(name, "\n:") || strings.Contains(value, "\n") {
				t.Errorf("header %q: %q", name, value)
			}
		}
	})
}
