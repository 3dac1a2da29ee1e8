// Package control takes what is wanted of endpoints and deployments, commits it with an operation
// that the client can poll, and makes it so: one reconciler an endpoint converges the launcher's
// instances and the gateway's routes to the last commit.
//
//	            PUT                      new set ready, routes in force
//	(none) ──► Creating ────────────────────────────────────────► Succeeded ◄─┐
//	               │ an instance failed                              │ PUT    │ new set ready,
//	               ▼                                                 ▼        │ routes in force
//	             Failed (first create: only DELETE helps)         Updating ───┤
//	                                                                 │        │
//	                             an instance of the new set failed   ▼        │ PUT
//	                             (the old set goes on serving)     Failed ────┘
//
//	Succeeded ──PUT with 0 instances──► Updating: routes without instances, drain, stop ──► Succeeded, parked
//
//	any ──DELETE──► Deleting: routes without it, drain, stop, files, row ──► (none)
//
// A request commits and wakes the reconciler; the reconciler reads the state file, decides by the
// pure functions of plan.go and acts. So it makes no difference whether it was woken by a request,
// an instance or the start of the server. See design.md.
package control

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"hotswap/internal/gateway"
	"hotswap/internal/online"
	"hotswap/internal/store"
	"hotswap/internal/workers"
)

// Gateway is the data plane.
type Gateway interface {
	Swap(ctx context.Context, e gateway.Endpoint) error
	Remove(endpoint string)
	Drain(ctx context.Context, deploymentID string) error
	DrainInstance(ctx context.Context, instanceID string) error
}

// Assets is the library of what deployments are made of.
type Assets interface {
	Resolve(ctx context.Context, ref online.Ref) (online.Ref, error)
	Conda(ctx context.Context, environment online.Ref) (string, error)
}

// Keyring seals the endpoints' keys.
type Keyring interface {
	Seal(value []byte, owner string) []byte
	Open(sealed []byte, owner string) ([]byte, error)
}

// Options is what a Control is made of.
type Options struct {
	Store      *store.Store
	Gateway    Gateway
	Launcher   workers.Launcher
	Assets     Assets
	Keyring    Keyring
	ScoringURI func(endpoint string) string
	AzureLike  bool // operations take seconds, traffic and reads lag behind
	Log        *slog.Logger
}

// Control is the control plane of the server.
type Control struct {
	Options
	pace    pace
	past    past
	waiters waiters

	mu          sync.Mutex
	closed      bool
	reconcilers map[string]*reconciler // by endpoint
	owners      map[string]string      // endpoint by instance

	running context.Context // of all reconcilers; ends in Close
	stop    context.CancelFunc
	wg      sync.WaitGroup // reconcilers
}

// New returns a Control that is to be started. The context's values are those of its work; its
// end is Close.
func New(ctx context.Context, o Options) *Control {
	c := &Control{Options: o, reconcilers: map[string]*reconciler{}, owners: map[string]string{}}
	if o.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if o.AzureLike {
		c.pace = azurePace
	}
	c.running, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	return c
}

// Start sweeps what an earlier server left running and begins to make true what the state file
// wants. When it returns, every endpoint has its routes, if without an instance yet: a request that
// comes too early is told to try again, not that there is no such endpoint.
func (c *Control) Start(ctx context.Context) error {
	c.Launcher.Watch(c.heard)
	if err := c.sweep(ctx); err != nil {
		return err
	}
	var endpoints []store.Endpoint
	err := c.Store.View(ctx, func(tx *store.Tx) (err error) {
		endpoints, err = tx.Endpoints(ctx)
		return err
	})
	if err != nil {
		return err
	}
	for _, e := range endpoints {
		c.note(ctx, e.Name)
		c.wake(e.Name)
	}
	for _, r := range c.all() {
		select {
		case <-r.stepped:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// all returns the reconcilers that there are.
func (c *Control) all() []*reconciler {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.reconcilers))
}

// sweep leaves of an earlier server's instances only those that are kept for their logs. The
// others come up anew under other ids: what a crash left in their folders is not to be trusted.
func (c *Control) sweep(ctx context.Context) error {
	var rows []store.Instance
	err := c.Store.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.Instances(ctx, "")
		return err
	})
	if err != nil {
		return err
	}
	leftovers := make([]workers.Leftover, len(rows))
	for i, row := range rows {
		leftovers[i] = workers.Leftover{ID: row.ID, PID: row.PID, StartTime: row.StartTime}
	}
	if err := c.Launcher.Sweep(ctx, leftovers); err != nil {
		return online.Errorf(online.CodeOf(err), "sweep what an earlier server left: %w", err)
	}
	for _, row := range rows {
		if row.Kept {
			continue
		}
		if err := c.Launcher.Remove(ctx, row.ID); err != nil {
			return online.Errorf(online.CodeOf(err), "remove instance %s of an earlier server: %w", row.ID, err)
		}
		err := c.Store.Update(ctx, func(tx *store.Tx) error { return tx.DeleteInstance(ctx, row.ID) })
		if err != nil {
			return err
		}
	}
	return nil
}

// Close takes no more changes, takes all endpoints out of the routes, waits for the requests under
// way, and stops the workers. What was wanted is kept for the next Start.
func (c *Control) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.wg.Wait()
	var drained sync.WaitGroup
	for _, r := range c.all() {
		drained.Go(func() { r.leave(ctx) })
	}
	drained.Wait()
	return c.Launcher.Close(ctx)
}

// open refuses changes once Close was called.
func (c *Control) open() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return online.Errorf(online.Unavailable, "the server is stopping: try again")
	}
	return nil
}

// wake makes the reconciler of an endpoint look at the state file again.
func (c *Control) wake(endpoint string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	r := c.reconcilers[endpoint]
	if r == nil {
		r = newReconciler(c, endpoint)
		c.reconcilers[endpoint] = r
		c.wg.Go(func() { r.run(c.running) })
	}
	r.inbox.wake()
}

// heard hands an event to the reconciler of its instance. An event of an instance that nobody
// owns any more is dropped.
func (c *Control) heard(e workers.Event) {
	c.mu.Lock()
	r := c.reconcilers[c.owners[e.Instance]]
	c.mu.Unlock()
	if r != nil {
		r.inbox.post(func() { r.heard(e) })
	}
}

func (c *Control) own(instance, endpoint string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owners[instance] = endpoint
}

func (c *Control) disown(instances ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range instances {
		delete(c.owners, id)
	}
}

// forget ends the reconciler of an endpoint that is gone, unless it was woken again.
func (c *Control) forget(r *reconciler) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !r.inbox.empty() {
		return false
	}
	delete(c.reconcilers, r.endpoint)
	return true
}

// update commits a change of an endpoint's rows. After an error nothing has changed.
func (c *Control) update(ctx context.Context, endpoint string, change func(*store.Tx) error) error {
	if err := c.Store.Update(ctx, change); err != nil {
		if _, coded := errors.AsType[*online.Error](err); coded {
			return err
		}
		return online.Errorf(online.Internal, "commit a change of endpoint %q: %w", endpoint, err)
	}
	c.note(ctx, endpoint)
	return nil
}

// pace is how slowly things become true. The zero pace is as fast as they do.
type pace struct {
	operation time.Duration // an operation takes at least this
	traffic   time.Duration // traffic goes by the old shares for this long after its operation ended
	reads     time.Duration // a GET shows what was so long ago
}

// azurePace is that of --azure-like: what real rollouts have to live with, short enough for a test.
var azurePace = pace{operation: 3 * time.Second, traffic: 10 * time.Second, reads: 2 * time.Second}
