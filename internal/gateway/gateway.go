// Package gateway is the data plane: it authenticates a scoring request, picks a deployment,
// claims it and one of its workers, and passes the worker's answer on.
//
// The routes are plain immutable data behind one atomic pointer. A swap connects to the new
// workers first, then stores the pointer; the old ones are drained after it.
//
//	deployment:  routed ──Swap leaves it out──► unrouted ──Drain──► draining ──no claim left──► gone
//	             claims are taken               (the few requests    claims are
//	                                            with older routes)   refused
//
//	worker:      down ──hello──► idle ──claimed──► busy ──answer──► idle
//	              ▲                │                │ └─ 408 to the client: still busy, until it
//	              └──── closed ────┴──── closed ────┘    answers or Stuck has passed
//
//	request:     body read ─► deployment claimed ─► waits (FIFO) ─► worker claimed ─► sent ─► answered
//	                          └ refused: newer       └ 408, 503       └ worker dead,    └ worker dead: 424
//	                            routes, else 503                        nothing sent: the next one
//
// design.md, beside this file, has the rules and what breaks without them.
package gateway

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"hotswap/internal/frame"
	"hotswap/internal/meter"
)

// Defaults and limits.
const (
	// DefaultMaxBody is the largest body of a request, unless Options has another.
	DefaultMaxBody = 100 << 20

	// pendingFactor times the concurrency of all instances is how many requests a deployment may
	// have under way (learn.microsoft.com, "Troubleshoot online endpoint deployment", on status 429).
	pendingFactor = 2
)

// Options is what a Gateway needs from outside. Each has a use when zero.
type Options struct {
	// VerifyToken tells whether a token opens an endpoint whose auth mode is not Key. Without it none does.
	VerifyToken func(endpoint, token string) bool
	// Stuck is told of a worker, by its number, that has to be replaced: it has held a request too
	// long or broken the protocol. It must not wait for a call of the gateway.
	Stuck func(instance string, worker int)
	// Meter counts every answer to a request that had picked a deployment.
	Meter *meter.Meter
	// MaxBody is the largest body of a request, in bytes; at most frame.MaxBody.
	MaxBody int64
	// Log is where changes of routes and losses of workers are told.
	Log *slog.Logger
}

// Gateway is the http.Handler of the paths /endpoints/{endpoint}/{path…}; the part after the
// endpoint's name goes to a worker. See the package for its rules.
type Gateway struct {
	routes atomic.Pointer[routes] // all that a request reads of what Swap writes

	verify  func(endpoint, token string) bool
	stuck   func(instance string, worker int)
	meter   *meter.Meter
	maxBody int64
	log     *slog.Logger

	mu       sync.Mutex // guards what follows, and stores to routes
	seq      uint64     // of the newest route
	backends map[string]*backend
	swapping map[string]bool // endpoints that a Swap is at work on
}

// New returns a Gateway without routes.
func New(o Options) *Gateway {
	g := &Gateway{
		verify: o.VerifyToken, stuck: o.Stuck, meter: o.Meter, maxBody: o.MaxBody, log: o.Log,
		backends: map[string]*backend{}, swapping: map[string]bool{},
	}
	if g.maxBody <= 0 {
		g.maxBody = DefaultMaxBody
	}
	if g.meter == nil {
		g.meter = meter.New()
	}
	g.maxBody = min(g.maxBody, frame.MaxBody)
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	g.routes.Store(&routes{})
	return g
}
