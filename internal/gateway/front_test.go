package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// testFront is a Front on a listener of its own, over TLS, with net/http behind it.
type testFront struct {
	*Front
	address string
	handed  atomic.Int64 // connections that net/http was given
	conns   chan net.Conn
	group   sync.WaitGroup
}

var quick = FrontOptions{HeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, BodyGrace: 10 * time.Second, BodyRate: 500}

// certificate is the one of httptest's servers.
func certificate(t testing.TB) *tls.Config {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return &tls.Config{Certificates: s.TLS.Certificates}
}

func startFront(t testing.TB, g *Gateway, o FrontOptions) *testFront {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", certificate(t))
	if err != nil {
		t.Fatal(err)
	}
	f := &testFront{Front: g.NewFront(o), address: l.Addr().String(), conns: make(chan net.Conn)}
	behind := &http.Server{Handler: g, ReadHeaderTimeout: o.HeaderTimeout, IdleTimeout: o.IdleTimeout}
	f.group.Go(func() { behind.Serve(&passedOn{l, f.conns}) })
	f.group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.group.Go(func() { f.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := f.Stop(ctx); err != nil {
			t.Error(err)
		}
		behind.Close()
		f.group.Wait()
	})
	return f
}

func (f *testFront) serve(c net.Conn) {
	if c.(*tls.Conn).Handshake() != nil {
		c.Close()
		return
	}
	if rest := f.Serve(context.Background(), c); rest != nil {
		f.handed.Add(1)
		f.conns <- rest
	}
}

// passedOn is a listener of connections that someone else has accepted.
type passedOn struct {
	net.Listener
	conns chan net.Conn
}

func (p *passedOn) Accept() (net.Conn, error) {
	c, open := <-p.conns
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p *passedOn) Close() error {
	close(p.conns)
	return nil
}

// dial connects to a front, or to net/http.
func dial(t testing.TB, address string) *tls.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// told is an answer without what differs from one to the next.
func told(from *bufio.Reader) (string, error) {
	a, err := http.ReadResponse(from, nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(a.Body)
	if err != nil {
		return "", err
	}
	_, err = http.ParseTime(a.Header.Get("Date"))
	if id := a.Header.Get("X-Request-Id"); id != "" && (!guid.MatchString(id) || a.Header.Get("X-Ms-Request-Id") != id) {
		return "", fmt.Errorf("request id %q", id)
	}
	for _, name := range []string{"Date", "X-Request-Id", "X-Ms-Request-Id"} {
		a.Header.Del(name)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s close=%t length=%d date=%t\n", a.Proto, a.Status, a.Close, a.ContentLength, err == nil)
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		fmt.Fprintf(&b, "%s: %q\n", name, a.Header[name])
	}
	return fmt.Sprintf("%s%q", b.String(), body), nil
}

// converse sends bytes, tells of every answer, and of how the connection ends.
func converse(t *testing.T, address, raw string) string {
	t.Helper()
	c := dial(t, address)
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	c.CloseWrite() // so that a connection that is kept ends too
	var all []string
	for reader := bufio.NewReader(c); ; {
		answer, err := told(reader)
		if err != nil {
			return strings.Join(append(all, err.Error()), "\n")
		}
		all = append(all, answer)
	}
}

// request makes the head of a request with the key.
func request(line string, headers ...string) string {
	head := append([]string{line, "Host: here", "Authorization: Bearer " + testKey}, headers...)
	return strings.Join(head, "\r\n") + "\r\n\r\n"
}

const scoreLine = "POST /endpoints/taxi/score HTTP/1.1"

// Whatever a client sends, it is answered as net/http answers it; and what has to be is handed over.
func TestFrontAnswersAsNetHTTP(t *testing.T) {
	worker := startWorker(t, func(q asked) (int, string) {
		if string(q.body) == "fail" {
			return 500, "failed"
		}
		slices.Sort(q.head[3:])
		kept := slices.DeleteFunc(q.head, func(line string) bool {
			return strings.HasPrefix(line, "X-Request-Id:") || strings.HasPrefix(line, "X-Ms-Request-Id:")
		})
		return 200, strings.Join(kept, "|") + "|" + string(q.body)
	})
	g := serve(t, Options{MaxBody: 1 << 20}, endpoint(1, deployment("blue", 1, worker)))
	f := startFront(t, g, quick)
	reference := httptest.NewTLSServer(g)
	defer reference.Close()

	score := request(scoreLine, "Content-Length: 1") + "x"
	cases := map[string]struct {
		raw    string
		handed bool
		want   string // a part of what comes back
	}{
		"a score":                     {score, false, "200 OK"},
		"a score without a body":      {request(scoreLine), false, "200 OK"},
		"a GET":                       {request("GET /endpoints/taxi/score?a=1&b=%20?c HTTP/1.1"), false, "GET|/score|a=1"},
		"an empty query":              {request("GET /endpoints/taxi/score? HTTP/1.1"), false, "200 OK"},
		"another path":                {request("GET /endpoints/taxi/v1/it's(a);model,x=1:2@3!$&*+~ HTTP/1.1"), false, "200 OK"},
		"no path":                     {request("GET /endpoints/taxi HTTP/1.1"), false, "404"},
		"names in lower case":         {scoreLine + "\r\nhost: here\r\nauthorization: bearer " + testKey + "\r\ncontent-type: a/b\r\ntraceid:\t y\t \r\nx-custom-header:\r\n\r\n", false, "X-Custom-Header:|"},
		"a value of other characters": {request(scoreLine, "X-Odd: \xe9\xff\"\\,;"), false, "200 OK"},
		"headers of the gateway":      {request(scoreLine, "x-request-id: mine", "x-ms-client-request-id: a/b", "azureml-model-deployment: BLUE"), false, `"ab"`},
		"an unknown deployment":       {request(scoreLine, "azureml-model-deployment: red"), false, "404"},
		"headers of the connection":   {request(scoreLine, "Keep-Alive: 5", "Proxy-Connection: x", "Connection: keep-alive"), false, "200 OK"},
		"the last one":                {request(scoreLine, "Connection: Close") + score, false, "close=true"},
		"a model's failure":           {request(scoreLine, "Content-Length: 4") + "fail", false, "424"},
		"a wrong key":                 {strings.Replace(score, testKey, "none", 1) + score, false, "401"},
		"a wrong key, a large body":   {strings.Replace(request(scoreLine, "Content-Length: 300000"), testKey, "none", 1) + strings.Repeat("x", 300_000), false, "close=true"},
		"a wrong key, a body":         {strings.Replace(request(scoreLine, "Content-Length: 200000"), testKey, "none", 1) + strings.Repeat("x", 200_000) + score, false, "200 OK"},
		"no key":                      {"GET /endpoints/taxi/score HTTP/1.1\r\nHost: here\r\n\r\n", false, "key_auth_bad"},
		"an unknown endpoint":         {request("POST /endpoints/bus/score HTTP/1.1"), false, "404"},
		"a large body":                {request(scoreLine, "Content-Length: 100000") + strings.Repeat("m", 100_000), false, "200 OK"},
		"too large a body":            {request(scoreLine, "Content-Length: 2000000") + strings.Repeat("x", 2_000_000), false, "413"},
		"a pipeline":                  {score + request(scoreLine, "Content-Length: 1") + "y" + score + score, false, "|y"},
		"a pipeline that others end":  {score + score + "GET / HTTP/1.1\r\nHost: a\r\n\r\n" + score, true, "404"},
		"chunks":                      {request(scoreLine, "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n" + score, true, "|abc"},
		"chunks and a length":         {request(scoreLine, "Content-Length: 3", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n", true, ""},
		"100-continue":                {request(scoreLine, "Expect: 100-continue", "Content-Length: 1") + "x", true, "100 Continue"},
		"HTTP/1.0":                    {strings.Replace(score, "1.1", "1.0", 1), true, "close=true"},
		"HTTP/1.0, kept":              {strings.Replace(request(scoreLine, "Connection: keep-alive"), "1.1", "1.0", 1), true, "Connection"},
		"HTTP/1.2":                    {strings.Replace(score, "1.1", "1.2", 1), true, ""},
		"another method":              {request("PUT /endpoints/taxi/score HTTP/1.1"), true, ""},
		"HEAD":                        {request("HEAD /endpoints/taxi/score HTTP/1.1"), true, ""},
		"a method in lower case":      {request("post /endpoints/taxi/score HTTP/1.1"), true, ""},
		"a whole URL":                 {request("POST http://here/endpoints/taxi/score HTTP/1.1"), true, "200 OK"},
		"escapes in the path":         {request("POST /endpoints/taxi/%73core HTTP/1.1"), true, "/%73core"},
		"odd characters in the path":  {request("POST /endpoints/taxi/\"<>\xe9 HTTP/1.1"), true, "%22"},
		"a fragment":                  {request("POST /endpoints/taxi/score#x HTTP/1.1"), true, ""},
		"a space in the path":         {request("POST /endpoints/taxi/a b HTTP/1.1"), true, "400"},
		"no Host":                     {"POST /endpoints/taxi/score HTTP/1.1\r\n\r\n", true, "400"},
		"two Hosts":                   {request(scoreLine, "Host: there"), true, "400"},
		"an odd Host":                 {strings.Replace(score, "Host: here", "Host: a/b", 1), true, ""},
		"no name":                     {request(scoreLine, ": x"), true, "400"},
		"no colon":                    {request(scoreLine, "Word"), true, "400"},
		"a space before the colon":    {request(scoreLine, "Content-Length : 1"), true, "400"},
		"a folded header":             {request(scoreLine, "A: b", " c"), true, ""},
		"a control character":         {request(scoreLine, "A: b\x01"), true, "400"},
		"a bare CR":                   {request(scoreLine, "A: b\rC: d"), true, "400"},
		"a bare LF":                   {strings.ReplaceAll(score, "\r\n", "\n"), true, "200 OK"},
		"an empty line first":         {"\r\n" + score, true, "400"},
		"a length that is none":       {request(scoreLine, "Content-Length: +1") + "x", true, "400"},
		"two lengths":                 {request(scoreLine, "Content-Length: 1", "Content-Length: 2") + "x", true, "400"},
		"equal lengths":               {request(scoreLine, "Content-Length: 1", "Content-Length: 1") + "x", true, "200 OK"},
		"a length too long":           {request(scoreLine, "Content-Length: 99999999999999999999"), true, "400"},
		"Connection twice":            {request(scoreLine, "Connection: keep-alive", "Connection: close") + score, true, "close=true"},
		"an upgrade":                  {request(scoreLine, "Connection: upgrade", "Upgrade: h2c"), true, ""},
		"a header twice":              {request(scoreLine, "A: 1", "a: 2"), true, "A:1, 2"},
		"a head of 17 KiB":            {request(scoreLine, "A: "+strings.Repeat("a", 17<<10)) + score, true, "200 OK"},
		"a head of 2 MiB":             {request(scoreLine, "A: "+strings.Repeat("a", 2<<20)), true, "431"},
		"100 headers":                 {request(scoreLine, strings.Split(strings.Repeat("A1: x,", 100), ",")[:99]...), true, ""},
		"half a head":                 {score[:20], true, "400"},
		"nothing":                     {"", false, "EOF"},
		"rubbish":                     {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", true, "400"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			before := f.handed.Load()
			got, want := converse(t, f.address, c.raw), converse(t, reference.Listener.Addr().String(), c.raw)
			if got != want {
				t.Errorf("got\n%s\nwant, as from net/http,\n%s", got, want)
			}
			if handed := f.handed.Load() > before; handed != c.handed {
				t.Errorf("handed over: %t", handed)
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("got %s, want something with %q", got, c.want)
			}
		})
	}
}

// FuzzHead says that net/http takes whatever a front takes, and understands it alike.
func FuzzHead(f *testing.F) {
	for _, seed := range []string{
		request(scoreLine, "Content-Length: 3"), request("GET /endpoints/a/b?c HTTP/1.1", "A: \t b\t "), request(scoreLine, "Connection: close"),
		request(scoreLine, "transfer-encoding: chunked"), request(scoreLine, "content-length: 007"), request(scoreLine, "A:b", " c"), request("POST /endpoints//%41 HTTP/1.1"),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n := measure(b, 0)
		var h head
		if n <= 0 || !h.parse(string(b[:n])) {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(bytes.Clone(b[:n]), make([]byte, min(h.length, 1000))...))))
		if err != nil {
			t.Fatalf("net/http does not take %q: %v", b[:n], err)
		}
		if diff := compare(h, r); diff != "" {
			t.Errorf("%q: %s", b[:n], diff)
		}
	})
}

// compare tells in what a head differs from what net/http made of it.
func compare(h head, r *http.Request) string {
	type plain struct {
		method, path, query, host string
		length                    int64
		last                      bool
	}
	ours, theirs := plain{h.method, h.path, h.query, h.host, h.length, h.last}, plain{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Host, r.ContentLength, r.Close}
	if ours != theirs || r.Proto != "HTTP/1.1" || len(r.TransferEncoding) > 0 {
		return fmt.Sprintf("%+v, net/http has %+v", ours, theirs)
	}
	fields := http.Header{}
	for _, f := range h.fields {
		if f.name != "Host" {
			fields[f.name] = append(fields[f.name], f.value)
		}
	}
	if !maps.EqualFunc(fields, r.Header, slices.Equal) {
		return fmt.Sprintf("%q, net/http has %q", fields, r.Header)
	}
	return ""
}
