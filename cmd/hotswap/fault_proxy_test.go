package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A fault is what goes wrong with one call of the pipeline.
type fault string

const (
	lost      fault = "lost"       // the connection is cut before the server sees the call
	replyLost fault = "reply-lost" // it is cut after the effect
	delayed   fault = "delayed"
	conflict  fault = "409"
	throttled fault = "429"
	broken    fault = "500"
	stale     fault = "stale" // a read of the management plane shows what was before; blobs are strongly consistent
)

// delay of a call that is delayed.
const delay = 2 * time.Second

// call is one call of a pipeline, named so that the same one is found again in another run: by
// the phase in which it is made (the journal's newest entry), and as which of its kind there.
type call struct {
	phase, method, path string
	n                   int // from 1
}

func (c call) String() string { return fmt.Sprintf("%s %s %s %d", c.phase, c.method, c.path, c.n) }

// aim is the one fault of a run.
type aim struct {
	at    call
	fault fault
}

// reads reports whether the call changes nothing.
func (c call) reads() bool { return c.method == http.MethodGet || c.method == http.MethodHead }

// managed reports whether it goes to the management plane.
func (c call) managed() bool { return strings.HasPrefix(c.path, "/subscriptions/") }

// seen is a call that was made, and whether its address was in another state before.
type seen struct {
	call
	changed bool
}

// reply is an answer of the server, rewritten.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// faultProxy stands between one pipeline and the server, under addresses of its own: whatever the
// server says of its own addresses is rewritten, so that polling, blobs and scoring pass as well.
type faultProxy struct {
	server, own string            // host:port of either
	names       *strings.Replacer // of what another run has otherwise
	upstream    *http.Transport
	aim         aim

	mu     sync.Mutex
	phase  string
	counts map[call]int
	calls  []seen
	before map[string]reply // by address: what it was answered before it changed
	newest map[string]reply
	hits   int
}

// proxy starts one for a run on an endpoint that has live in that slot.
func (s *server) proxy(t *testing.T, endpoint, live string, a aim) *faultProxy {
	t.Helper()
	certs := filepath.Join(s.stateDir, "certs") // its names are valid on any port
	pair, err := tls.LoadX509KeyPair(filepath.Join(certs, "server.crt"), filepath.Join(certs, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &faultProxy{
		server: strings.TrimPrefix(s.url, "https://"), aim: a,
		own:    fmt.Sprintf("localhost:%d", l.Addr().(*net.TCPAddr).Port),
		counts: map[call]int{}, before: map[string]reply{}, newest: map[string]reply{},
	}
	candidate := map[string]string{"blue": "green", "green": "blue"}[live]
	p.names = strings.NewReplacer(endpoint, "{endpoint}", "/deployments/"+live, "/deployments/{live}", "'"+live+"'", "{live}",
		"/deployments/"+candidate, "/deployments/{candidate}", "'"+candidate+"'", "{candidate}")
	p.upstream = s.https(t).Transport.(*http.Transport).Clone()
	p.upstream.DisableCompression = true
	p.upstream.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) { // the blob host is below localhost
		return new(net.Dialer).DialContext(ctx, network, s.listen)
	}
	// HTTP/1.1 only: a connection that is cut takes one call with it.
	h := &http.Server{
		Handler: p, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}},
		ErrorLog: log.New(io.Discard, "", 0), // the connections that are cut
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = h.ServeTLS(l, "", "") })
	t.Cleanup(func() { _ = h.Close(); serving.Wait(); p.upstream.CloseIdleConnections() })
	return p
}

// credentials are those in text, at the proxy's addresses.
func (p *faultProxy) credentials(text string) string { return outward.of(p).Replace(text) }

// ServeHTTP passes a call on, or does to it what the aim says.
func (p *faultProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the pipeline is gone
	}
	n, hit := p.record(r, body)
	if !hit {
		p.pass(w, r, n, body)
		return
	}
	switch p.aim.fault {
	case lost:
		panic(http.ErrAbortHandler)
	case replyLost:
		_, _, _ = p.ask(r, n, body)
		panic(http.ErrAbortHandler)
	case delayed:
		time.Sleep(delay)
		p.pass(w, r, n, body)
	case conflict:
		refuse(w, http.StatusConflict, "Conflict")
	case throttled:
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, "TooManyRequests")
	case broken:
		refuse(w, http.StatusInternalServerError, "InternalServerError")
	case stale:
		p.passOld(w, r, n, body)
	}
}

// refuse answers as the management plane would, which a client of the blob store must bear too:
// what stands before a service knows nothing of its formats.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error": {"code": %q, "message": "injected"}}`, code)
}

// record counts the call, and reports whether it is the one that the aim is at.
func (p *faultProxy) record(r *http.Request, body []byte) (n int, hit bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if entry := journalled.FindStringSubmatch(r.URL.Path); entry != nil && r.Method == http.MethodPut {
		var e struct{ Kind string }
		_ = json.Unmarshal(body, &e) // whose kind is "" then, which shows
		p.phase = entry[1] + "-" + e.Kind
	}
	c := call{phase: p.phase, method: r.Method, path: p.named(r)}
	p.counts[c]++
	c.n = p.counts[c]
	p.calls = append(p.calls, seen{call: c})
	if hit = c == p.aim.at; hit && p.aim.fault != stale {
		p.hits++
	}
	return len(p.calls) - 1, hit
}

var (
	journalled = regexp.MustCompile(`/rollouts/[^/]+/(\d+)\.json$`)
	uuids      = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	anyEntry   = regexp.MustCompile(`/rollouts/[^/]+/\d+\.json`)
	hashes     = regexp.MustCompile(`[0-9a-f]{32,64}`)
)

// named is the address of a request without what another run has otherwise.
func (p *faultProxy) named(r *http.Request) string {
	path := r.URL.Path
	for _, parameter := range []string{"comp", "restype", "$filter"} {
		if v := r.URL.Query().Get(parameter); v != "" {
			path += " " + parameter + "=" + v
		}
	}
	path = hashes.ReplaceAllString(uuids.ReplaceAllString(path, "{id}"), "{hash}")
	return p.names.Replace(anyEntry.ReplaceAllString(path, "/rollouts/{rollout}/{entry}"))
}

// pass passes a call on, and the answer back.
func (p *faultProxy) pass(w http.ResponseWriter, r *http.Request, n int, body []byte) {
	got, _, err := p.ask(r, n, body)
	if err != nil {
		panic(http.ErrAbortHandler) // the server is gone, or the pipeline
	}
	got.write(w)
}

// passOld answers with what the address held before, where it was otherwise.
func (p *faultProxy) passOld(w http.ResponseWriter, r *http.Request, n int, body []byte) {
	got, old, err := p.ask(r, n, body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if old.status != 0 {
		got = old
		p.mu.Lock()
		p.hits++
		p.mu.Unlock()
	}
	got.write(w)
}

func (a reply) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// ask sends a call to the server. It returns the answer, and the last one that the address gave
// before and that was another; zero where there was none.
func (p *faultProxy) ask(r *http.Request, n int, body []byte) (got, old reply, err error) {
	in := inward.of(p)
	body = []byte(in.Replace(string(body)))
	req := r.Clone(r.Context())
	req.RequestURI = ""
	req.URL = &url.URL{Scheme: "https", Host: in.Replace(r.Host), Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: in.Replace(r.URL.RawQuery)}
	req.Host = req.URL.Host
	rewrite(req.Header, in)
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp, err := p.upstream.RoundTrip(req)
	if err != nil {
		return got, old, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return got, old, err
	}
	out := outward.of(p)
	got = reply{resp.StatusCode, resp.Header, []byte(out.Replace(string(text)))}
	rewrite(got.header, out)
	if r.Method != http.MethodHead {
		got.header.Set("Content-Length", strconv.Itoa(len(got.body)))
	}
	return got, p.keep(n, r.Method+" "+r.Host+r.URL.String(), got), nil
}

// keep remembers the answer to call n, and returns the last one of the address that was another.
func (p *faultProxy) keep(n int, address string, got reply) reply {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last, there := p.newest[address]; there && !bytes.Equal(last.body, got.body) {
		p.before[address] = last
	}
	p.newest[address] = got
	old, changed := p.before[address]
	p.calls[n].changed = changed
	return old
}

func rewrite(h http.Header, by *strings.Replacer) {
	for _, values := range h {
		for i := range values {
			values[i] = by.Replace(values[i])
		}
	}
}

// A direction is which way addresses are rewritten.
type direction bool

const (
	inward  direction = true
	outward direction = false
)

// of is what rewrites addresses in that direction: plain, and as they are in a query or a form.
func (d direction) of(p *faultProxy) *strings.Replacer {
	from, to := p.server, p.own
	if d == inward {
		from, to = to, from
	}
	return strings.NewReplacer(from, to, url.QueryEscape(from), url.QueryEscape(to))
}
