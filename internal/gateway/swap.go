package gateway

import (
	"context"
	"maps"

	"hotswap/internal/online"
)

// Swap puts an endpoint in force: it connects to every worker that is new, for as long as ctx
// lasts, and then stores the routes. After an error the routes are what they were.
//
// It refuses a revision older than the one in force, and a second Swap of an endpoint while one
// is under way. Deployments and instances that it leaves out get no new requests any more, and
// have to be given to Drain and DrainInstance.
func (g *Gateway) Swap(ctx context.Context, e Endpoint) error {
	if err := e.check(); err != nil {
		return err
	}
	if err := g.begin(e); err != nil {
		return err
	}
	defer g.end(e.Name)
	plans, err := g.plan(e)
	if err == nil {
		err = connect(ctx, plans)
	}
	if err != nil {
		for _, p := range plans {
			p.undo()
		}
		return online.Errorf(online.CodeOf(err), "route endpoint %q: %w", e.Name, err)
	}
	g.commit(e, plans)
	return nil
}

// begin lets one Swap of an endpoint in at a time.
func (g *Gateway) begin(e Endpoint) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.swapping[e.Name] {
		return online.Errorf(online.Conflict, "route endpoint %q: another change of its routes is under way", e.Name)
	}
	if r := (*g.routes.Load())[e.Name]; r != nil && e.Revision < r.Revision {
		return online.Errorf(online.Stale, "route endpoint %q: revision %d is older than %d, which is in force", e.Name, e.Revision, r.Revision)
	}
	g.swapping[e.Name] = true
	return nil
}

func (g *Gateway) end(endpoint string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.swapping, endpoint)
}

// plan is what a Swap will do to one deployment.
type plan struct {
	Deployment
	backend   *backend
	instances []*instance
	fresh     []*instance // those of them that this plan has started
}

// undo closes what the plan has started.
func (p *plan) undo() {
	for _, i := range p.fresh {
		i.close()
	}
}

// plan finds each deployment's instances or starts them. Its plans count also after an error.
func (g *Gateway) plan(e Endpoint) ([]*plan, error) {
	var plans []*plan
	for _, d := range e.Deployments {
		p := &plan{Deployment: d, backend: g.backend(d.ID)}
		plans = append(plans, p)
		if p.backend.draining() {
			return plans, online.Errorf(online.Conflict, "deployment %q is draining: create it again under another id", d.Name)
		}
		known := p.backend.known()
		for _, of := range d.Instances {
			i := known[of.ID]
			if i == nil {
				i = g.start(p.backend, of, d.Model)
				p.fresh = append(p.fresh, i)
			} else if !i.serves(of.Workers) {
				return plans, online.Errorf(online.Invalid, "instance %s has other workers than before: give it another id", of.ID)
			}
			p.instances = append(p.instances, i)
		}
	}
	return plans, nil
}

// backend returns the deployment with the id, or a new one, which commit will keep.
func (g *Gateway) backend(id string) *backend {
	g.mu.Lock()
	defer g.mu.Unlock()
	if b := g.backends[id]; b != nil {
		return b
	}
	return &backend{leaving: map[string]*instance{}}
}

// known returns the instances of b by id.
func (b *backend) known() map[string]*instance {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := make(map[string]*instance, len(b.instances)+len(b.leaving))
	maps.Copy(known, b.leaving)
	for _, i := range b.instances {
		known[i.id] = i
	}
	return known
}

func connect(ctx context.Context, plans []*plan) error {
	for _, p := range plans {
		for _, i := range p.fresh {
			if err := i.ready(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// commit is the swap: one store of a pointer. What it adopts before is of no effect on a request
// until a route names it, but for the instances of a deployment that was routed already.
func (g *Gateway) commit(e Endpoint, plans []*plan) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range plans {
		p.backend.adopt(p.Deployment, p.instances)
		g.backends[p.ID] = p.backend
	}
	g.seq++
	next := g.routes.Load().with(newRoute(e, g.seq, g.backends, g.meter))
	g.routes.Store(&next)
	g.log.Info("routes in force", "endpoint", e.Name, "revision", e.Revision, "shares", e.Shares)
}

// Remove takes an endpoint's routes away: its requests get 404. Its deployments have to be given
// to Drain. It must not be called while a Swap of the endpoint is under way.
func (g *Gateway) Remove(endpoint string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	next := g.routes.Load().without(endpoint)
	g.routes.Store(&next)
	g.log.Info("routes removed", "endpoint", endpoint)
}

// Drain refuses new requests for a deployment that the routes don't name any more, waits for
// those under way, clients that are idle left alone, and closes its connections. A deployment that is not known
// is drained. After an error, which is ctx's, it may be called again.
func (g *Gateway) Drain(ctx context.Context, deploymentID string) error {
	g.mu.Lock()
	b, named := g.backends[deploymentID], g.routes.Load().names(deploymentID)
	g.mu.Unlock()
	switch {
	case named:
		return online.Errorf(online.Conflict, "drain deployment %s: the routes name it", deploymentID)
	case b == nil:
		return nil
	}
	select {
	case <-b.drain():
	case <-ctx.Done():
		return online.Errorf(online.Unavailable, "drain deployment %s: %w", deploymentID, context.Cause(ctx))
	}
	for _, i := range b.known() {
		i.close()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.backends, deploymentID)
	return nil
}

// DrainInstance does for one instance what Drain does for a deployment, after a Swap that names
// the deployment without it.
func (g *Gateway) DrainInstance(ctx context.Context, instanceID string) error {
	b, i := g.find(instanceID)
	if i == nil {
		return nil
	}
	idle, ok := b.drainInstance(i)
	if !ok {
		return online.Errorf(online.Conflict, "drain instance %s: its deployment uses it", instanceID)
	}
	select {
	case <-idle:
	case <-ctx.Done():
		return online.Errorf(online.Unavailable, "drain instance %s: %w", instanceID, context.Cause(ctx))
	}
	i.close()
	b.forget(i)
	return nil
}

func (g *Gateway) find(instanceID string) (*backend, *instance) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range g.backends {
		if i := b.known()[instanceID]; i != nil {
			return b, i
		}
	}
	return nil, nil
}

// drainInstance returns a channel that is closed when i, which must be leaving, has no call.
func (b *backend) drainInstance(i *instance) (idle <-chan struct{}, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.leaving[i.id] != i {
		return nil, false
	}
	if i.drained == nil {
		i.drained = make(chan struct{})
		if i.running == 0 {
			close(i.drained)
		}
	}
	return i.drained, true
}

// forget drops an instance that was closed.
func (b *backend) forget(i *instance) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.leaving, i.id)
}
