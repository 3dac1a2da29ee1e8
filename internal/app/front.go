package app

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"hotswap/internal/gateway"
	"hotswap/internal/online"
)

// server is a listener with what serves its connections: the scoring front, those of HTTP/1.1 for
// as long as plain scoring requests come; net/http, all others, and those that the front gives back.
type server struct {
	listener net.Listener
	tls      *tls.Config
	http     *http.Server
	handed   *handed
	front    *gateway.Front // nil: there is none

	serve       func() error       // serves until stop
	cutOff      context.CancelFunc // gives up handshakes
	connections sync.WaitGroup     // of those that are not net/http's
}

// newServer makes a server whose requests go to h, but for those that front takes. It is the one
// that does the handshakes.
func newServer(l net.Listener, h *http.Server, front *gateway.Front) *server {
	ctx, cutOff := context.WithCancel(context.Background())
	s := &server{listener: l, tls: h.TLSConfig, http: h, handed: newHanded(l.Addr()), front: front, cutOff: cutOff}
	s.serve = func() error {
		s.connections.Go(func() { s.accept(ctx) })
		if err := h.Serve(s.handed); !errors.Is(err, http.ErrServerClosed) {
			return online.Errorf(online.Internal, "serve on %s: %w", l.Addr(), err)
		}
		return nil
	}
	return s
}

// part has the front's answers end their connections.
func (s *server) part() {
	if s.front != nil {
		s.front.Part()
	}
}

// stop accepts no more and waits for the requests under way, until ctx ends.
func (s *server) stop(ctx context.Context) error {
	errs := []error{ignoreClosed(s.listener.Close()), nil, nil}
	var group sync.WaitGroup
	if s.front != nil {
		group.Go(func() { errs[1] = s.front.Stop(ctx) })
	}
	if err := s.http.Shutdown(ctx); err != nil {
		errs[2] = errors.Join(online.Errorf(online.Unavailable, "requests were still under way: %w", err), ignoreClosed(s.http.Close()))
	}
	group.Wait()
	s.cutOff()
	return errors.Join(errs...)
}

// wait waits for the connections that stop has cut off, whose workers have to be gone.
func (s *server) wait(ctx context.Context) error {
	if s.front != nil {
		if err := s.front.Stop(ctx); err != nil {
			return err
		}
	}
	s.connections.Wait()
	return nil
}

// longestPause is the longest wait after an error of the listener that may pass, such as having no
// more file descriptors.
const longestPause = time.Second

func (s *server) accept(ctx context.Context) {
	for pause := time.Millisecond; ; {
		conn, err := s.listener.Accept()
		switch {
		case err == nil:
			pause = time.Millisecond
			s.connections.Go(func() { s.connect(ctx, tls.Server(conn, s.tls)) })
		case errors.Is(err, net.ErrClosed):
			return
		default:
			pause = min(2*pause, longestPause)
			time.Sleep(pause)
		}
	}
}

// connect takes a connection from its handshake to its end, or to net/http. It leaves it to net/http
// to say what was wrong with a handshake.
func (s *server) connect(ctx context.Context, conn *tls.Conn) {
	shaking, cancel := context.WithTimeout(ctx, headerTimeout)
	err := conn.HandshakeContext(shaking)
	cancel()
	if err != nil || s.front == nil || conn.ConnectionState().NegotiatedProtocol == "h2" {
		s.handed.pass(conn)
		return
	}
	if rest := s.front.Serve(ctx, conn); rest != nil {
		s.handed.pass(rest)
	}
}

// handed is the listener of the net/http server: it is handed the connections that are for it.
type handed struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

func newHanded(addr net.Addr) *handed {
	closed := make(chan struct{})
	return &handed{addr: addr, conns: make(chan net.Conn), closed: closed, close: sync.OnceFunc(func() { close(closed) })}
}

// Addr is that of the listener that the connections came by.
func (h *handed) Addr() net.Addr { return h.addr }

func (h *handed) pass(conn net.Conn) {
	select {
	case h.conns <- conn:
	case <-h.closed:
		conn.Close() //nolint:errcheck // because the server stops
	}
}

// Accept returns the next connection that is passed.
func (h *handed) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close makes Accept fail.
func (h *handed) Close() error {
	h.close()
	return nil
}
