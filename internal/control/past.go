package control

import (
	"context"
	"slices"
	"sync"
	"time"

	"hotswap/internal/online"
	"hotswap/internal/store"
)

// snapshot is what the state file says of an endpoint at one moment.
type snapshot struct {
	endpoint    *store.Endpoint // nil: there is none
	deployments []store.Deployment
	instances   []store.Instance
	running     []online.Operation
}

// load reads the snapshot of now.
func (c *Control) load(ctx context.Context, endpoint string) (s snapshot, err error) {
	err = c.Store.View(ctx, func(tx *store.Tx) error {
		row, err := tx.Endpoint(ctx, endpoint)
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		s.endpoint = &row
		if s.deployments, err = tx.Deployments(ctx, endpoint); err != nil {
			return err
		}
		if s.instances, err = tx.Instances(ctx, endpoint); err != nil {
			return err
		}
		s.running, err = tx.Running(ctx, endpoint)
		return err
	})
	return s, err
}

// look is what a GET sees: the snapshot of now or, where reads are late, of a while ago.
func (c *Control) look(ctx context.Context, endpoint string) (snapshot, error) {
	if s, late := c.past.at(endpoint, time.Now().Add(-c.pace.reads)); late {
		return s, nil
	}
	return c.load(ctx, endpoint)
}

// note remembers the snapshot of now, where reads are late.
func (c *Control) note(ctx context.Context, endpoint string) {
	if c.pace.reads == 0 {
		return
	}
	c.past.mu.Lock() // over the read too: moments are in their order
	defer c.past.mu.Unlock()
	if s, err := c.load(context.WithoutCancel(ctx), endpoint); err == nil {
		c.past.add(endpoint, moment{time.Now(), s}, c.pace.reads)
	}
}

// past remembers for each endpoint what a late read may still see. It is empty where reads are not late.
type past struct {
	mu      sync.Mutex
	moments map[string][]moment // oldest first
}

type moment struct {
	at time.Time
	snapshot
}

func (p *past) add(endpoint string, m moment, reads time.Duration) {
	if p.moments == nil {
		p.moments = map[string][]moment{}
	}
	p.moments[endpoint] = append(since(p.moments[endpoint], m.at.Add(-reads)), m)
}

// at returns the snapshot of an endpoint at t, and false where nothing is remembered.
func (p *past) at(endpoint string, t time.Time) (snapshot, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := since(p.moments[endpoint], t)
	if len(kept) == 0 {
		return snapshot{}, false
	}
	p.moments[endpoint] = kept
	if len(kept) == 1 && kept[0].endpoint == nil {
		delete(p.moments, endpoint)
	}
	return visible(kept[0].snapshot, kept[len(kept)-1].snapshot), true
}

// since drops the moments that are over at t. The first that is left is the one of t.
func since(moments []moment, t time.Time) []moment {
	for len(moments) > 1 && !moments[1].at.After(t) {
		moments = moments[1:]
	}
	return slices.Clip(moments)
}

// visible is what a read sees of then. What was made since shows at once: there is no earlier
// state of it to show.
func visible(then, now snapshot) snapshot {
	if then.endpoint == nil {
		return now
	}
	seen := snapshot{endpoint: then.endpoint, deployments: slices.Clone(then.deployments), instances: then.instances}
	for _, d := range now.deployments {
		if !slices.ContainsFunc(then.deployments, func(o store.Deployment) bool { return o.Name == d.Name }) {
			seen.deployments = append(seen.deployments, d)
		}
	}
	return seen
}
