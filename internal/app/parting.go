package app

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// partingTime is how long a server that stops goes on accepting. http.Server.Shutdown closes a
// connection that looks idle, and one with a request that was sent a moment ago looks so until the
// server has read of it. So each answer first tells its client to let go of the connection
// (RFC 9112, section 9.6), until those that are in use are gone.
const partingTime = 250 * time.Millisecond

// part has every answer from now on end its connection, and waits for a while, or for ctx.
func (a *App) part(ctx context.Context) {
	a.stopping.Store(true)
	for _, s := range a.servers {
		s.part()
	}
	select {
	case <-time.After(partingTime):
	case <-ctx.Done():
	}
}

// parting makes the answers of h end their connections while stopping says so.
func parting(h http.Handler, stopping *atomic.Bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(&lastAnswer{ResponseWriter: w, stopping: stopping}, r)
	})
}

// lastAnswer looks only when the head is written: requests that were under way before have to
// tell too. HTTP/2 makes its own of the header.
type lastAnswer struct {
	http.ResponseWriter

	stopping *atomic.Bool
	told     bool
}

// WriteHeader tells the client first.
func (l *lastAnswer) WriteHeader(status int) {
	l.tell()
	l.ResponseWriter.WriteHeader(status)
}

// Write tells the client first, where no head was written.
func (l *lastAnswer) Write(b []byte) (int, error) {
	l.tell()
	return l.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (l *lastAnswer) Unwrap() http.ResponseWriter { return l.ResponseWriter }

func (l *lastAnswer) tell() {
	if !l.told && l.stopping.Load() {
		l.Header().Set("Connection", "close")
	}
	l.told = true
}
