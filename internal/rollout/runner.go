package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"hotswap/internal/azure"
	"hotswap/internal/checks"
	"hotswap/internal/crashpoint"
	"hotswap/internal/journal"
	"hotswap/internal/online"
)

// Endpoints reads and writes endpoints. PutEndpoint must not be retried by the callee.
type Endpoints interface {
	Endpoint(ctx context.Context, name string) (online.Endpoint, error)
	PutEndpoint(ctx context.Context, e online.Endpoint) (online.Endpoint, error)
}

// Deployments reads and writes the deployments of an endpoint; the writes wait for their end.
type Deployments interface {
	Deployment(ctx context.Context, endpoint, name string) (azure.Deployment, error)
	Deployments(ctx context.Context, endpoint string) ([]azure.Deployment, error)
	PutDeployment(ctx context.Context, d online.Deployment) (azure.Deployment, error)
	DeleteDeployment(ctx context.Context, endpoint, name string) error
	Logs(ctx context.Context, endpoint, name, container string, tail int) (string, error)
}

// Assets finds and makes what a deployment is made of.
type Assets interface {
	Model(ctx context.Context, name, version string) (online.Model, error)
	LatestModel(ctx context.Context, name string) (online.Model, error)
	RegisterModel(ctx context.Context, m online.Model, path string) (online.Model, error)
	UploadCode(ctx context.Context, dir string) (online.Ref, error)
	PutEnvironment(ctx context.Context, e online.Environment) (online.Ref, error)
}

// Scorer sends one scoring request, once. ScoringKey gets what many of them can carry.
type Scorer interface {
	ScoringKey(ctx context.Context, e online.Endpoint) (string, error)
	Score(ctx context.Context, r azure.Request) (azure.Answer, error)
}

// Metrics tells what the deployments of an endpoint have answered.
type Metrics interface {
	Metrics(ctx context.Context, q azure.MetricsQuery) ([]azure.MetricsPoint, error)
	Now() time.Time // by the service's clock
}

// Cloud is a workspace that speaks the API: Azure ML's, or our server's.
type Cloud interface {
	Endpoints
	Deployments
	Assets
	Sources
	Scorer
	Metrics
}

// Runner takes the rollouts of one endpoint from step to step.
type Runner struct {
	Cloud    Cloud
	Journal  *journal.Journal
	Endpoint string                           // in lower case
	Actor    Actor                            // who does this
	Say      func(format string, args ...any) // progress, for people

	// SaveLog is given the candidate's log once it is up, or has failed; nil: nobody wants it.
	SaveLog func(deployment, log string) error

	// Wait is how long a new rollout waits for a lock that someone else holds. A further step of one
	// that has begun doesn't wait: who holds its lock has overtaken it.
	Wait time.Duration
	// Told is given every state that was saved, in order; nil: nobody wants it. It must not wait.
	Told func(s State, seq int)

	// Report is given what the tests of a candidate found; nil: nobody wants it.
	Report func(checks.Report)

	// MetricsLag is how far back the metrics of a server lie that does not say that they are final.
	MetricsLag time.Duration

	// WriteTime is how long one write may take. A write starts only while the lock outlives it,
	// so that none of ours is under way when another rollout may begin.
	WriteTime time.Duration
}

// turn is a stretch of one rollout that this process runs under the endpoint's lock.
type turn struct {
	*Runner
	lease *lease
	state State
	begun int64 // the fence that the rollout began with, which names it in the journal
	seq   int   // of the next journal entry

	step     bool  // one step of a rollout whose others are commands of their own
	closed   State // what an earlier turn had left open, closed; zero where nothing was
	settling bool  // closes what an earlier turn left open: the lock is for what comes after it
}

// open takes the lock for a new rollout, after it has closed what an earlier one left open;
// take says which lock may be taken over, giveBack is settleLast's.
func (r *Runner) open(ctx context.Context, reason string, take func(journal.Lock) bool, giveBack bool) (*turn, error) {
	fence, err := r.seenFence(ctx)
	if err != nil {
		return nil, err
	}
	id := uuid.NewString()
	held, err := r.Journal.Acquire(ctx, journal.Claim{
		Rollout: id, Reason: reason, Holder: Self(), SeenFence: fence, Take: take,
		Wait: r.Wait, Waiting: r.sayWaiting,
	})
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	t := &turn{Runner: r, lease: r.hold(held), begun: held.Fence(), state: State{
		ID: id, Fence: held.Fence(), Holder: Self().Name, By: r.Actor, Started: now,
		Plan: Plan{Endpoint: r.Endpoint},
	}}
	if t.closed, err = t.settleLast(ctx, giveBack); err != nil {
		return nil, t.drop(ctx, err)
	}
	return t, nil
}

// sayWaiting tells whom it waits for.
func (r *Runner) sayWaiting(l journal.Lock) {
	if l.Manual {
		r.Say("waiting for the lock: held by %s by hand (%s) until it is freed", l.Holder.Name, l.Reason)
		return
	}
	r.Say("waiting for the lock: held by %s for rollout %s (%s) until %s", l.Holder.Name, l.Rollout, l.Reason, l.Expires.UTC().Format(time.RFC3339))
}

func (r *Runner) hold(held *journal.Lease) *lease { return &lease{write: r.WriteTime, held: held} }

// takeable reports whether a lock that has not expired may be taken all the same: a process
// works under it that is known to have ended.
func takeable(l journal.Lock) bool { return gone(l.Holder) }

// restingToo takes the lock of a rollout between two of its steps as well: going back must not
// wait for somebody's next step.
func restingToo(l journal.Lock) bool { return l.Holder.PID == 0 || gone(l.Holder) }

// ownToo takes as well the lock of a rollout between two of its steps that has moved no traffic, and
// is of the same pull request or branch: its newest run counts, and one that was cancelled does not
// keep the next off.
func (r *Runner) ownToo(ctx context.Context) func(journal.Lock) bool {
	_, s, _, err := r.newest(ctx, "")
	if err != nil || s.Phase != Deployed && s.Phase != Tested || !s.By.Forge.same(r.Actor.Forge) {
		return takeable // a journal that can't be read is told by what needs it
	}
	return func(l journal.Lock) bool { return takeable(l) || l.Holder.PID == 0 && l.Rollout == s.ID }
}

// rejoin takes the lock for a further step of a rollout that has begun: the named one, or the
// newest where id is "". One that has lost its lock goes on only where that is asked for.
func (r *Runner) rejoin(ctx context.Context, id string, lost bool) (*turn, error) {
	group, s, seq, err := r.newest(ctx, id)
	if err != nil {
		return nil, err
	}
	if s.Plan.Undoes != "" {
		return nil, online.Errorf(online.Refused, "rollout %s is a rollback, which has no candidate: run hotswap deploy, or hotswap rollback to go on with it", s.ID)
	}
	t := &turn{Runner: r, state: s, begun: group.Fence, seq: seq, step: true}
	if s.Phase.Terminal() {
		return t, nil
	}
	l, err := r.Journal.Lock(ctx)
	switch {
	case err != nil:
		return nil, err
	case atWork(l, s.ID):
		return nil, online.Errorf(online.Locked, "rollout %s is run by %s: wait, or end it with hotswap abort", s.ID, l.Holder.Name)
	case !lost && l.Rollout != s.ID && (!l.Held || takeable(l)):
		return nil, online.Errorf(online.Stale, "rollout %s lost its lock: start a new rollout, or go on with it by hotswap resume", s.ID)
	}
	held, err := r.Journal.Acquire(ctx, journal.Claim{
		Rollout: group.Rollout, Reason: "go on with rollout " + group.Rollout, Holder: Self(), SeenFence: group.Fence, Take: takeable,
	})
	if err != nil {
		return nil, err
	}
	t.lease = r.hold(held)
	if held.Fence() == s.Fence {
		return t, nil
	}
	if err := t.again(ctx, held.Fence()); err != nil {
		t.unlock(ctx)
		return nil, err
	}
	return t, nil
}

// again goes on from what the journal says now, under a new fence: another process may have worked
// on the rollout, or begun another one, since the state was read.
func (t *turn) again(ctx context.Context, fence int64) error {
	group, s, seq, err := t.newest(ctx, "")
	switch {
	case err != nil:
		return err
	case group.Rollout != t.state.ID:
		return online.Errorf(online.Stale, "rollout %s lost its lock: another one has run since; start a new rollout", t.state.ID)
	case s.Phase.Terminal():
		return online.Errorf(online.Stale, "rollout %s has ended meanwhile: it is %s", s.ID, s.Phase)
	}
	t.state, t.seq = s, seq
	t.state.Fence = fence
	return nil
}

// atWork reports whether a process works on the rollout, as far as anybody can know.
func atWork(l journal.Lock, rollout string) bool {
	return l.Held && l.Rollout == rollout && l.Holder.PID != 0 && !gone(l.Holder)
}

// find returns the rollout whose id begins so, or the newest one.
func (r *Runner) find(ctx context.Context, id string) (journal.RolloutID, error) {
	groups, err := r.Journal.Rollouts(ctx)
	if err != nil {
		return journal.RolloutID{}, err
	}
	return r.pick(groups, id)
}

// newest returns the last state of the rollout whose id begins so, or of the newest one, and the
// number of its next entry.
func (r *Runner) newest(ctx context.Context, id string) (g journal.RolloutID, s State, seq int, err error) {
	if g, err = r.find(ctx, id); err != nil {
		return g, s, 0, err
	}
	s, seq, err = r.latest(ctx, g)
	return g, s, seq, err
}

// latest returns the last state of a rollout, and the number of its next entry. It reads that one
// entry, since each holds all of the state.
func (r *Runner) latest(ctx context.Context, g journal.RolloutID) (s State, seq int, err error) {
	e, found, err := r.Journal.Last(ctx, g)
	switch {
	case err != nil:
		return s, 0, err
	case !found:
		return s, 0, online.Errorf(online.NotFound, "rollout %s has no entry in the journal", g.Rollout)
	}
	s, err = stateOf(e)
	return s, e.Seq + 1, err
}

// seenFence returns the largest fence that the journal and the endpoint show, 0 where there is none.
func (r *Runner) seenFence(ctx context.Context) (fence int64, err error) {
	groups, err := r.Journal.Rollouts(ctx)
	if err != nil {
		return 0, err
	}
	if len(groups) > 0 {
		fence = groups[0].Fence
	}
	e, err := r.Cloud.Endpoint(ctx, r.Endpoint)
	if err != nil && online.CodeOf(err) != online.NotFound {
		return 0, err
	}
	return max(fence, fenceOf(e)), nil
}

// enter saves the phase before its effect. A second process that goes on with the same rollout
// fails here, since an entry is made once.
func (t *turn) enter(ctx context.Context, p Phase) error {
	crashpoint.At("rollout.journal." + string(p) + ".before")
	if err := t.lease.renew(ctx); err != nil {
		return err
	}
	next := t.state
	next.Phase, next.Updated = p, time.Now().UTC()
	data, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	err = t.Journal.Append(ctx, journal.Entry{
		Fence: t.begun, Rollout: next.ID, Seq: t.seq, Kind: strings.ToLower(string(p)), Time: next.Updated, Data: data,
	})
	if err != nil {
		return err
	}
	t.state = next
	t.seq++
	if t.Told != nil {
		t.Told(next, t.seq-1)
	}
	crashpoint.At("rollout.journal." + string(p) + ".after")
	return nil
}

// end closes the rollout and gives the lock back. It works while ctx is cancelled, since an end
// that isn't told leaves the endpoint locked.
func (t *turn) end(ctx context.Context, p Phase, reason string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.WriteTime)
	defer cancel()
	t.state.Reason = reason
	if err := t.enter(ctx, p); err != nil {
		return err
	}
	if !t.settling {
		t.unlock(ctx)
	}
	return nil
}

// endWith ends the rollout because of err, which it returns.
func (t *turn) endWith(ctx context.Context, p Phase, err error) error {
	if e := t.end(ctx, p, err.Error()); e != nil {
		return fmt.Errorf("%w; and the end could not be saved: %w", err, e)
	}
	return err
}

// drop gives the lock back after err, with the rollout left as it is: the next one settles it. A
// rollout that can go on from where it is keeps the lock for that.
func (t *turn) drop(ctx context.Context, err error) error {
	if t.settling {
		return err
	}
	if why := context.Cause(ctx); err != nil && why != nil && !errors.Is(err, why) {
		err = why // what its end made fail tells less
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.WriteTime)
	defer cancel()
	again := t.rests() && online.CodeOf(err) != online.Stale
	err = t.left(err)
	if again && t.lease.rest(ctx) == nil {
		return err
	}
	t.unlock(ctx)
	return err
}

// rests reports whether the rollout goes on from where it is, by a command or by resume.
func (t *turn) rests() bool {
	switch t.state.Phase {
	case Watching, Paused:
		return true
	case Deployed, Tested:
		return t.step
	}
	return false
}

// left adds to err what is left, and how to go on from there.
func (t *turn) left(err error) error {
	switch p := t.state.Phase; {
	case err == nil, online.CodeOf(err) == online.Stale: // another has the lock, and goes on
	case p == Swapping, p == RollingBack:
		return fmt.Errorf("%w; rollout %s is left %s, with the traffic at %s when it was last read: go back with hotswap rollback, or go on with hotswap resume",
			err, t.state.ID, p, t.state.Traffic)
	case p == Watching, p == Paused:
		return fmt.Errorf("%w; rollout %s is left %s with the traffic at %s: go on with hotswap resume, or go back with hotswap abort",
			err, t.state.ID, p, t.state.Traffic)
	}
	return err
}

// unlock gives the lock back, unless it was lost. One that can't be given back will expire: that
// is told, and changes nothing of how the rollout ended.
func (t *turn) unlock(ctx context.Context) {
	if err := t.lease.release(ctx); err != nil && online.CodeOf(err) != online.Stale {
		t.Say("the lock could not be given back: %v", err)
	}
}

// fenceOf returns the fence that the last rollout left on the endpoint, 0 where none did.
func fenceOf(e online.Endpoint) int64 {
	fence, err := strconv.ParseInt(e.Tags[online.TagFence], 10, 64)
	if err != nil {
		return 0 // no rollout, or someone else's tag: the lock has a fence of its own
	}
	return fence
}
