package control

import (
	"context"
	"sync"
	"time"

	"hotswap/internal/crashpoint"
	"hotswap/internal/gateway"
	"hotswap/internal/online"
	"hotswap/internal/store"
	"hotswap/internal/workers"
)

const (
	retryStep   = time.Second      // after a step that failed
	connectTime = 10 * time.Second // for the gateway to reach workers that have just answered their probe
	liveFirst   = 30 * time.Second // how long after a start deployments without traffic wait for those with
)

// reconciler converges one endpoint. Its goroutine, in run, owns every field from began on; others
// leave it mail.
type reconciler struct {
	*Control
	endpoint string
	inbox    inbox
	stepped  chan struct{} // closed after the first step

	began   time.Time
	seen    map[string]observation // of instances
	news    news
	inForce *gateway.Endpoint // the routes; nil: none since the start of the server or the endpoint's end
	lag     lag
	leaving map[string]bool // instances that a task drains and removes
	drops   map[string]drop // of deployments, by incarnation
	tasks   sync.WaitGroup
}

// observation is the last that was heard of an instance.
type observation struct {
	state workers.State
	err   error
	at    time.Time
}

// news is what was heard and is not in the state file yet.
type news struct {
	guards, warnings []workers.Event
	removed          []string // instances
}

// A drop is how far the removal of a deployment is.
type drop int

const (
	dropping drop = iota + 1
	dropped
)

func newReconciler(c *Control, endpoint string) *reconciler {
	return &reconciler{
		Control: c, endpoint: endpoint, inbox: inbox{bell: make(chan struct{}, 1)}, stepped: make(chan struct{}), began: time.Now(),
		seen: map[string]observation{}, leaving: map[string]bool{}, drops: map[string]drop{},
	}
}

// run takes steps until the endpoint is gone or ctx ends.
func (r *reconciler) run(ctx context.Context) {
	defer r.tasks.Wait()
	stepped := sync.OnceFunc(func() { close(r.stepped) })
	for {
		again, gone, err := r.step(ctx)
		stepped()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.Log.ErrorContext(ctx, "reconciling failed, will be tried again", "endpoint", r.endpoint, "error", err)
			again = retryStep
		case gone && r.forget(r):
			return
		}
		if again == 0 {
			again = time.Hour // the bell rings before
		}
		select {
		case <-r.inbox.bell:
		case <-time.After(again):
		case <-ctx.Done():
			return
		}
	}
}

// step does what is to be done now. Doing it twice does no harm: what it knows it has read in this
// step, but for the routes in force and the tasks under way, which are its own.
func (r *reconciler) step(ctx context.Context) (again time.Duration, gone bool, err error) {
	for _, mail := range r.inbox.take() {
		mail()
	}
	if err := r.commitNews(ctx); err != nil {
		return 0, false, err
	}
	s, err := r.load(ctx, r.endpoint)
	if err != nil || s.endpoint == nil {
		return 0, err == nil, err
	}
	now := time.Now()
	intents := r.decideAll(s, now)
	if err := r.startAll(ctx, s, intents); err != nil {
		return 0, false, err
	}
	failures := r.endFailed(ctx, s, intents, now)
	late, err := r.route(ctx, s, intents, now)
	if err != nil {
		return 0, false, err
	}
	r.retire(s, intents)
	ended, err := r.endRouted(ctx, s, intents, now)
	if err != nil {
		return 0, false, err
	}
	return soonest(append([]time.Duration{failures, late, ended}, waits(intents)...)...), false, nil
}

// decideAll decides for each deployment, in the order of the snapshot's.
func (r *reconciler) decideAll(s snapshot, now time.Time) []intent {
	intents := make([]intent, len(s.deployments))
	hold := now.Before(r.began.Add(liveFirst)) && r.liveIsDown(s)
	for i, d := range s.deployments {
		intents[i] = decide(d, r.view(s, d), now)
		if hold && s.endpoint.Traffic.Share(d.Name) == 0 {
			intents[i].starts = nil
			intents[i].again = soonest(intents[i].again, r.began.Add(liveFirst).Sub(now))
		}
	}
	return intents
}

// liveIsDown reports whether a deployment with traffic has no instance up and none that failed.
func (r *reconciler) liveIsDown(s snapshot) bool {
	for _, d := range s.deployments {
		if s.endpoint.Traffic.Share(d.Name) == 0 {
			continue
		}
		down := true
		for _, i := range r.view(s, d) {
			if i.state == workers.Ready || i.state == workers.Failed {
				down = false
			}
		}
		if down {
			return true
		}
	}
	return false
}

// view is the instances of a deployment with what is known of them.
func (r *reconciler) view(s snapshot, d store.Deployment) (all []instance) {
	for _, row := range s.instances {
		if row.Deployment != d.Name {
			continue
		}
		i := instance{Instance: row, state: workers.Starting, routed: names(r.inForce, row.ID), leaving: r.leaving[row.ID]}
		if o, heard := r.seen[row.ID]; heard {
			i.state, i.err, i.failedAt = o.state, o.err, o.at
		}
		all = append(all, i)
	}
	return all
}

// heard takes in an event of an instance.
func (r *reconciler) heard(e workers.Event) {
	if e.PID != 0 {
		r.news.guards = append(r.news.guards, e)
	}
	if e.Warning != "" {
		r.news.warnings = append(r.news.warnings, e)
	}
	r.seen[e.Instance] = observation{e.State, e.Err, time.Now()}
}

// commitNews writes down what was heard, before anything is done about it.
func (r *reconciler) commitNews(ctx context.Context) error {
	n := r.news
	if len(n.guards)+len(n.warnings)+len(n.removed) == 0 {
		return nil
	}
	err := r.update(ctx, r.endpoint, func(tx *store.Tx) error {
		for _, e := range n.guards {
			if err := tx.SetGuard(ctx, e.Instance, e.PID, e.StartTime); err != nil {
				return err
			}
		}
		if err := warn(ctx, tx, r.endpoint, n.warnings); err != nil {
			return err
		}
		for _, id := range n.removed {
			if err := tx.DeleteInstance(ctx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.news = news{}
	if len(n.guards) > 0 {
		crashpoint.At("control.pid.committed")
	}
	r.disown(n.removed...)
	for _, id := range n.removed {
		delete(r.seen, id)
		delete(r.leaving, id)
	}
	return nil
}

// warn puts the warnings of instances on their deployments.
func warn(ctx context.Context, tx *store.Tx, endpoint string, warnings []workers.Event) error {
	if len(warnings) == 0 {
		return nil
	}
	rows, err := tx.Instances(ctx, endpoint)
	if err != nil {
		return err
	}
	for _, e := range warnings {
		for _, row := range rows {
			if row.ID != e.Instance {
				continue
			}
			d, err := tx.Deployment(ctx, endpoint, row.Deployment)
			if err != nil {
				return err
			}
			if d.Warning == e.Warning || d.Desired.Launch != row.Launch {
				continue
			}
			d.Warning = e.Warning
			if err := tx.PutDeployment(ctx, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// leave takes the endpoint out of the routes and waits for the requests under way, once run has ended.
func (r *reconciler) leave(ctx context.Context) {
	r.Gateway.Remove(r.endpoint)
	incarnations := []string{}
	if r.inForce != nil {
		for _, d := range r.inForce.Deployments {
			incarnations = append(incarnations, d.ID)
		}
	}
	for id, state := range r.drops {
		if state == dropping {
			incarnations = append(incarnations, id)
		}
	}
	for _, id := range incarnations {
		if err := r.Gateway.Drain(ctx, id); err != nil {
			r.Log.WarnContext(ctx, "requests were cut off", "endpoint", r.endpoint, "incarnation", id, "error", err)
		}
	}
}

// waits are the times after which intents want another look.
func waits(intents []intent) (ws []time.Duration) {
	for _, in := range intents {
		ws = append(ws, in.again)
	}
	return ws
}

// soonest is the smallest time above 0, or 0 where there is none.
func soonest(times ...time.Duration) (first time.Duration) {
	for _, t := range times {
		if t > 0 && (first == 0 || t < first) {
			first = t
		}
	}
	return first
}

// inbox is the mail of a reconciler: functions for its goroutine to run.
type inbox struct {
	mu   sync.Mutex
	mail []func()
	bell chan struct{} // holds one ring
}

func (b *inbox) post(f func()) {
	b.mu.Lock()
	b.mail = append(b.mail, f)
	b.mu.Unlock()
	b.wake()
}

func (b *inbox) wake() {
	select {
	case b.bell <- struct{}{}:
	default:
	}
}

func (b *inbox) take() []func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	mail := b.mail
	b.mail = nil
	return mail
}

func (b *inbox) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.mail) == 0 && len(b.bell) == 0
}

// due is how long until an operation may end, by the pace.
func (r *reconciler) due(o online.Operation, now time.Time) time.Duration {
	return max(0, o.StartedAt.Add(r.pace.operation).Sub(now))
}
