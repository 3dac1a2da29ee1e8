package rollout

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hotswap/internal/azure"
	"hotswap/internal/online"
	"hotswap/internal/spec"
)

// Rollback restores the traffic from before the last promoted rollout; one that was cut off with
// traffic moved is undone instead. Where that is already so it changes nothing, and already is true.
func (r *Runner) Rollback(ctx context.Context, reason string) (s State, already bool, err error) {
	t, err := r.open(ctx, cmp.Or(reason, "rollback"), restingToo, true)
	if online.CodeOf(err) == online.Locked {
		err = fmt.Errorf("%w; a rollout that runs is ended, and its traffic given back, by `hotswap abort`", err)
	}
	if err != nil {
		return State{}, false, err
	}
	if t.closed.Phase == RolledBack {
		return t.closed, false, t.drop(ctx, nil)
	}
	undone, failed, err := t.lastPromoted(ctx)
	if err != nil {
		return State{}, false, t.drop(ctx, err)
	}
	e, err := t.leftBy(ctx, undone)
	if err != nil {
		return State{}, false, t.drop(ctx, err)
	}
	if undone.Plan.Undoes != "" {
		return undone, true, t.drop(ctx, nil)
	}
	if err := t.planBack(ctx, e, undone, failed); err != nil {
		return t.state, false, t.drop(ctx, err)
	}
	if err := t.unpark(ctx, undone); err != nil {
		return t.state, false, err
	}
	err = t.take(ctx, 0)
	return t.state, false, err
}

// lastPromoted finds the rollout that made the traffic what it is, and the candidates that have
// failed since.
func (t *turn) lastPromoted(ctx context.Context) (s State, failed []State, err error) {
	groups, err := t.Journal.Rollouts(ctx)
	if err != nil {
		return s, nil, err
	}
	for _, g := range groups {
		s, _, err := t.latest(ctx, g)
		if err != nil || s.Phase == Promoted {
			return s, failed, err
		}
		failed = append(failed, s)
	}
	return s, nil, online.Errorf(online.Refused, "endpoint %s has no rollout that went live: there is nothing to roll back", t.Endpoint)
}

// leftBy reads the endpoint, whose traffic must be as the rollout left it.
func (t *turn) leftBy(ctx context.Context, s State) (online.Endpoint, error) {
	e, err := t.quietEndpoint(ctx)
	if err == nil && s.standing(e) != atAfter {
		err = online.Errorf(online.Refused, "the traffic is %s, rollout %s left it at %s: someone else moved it; set it by hand",
			e.Traffic, s.ID, s.Plan.After)
	}
	return e, err
}

// planBack plans the traffic from before undone, if its deployments are still there unchanged,
// differ from what is live, and have not failed since.
func (t *turn) planBack(ctx context.Context, e online.Endpoint, undone State, failed []State) error {
	back := undone.Plan.Before
	if back.Traffic.Closed() {
		return online.Errorf(online.Refused, "nothing was live before rollout %s: traffic is never taken to 0", undone.ID)
	}
	there, err := t.Cloud.Deployments(ctx, t.Endpoint)
	if err != nil {
		return err
	}
	want := back
	if p := undone.Parked; p != nil && !started(there, p.Deployment, back) {
		want.Fingerprints = maps.Clone(back.Fingerprints)
		want.Fingerprints[p.Deployment] = p.Fingerprint
	}
	if err := healthy(there, want); err != nil {
		return err
	}
	now, err := snapshot(e, there)
	if err != nil {
		return err
	}
	slot := back.Traffic.Live()
	t.state.Traffic = now.Traffic
	t.state.Plan = Plan{
		Endpoint: t.Endpoint, Slot: slot, Before: now, After: back.Traffic, Mirror: back.Mirror, Undoes: undone.ID,
		Strategy: Strategy{Steps: []int{everything}, Retain: Warm},
	}
	if d := find(there, slot); d != nil {
		if err := worthReturningTo(*d, find(there, e.Traffic.Live()), failed); err != nil {
			return err
		}
		t.state.Plan.Model = d.Model
		t.state.Candidate = Candidate{Deployment: slot, Fingerprint: back.Fingerprints[slot]}
	}
	return t.enter(ctx, Planned)
}

// started reports whether a deployment that was parked has its instances again: a rollback that
// gave it them may have been cut off after it.
func started(there []azure.Deployment, name string, back Snapshot) bool {
	d := find(there, name)
	return d != nil && d.Fingerprint == back.Fingerprints[name]
}

// worthReturningTo refuses a deployment that is the same as what is live, and one that has failed
// as a candidate since the last that went live. A rollback that failed says nothing of it.
func worthReturningTo(d azure.Deployment, live *azure.Deployment, failed []State) error {
	if live != nil && sameContent(d.Deployment, live.Deployment) {
		return online.Errorf(online.Refused, "deployment %s holds the same as %s, which is live: going back to it changes nothing; hotswap rollback --to takes an older version",
			d.Name, live.Name)
	}
	for _, s := range failed {
		if s.Plan.Undoes == "" && s.Candidate.Fingerprint != "" && s.Candidate.Fingerprint == d.Fingerprint && s.Phase != Abandoned {
			return online.Errorf(online.Refused, "deployment %s is the candidate of rollout %s, which has just failed: %s", d.Name, s.ID, s.Reason)
		}
	}
	return nil
}

// worthDeployingAgain refuses to go back to what is live already, and to what has failed since.
func (t *turn) worthDeployingAgain(ctx context.Context, d online.Deployment, live *online.Deployment) error {
	if live != nil && sameContent(d, *live) {
		return online.Errorf(online.Refused, "%s is live, and is the same: going back to it changes nothing", live.Name)
	}
	_, failed, err := t.lastPromoted(ctx)
	if err != nil {
		return err
	}
	for _, s := range failed {
		if c := s.Candidate.Content; c != nil && s.Phase != Abandoned && sameContent(d, *c) {
			return online.Errorf(online.Refused, "rollout %s has just failed with the same: %s", s.ID, s.Reason)
		}
	}
	return nil
}

// sameContent reports whether two deployments answer alike: they differ in name, tags and number
// of instances at most. What the service adds to the variables of one of them is no difference.
func sameContent(a, b online.Deployment) bool {
	return a.Model == b.Model && a.Environment == b.Environment && a.Code == b.Code && a.InstanceType == b.InstanceType && a.Request == b.Request &&
		maps.Equal(ownVariables(a.Variables, b.Variables), ownVariables(b.Variables, a.Variables))
}

// unpark starts the instances of a slot that was parked. It has then the fingerprint that it had,
// which the swap requires.
func (t *turn) unpark(ctx context.Context, undone State) error {
	p := undone.Parked
	if p == nil {
		return nil
	}
	kept, stop := t.lease.keep(ctx)
	defer stop()
	parked, err := t.Cloud.Deployment(kept, t.Endpoint, p.Deployment)
	if err != nil {
		return t.drop(ctx, err)
	}
	if parked.Fingerprint == t.state.Candidate.Fingerprint {
		return nil // it was started already
	}
	if err := t.enter(kept, Deploying); err != nil {
		return t.drop(ctx, err)
	}
	t.Say("slot %s: starting its instances again", p.Deployment)
	d := t.fenced(parked.Deployment)
	d.InstanceCount = p.Instances
	back, err := t.Cloud.PutDeployment(kept, d)
	switch {
	case ctx.Err() != nil || online.CodeOf(err) == online.Stale:
		return t.drop(ctx, cause(ctx, err))
	case err != nil:
		return t.endWith(ctx, Failed, err)
	case back.Fingerprint != t.state.Candidate.Fingerprint:
		return t.endWith(ctx, Refused, online.Errorf(online.Refused, "deployment %s is not what it was before it was parked", p.Deployment))
	}
	return nil
}

// Earlier finds what to deploy to have an older version live again: the newest rollout that was
// promoted with that model version, or from a commit whose id begins so.
func (r *Runner) Earlier(ctx context.Context, to string) (Request, error) {
	groups, err := r.Journal.Rollouts(ctx)
	if err != nil {
		return Request{}, err
	}
	for _, g := range groups {
		s, _, err := r.latest(ctx, g)
		if err != nil {
			return Request{}, err
		}
		if s.Phase != Promoted || s.Candidate.Content == nil || !s.is(to) {
			continue
		}
		d := *s.Candidate.Content
		d.Tags = unmarked(d.Tags)
		return Request{
			Endpoint:     spec.Endpoint{Endpoint: online.Endpoint{Name: r.Endpoint}},
			Deployment:   spec.Deployment{Deployment: d},
			ModelVersion: FromFile, Commit: s.Plan.Commit, Reason: "rollback to " + to, BackTo: s.ID,
		}, nil
	}
	return Request{}, online.Errorf(online.NotFound, "endpoint %s has had no version and no commit %s live that the journal could deploy again; see hotswap history", r.Endpoint, to)
}

// is reports whether a person means s by a version or a commit. A commit takes at least four
// letters, as git wants them.
func (s State) is(to string) bool {
	const leastCommit = 4
	return s.Plan.Model.Version == to || len(to) >= leastCommit && strings.HasPrefix(s.Plan.Commit, strings.ToLower(to))
}

// unmarked is tags without those of a rollout.
func unmarked(tags map[string]string) map[string]string {
	kept := maps.Clone(tags)
	for _, tag := range []string{online.TagRollout, online.TagFence, TagCommit, TagModelVersion} {
		delete(kept, tag)
	}
	return kept
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
