package app

import (
	"io"
	"net/http"
	"time"
)

// How slowly the body of a request may come: what Apache httpd 2.4 has by default
// (httpd.apache.org/docs/2.4/mod/mod_reqtimeout.html, body=20,MinRate=500).
const (
	bodyGrace = 20 * time.Second
	bodyRate  = 500 // bytes a second, after the grace
)

// bounded gives up on clients that send a body more slowly, or not at all. It is not
// http.Server.ReadTimeout, because that cuts off big uploads too, and requests that were read long
// ago and are still worked on. What a handler leaves unread the server reads under the same bound.
func bounded(h http.Handler, grace time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			b := &body{ReadCloser: r.Body, connection: http.NewResponseController(w), until: time.Now().Add(grace)}
			b.bound(b.until)
			r.Body = b
		}
		h.ServeHTTP(w, r)
	})
}

// body is the body of a request, which must keep coming.
type body struct {
	io.ReadCloser

	connection *http.ResponseController
	until      time.Time // when the next byte must be there
	fresh      int       // bytes that came since until was moved
}

// Read never sets a deadline after the end: the answer may take as long as it likes.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.fresh += n
	if err == nil && b.fresh >= bodyRate { // at its end net/http lifts the deadline itself
		seconds := b.fresh / bodyRate
		b.fresh -= seconds * bodyRate
		b.until = b.until.Add(time.Duration(seconds) * time.Second)
		b.bound(b.until)
	}
	return n, err
}

// bound sets the deadline; only a connection that has none fails, and that is waited for.
func (b *body) bound(t time.Time) { _ = b.connection.SetReadDeadline(t) }
