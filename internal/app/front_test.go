package app_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// raw is a connection of HTTP/1.1 to a server.
type raw struct {
	*tls.Conn
	answers *bufio.Reader
}

func (r *running) dial(t *testing.T, url string, protocols ...string) raw {
	t.Helper()
	conf := r.http.Transport.(*http.Transport).TLSClientConfig.Clone()
	conf.NextProtos, conf.ServerName = protocols, "localhost"
	c, err := tls.Dial("tcp", strings.Replace(strings.TrimPrefix(url, "https://"), "localhost", "127.0.0.1", 1), conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return raw{c, bufio.NewReader(c)}
}

// ask sends one request and returns the status and the body of its answer.
func (r raw) ask(request string, host string, headers ...string) string {
	fmt.Fprintf(r, "%s HTTP/1.1\r\nHost: %s\r\n%s\r\n", request, host, strings.Join(append(headers, ""), "\r\n"))
	return answer(r.answers)
}

// One connection carries scoring, management and blobs, in any order.
func TestPlanesOnOneConnection(t *testing.T) {
	t.Parallel()
	server, _ := start(t, options(stateDir(t)))
	for name, protocols := range map[string][]string{"no ALPN": nil, "http/1.1": {"http/1.1"}} {
		c := server.dial(t, server.URL(), protocols...)
		for n, step := range []struct{ request, host, want string }{
			{"POST /endpoints/none/score", "localhost", "404 endpoint could not be found"},
			{"POST /endpoints/none/score", "localhost", "404 endpoint could not be found"},
			{"GET /endpoints/none/score", "hotswap.blob.localhost", "401 <?xml"},
			{"GET /metadata/endpoints?api-version=2022-09-01", "localhost", `200 {`},
			{"POST /endpoints/none/score", "localhost", "404 endpoint could not be found"},
			{"GET /endpoints/none/score", "hotswap.blob.localhost", "401 <?xml"},
		} {
			if got := c.ask(step.request, step.host); !strings.HasPrefix(got, step.want) {
				t.Errorf("%s, step %d: %q, want %q", name, n, got, step.want)
			}
		}
	}
}

// A client that does not speak TLS is told so.
func TestPlainHTTPIsRefused(t *testing.T) {
	t.Parallel()
	server, _ := start(t, options(stateDir(t)))
	response, err := http.Get(strings.Replace(server.URL(), "https", "http", 1))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d, want 400", response.StatusCode)
	}
}

// An idle connection does not hold up Stop, nor does one whose handshake does not go on.
func TestStopDoesNotWaitForIdle(t *testing.T) {
	t.Parallel()
	o := options(stateDir(t))
	o.ScoringAddr = "127.0.0.1:0"
	server, stop := start(t, o)
	fresh, used, other := server.dial(t, server.ScoringURL()), server.dial(t, server.ScoringURL()), server.dial(t, server.URL())
	silent, err := net.Dial("tcp", strings.TrimPrefix(server.ScoringURL(), "https://")) // never shakes hands
	defer must(t, silent, err).Close()
	used.ask("POST /endpoints/none/score", "localhost")
	other.ask("GET /metadata/endpoints?api-version=2022-09-01", "localhost")
	began := time.Now()
	stop()
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("stopped after %v", took)
	}
	for name, c := range map[string]raw{"fresh": fresh, "used": used, "other": other} {
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
	}
}
