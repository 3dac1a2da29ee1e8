package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"hotswap/internal/gateway"
	"hotswap/internal/online"
)

// Bounds of a connection. There is none for a whole request or its answer: a score may take
// minutes and an upload gigabytes. How slowly a body may come is in body.go.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
)

// reserve is the time that a Stop with a deadline keeps for the workers and the state file.
const reserve = 15 * time.Second

// listen opens the listeners, so that the URLs are known; connections wait until Run.
func (a *App) listen(ctx context.Context) (err error) {
	if a.listener, err = a.open(ctx, a.options.Addr); err != nil {
		return err
	}
	a.scoring = a.listener
	if a.options.ScoringAddr != "" {
		a.scoring, err = a.open(ctx, a.options.ScoringAddr)
	}
	return err
}

func (a *App) open(ctx context.Context, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if e, ok := errors.AsType[*net.OpError](err); ok {
		err = e.Err // without the address a second time
	}
	if err != nil {
		return nil, online.Errorf(online.Invalid, "listen on %s: %w; choose another address or stop what listens there", addr, err)
	}
	a.onStop("listener", func(context.Context) error { return ignoreClosed(l.Close()) })
	return l, nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// serveAll makes a server for each listener.
func (a *App) serveAll(management http.Handler, p *parts) {
	main := &dispatcher{blobHost: account + ".blob.", blobs: p.blobs, scoring: p.gateway, management: management}
	if a.scoring == a.listener {
		a.servers = append(a.servers, newServer(a.listener, a.server(main), a.front(p, main.isBlobHost)))
	} else {
		main.scoring = management // which has no such path
		a.servers = append(a.servers, newServer(a.scoring, a.server(p.gateway), a.front(p, nil)), newServer(a.listener, a.server(main), nil))
	}
	a.onStop("http servers", a.shutDown)
}

func (a *App) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler: parting(bounded(h, bodyGrace), &a.stopping), TLSConfig: a.certs.TLSConfig(), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(a.options.Log.Handler(), slog.LevelDebug), // of clients that don't trust the CA, mostly
	}
}

// front has the same bounds as server; others tells the hosts that are not the gateway's.
func (a *App) front(p *parts, others func(host string) bool) *gateway.Front {
	return p.gateway.NewFront(gateway.FrontOptions{
		HeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, BodyGrace: bodyGrace, BodyRate: bodyRate, Others: others,
	})
}

// shutDown tells clients to go elsewhere, accepts no more and waits for the requests under way.
// It leaves some of the time to the parts that are stopped after it; then it cuts off the rest.
func (a *App) shutDown(ctx context.Context) error {
	if deadline, bounded := ctx.Deadline(); bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-min(reserve, time.Until(deadline)/3)))
		defer cancel()
	}
	a.part(ctx)
	var group sync.WaitGroup
	errs := make([]error, len(a.servers))
	for n, s := range a.servers {
		group.Go(func() { errs[n] = s.stop(ctx) })
	}
	group.Wait()
	a.running.Wait()
	return errors.Join(errs...)
}

// awaitConnections waits for the connections that were cut off. Their workers are gone by then.
func (a *App) awaitConnections(ctx context.Context) error {
	for _, s := range a.servers {
		if err := s.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// dispatcher tells the planes apart. It is no ServeMux, because that would clean the names of
// blobs and redirect to them.
type dispatcher struct {
	blobHost                   string
	blobs, scoring, management http.Handler
}

func (d *dispatcher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case d.isBlobHost(r.Host):
		d.blobs.ServeHTTP(w, r)
	case strings.HasPrefix(r.URL.Path, "/endpoints/"):
		d.scoring.ServeHTTP(w, r)
	default:
		d.management.ServeHTTP(w, r)
	}
}

func (d *dispatcher) isBlobHost(host string) bool {
	return len(host) > len(d.blobHost) && strings.EqualFold(host[:len(d.blobHost)], d.blobHost)
}
