package rollout

import (
	"context"
	"fmt"
	"time"

	"hotswap/internal/azure"
	"hotswap/internal/journal"
	"hotswap/internal/online"
	"hotswap/internal/spec"
)

// Sources tells what deployments are made of. It writes nothing.
type Sources interface {
	FindCode(ctx context.Context, dir string) (azure.Code, error)
	Code(ctx context.Context, ref online.Ref) (azure.Code, error)
	Environment(ctx context.Context, ref online.Ref) (online.Environment, error)
}

// Preview is what a rollout would do, found out by reading only. Its times are like "10m0s".
type Preview struct {
	Endpoint  EndpointPreview  `json:"endpoint"`
	Slot      SlotPreview      `json:"slot"`
	Model     ModelPreview     `json:"model"`
	Candidate []Fact           `json:"candidate"` // what would be put
	Variables Variables        `json:"variables"` // of the candidate
	Live      *LivePreview     `json:"live,omitempty"`
	Changes   []Change         `json:"changes"`        // what of the candidate differs from live
	Same      bool             `json:"same,omitempty"` // nothing but tags differs from live
	Swap      SwapPreview      `json:"swap"`
	Tests     TestsPreview     `json:"tests"`
	Instances InstancesPreview `json:"instances"`
	Rollback  RollbackPreview  `json:"rollback"`
	Lock      *LockPreview     `json:"lock,omitempty"` // while one is held
	Notes     []string         `json:"notes,omitempty"`
	World     World            `json:"world"`
}

// EndpointPreview is what becomes of the endpoint besides its traffic.
type EndpointPreview struct {
	Name    string   `json:"name"`
	Create  bool     `json:"create,omitempty"`
	Updates []string `json:"updates,omitempty"` // the keys of its file that would change it
}

// SlotPreview is where the candidate goes.
type SlotPreview struct {
	Name  string `json:"name"`
	Why   string `json:"why"`
	Holds string `json:"holds,omitempty"` // the model of the deployment that is there now
	Fate  string `json:"fate"`            // what becomes of it
}

// ModelPreview is the model, and what decided on it.
type ModelPreview struct {
	Ref string `json:"ref,omitempty"` // in the short form; "" where the rollout registers it, or there is none
	Why string `json:"why"`
}

// LivePreview is the deployment that is live.
type LivePreview struct {
	Deployment  string `json:"deployment"`
	Model       string `json:"model"`
	Commit      string `json:"commit,omitempty"`
	Fingerprint string `json:"fingerprint"`
}

// TestsPreview is what the candidate must pass before it gets any traffic.
type TestsPreview struct {
	Cases []string `json:"cases"`          // none: it is swapped without a test, which is recorded
	Diff  string   `json:"diff,omitempty"` // the prediction diff and its bound
}

// LockPreview is a lock that is in the way.
type LockPreview struct {
	Holder  string    `json:"holder"`
	Reason  string    `json:"reason"`
	Rollout string    `json:"rollout,omitempty"`
	Expires time.Time `json:"expires,omitzero"` // zero: it is held until it is freed
	Means   string    `json:"means"`            // to a rollout that is begun now
}

// World is what the plan was made from.
type World struct {
	Traffic     online.Traffic    `json:"traffic"`
	Mirror      map[string]int    `json:"mirror"`
	Deployments map[string]string `json:"deployments"` // fingerprints
	Fence       int64             `json:"fence"`       // the largest that was seen
}

// Preview finds out what a rollout would do now. Where one would be refused at once it fails as
// that would. It takes no lock and writes nothing. Without cases in the suite the plan is one of a
// rollout that is forced.
func (r *Runner) Preview(ctx context.Context, req Request, tests Tests) (Preview, error) {
	return r.preview(ctx, req, tests, newSalt())
}

// outlook is what a preview is made from.
type outlook struct {
	*Runner
	req   Request
	e     online.Endpoint
	there []azure.Deployment
	fresh bool // the endpoint is yet to be created
	plan  Plan
}

func (r *Runner) preview(ctx context.Context, req Request, tests Tests, salt []byte) (p Preview, err error) {
	o, err := r.look(ctx, req)
	if err != nil {
		return p, err
	}
	p.Endpoint = o.endpoint()
	p.Slot, p.Model, p.Live = o.slot(), o.model(), o.live()
	if err := o.compare(ctx, &p, salt); err != nil {
		return p, err
	}
	p.Swap, p.Tests = o.swap(), previewTests(tests)
	p.Instances, p.Rollback = o.instances(), o.rollback()
	p.Notes = o.notes(p.Changes)
	if err := o.journaled(ctx, &p); err != nil {
		return p, err
	}
	p.World = World{Traffic: o.e.Traffic, Mirror: o.e.Mirror.Shares(), Deployments: map[string]string{}}
	for _, d := range o.there {
		p.World.Deployments[d.Name] = d.Fingerprint
	}
	p.World.Fence, err = r.seenFence(ctx)
	return p, err
}

// look reads the endpoint and decides as a rollout would.
func (r *Runner) look(ctx context.Context, req Request) (o outlook, err error) {
	o.Runner, o.req = r, req
	model, err := r.resolveModel(ctx, req)
	if err != nil {
		return o, err
	}
	o.e, err = r.Cloud.Endpoint(ctx, r.Endpoint)
	switch {
	case online.CodeOf(err) == online.NotFound:
		o.e, o.fresh = req.Endpoint.Endpoint, true
		o.e.Name, o.e.Traffic, o.e.Mirror = r.Endpoint, online.Traffic{}, online.Mirror{}
	case err != nil:
		return o, err
	default:
		if o.there, err = r.Cloud.Deployments(ctx, r.Endpoint); err != nil {
			return o, err
		}
	}
	if o.plan, err = draft(o.e, o.there); err != nil {
		return o, err
	}
	o.plan.Model, o.plan.Commit = model, req.Commit
	return o, o.decide(ctx)
}

// decide fills in what the journal and the strategy decide of the plan.
func (o *outlook) decide(ctx context.Context) (err error) {
	reader := &turn{Runner: o.Runner} // without a lock: it may only read
	if o.plan.Displaced, err = reader.displaced(ctx, find(o.there, o.plan.Slot)); err != nil {
		return err
	}
	if o.req.BackTo != "" {
		if err := reader.worthDeployingAgain(ctx, o.req.Deployment.Deployment, o.plan.Former); err != nil {
			return err
		}
	}
	s := o.req.Strategy
	if o.fresh && s.Retain == Parked { // there is nothing to park, and only the endpoint says what its server can do
		s.Retain = Warm
	}
	if s, err = s.fit(o.plan.Before, o.e, func(string, ...any) {}); err != nil {
		return err
	}
	s.Retain = o.req.Strategy.Retain
	o.plan.Strategy, reader.state.Plan = s, o.plan
	if s.watched() && !o.fresh {
		return reader.readable(ctx, o.e)
	}
	return nil
}

// endpoint says what the rollout writes of the endpoint besides its traffic.
func (o *outlook) endpoint() EndpointPreview {
	p := EndpointPreview{Name: o.Endpoint, Create: o.fresh}
	if o.fresh || !o.req.UpdateEndpoint {
		return p
	}
	for _, key := range []string{"description", "auth_mode", "identity", "public_network_access", "tags", "properties"} {
		if changes(o.e, o.req.Endpoint, key) {
			p.Updates = append(p.Updates, key)
		}
	}
	return p
}

// changes reports whether a key of the endpoint's file, laid over e, makes it another.
func changes(e online.Endpoint, file spec.Endpoint, key string) bool {
	merged := merge(e, file)
	switch key {
	case "description":
		return merged.Description != e.Description
	case "auth_mode":
		return merged.AuthMode != e.AuthMode
	case "identity":
		return !sameValue(merged.Identity, e.Identity)
	case "public_network_access":
		return merged.PublicNetworkAccess != e.PublicNetworkAccess
	case "tags":
		return !sameValue(merged.Tags, e.Tags)
	}
	return !sameValue(merged.Properties, e.Properties)
}

// slot says why the candidate goes where it goes.
func (o *outlook) slot() SlotPreview {
	p := SlotPreview{Name: o.plan.Slot, Why: o.whySlot()}
	there := find(o.there, o.plan.Slot)
	switch {
	case there == nil:
		p.Fate = "created"
	case there.State == online.Failed && o.plan.Displaced == nil: // as turn.clear has it
		p.Fate = "deleted and created again: its last operation failed, after which Azure wants a deployment that never came up to be deleted"
	case o.plan.Displaced == nil:
		p.Fate = "changed in place; what it holds is not put back if the candidate is refused"
	default:
		p.Fate = "changed in place; if the candidate is refused, " + modelOf(*o.plan.Displaced) + " is put back"
	}
	if there != nil {
		p.Holds = modelOf(there.Deployment)
	}
	return p
}

func (o *outlook) whySlot() string {
	if o.fresh {
		return "the endpoint is new"
	}
	why := o.plan.Slot + " has no traffic"
	if find(o.there, o.plan.Slot) == nil {
		why = o.plan.Slot + " is not there yet"
	}
	for _, slot := range online.Slots() {
		if slot != o.plan.Slot {
			if taken := occupied(slot, o.e, o.there); taken != "" {
				return slot + " " + taken + ", " + why
			}
		}
	}
	return why
}

// model says what decided on the model.
func (o *outlook) model() ModelPreview {
	p, file := ModelPreview{Ref: o.plan.Model.String()}, o.req.Deployment.Model
	asked := o.req.ModelVersion
	switch {
	case o.req.Deployment.LocalModel != nil:
		p.Ref, p.Why = "", "files on this machine, which the rollout registers: "+o.req.Deployment.LocalModel.Path
	case file.IsZero():
		p.Why = "the deployment file names none"
	case o.req.BackTo != "":
		p.Why = "as it was live by rollout " + o.req.BackTo
	case asked == Latest, asked == "" && file.Version == "@"+Latest, asked == FromFile && file.Version == "@"+Latest:
		p.Why = "the newest that is registered"
	case asked == "" || asked == FromFile:
		p.Why = "the deployment file names it"
	default:
		p.Why = "its version was asked for"
	}
	return p
}

func (o *outlook) live() *LivePreview {
	d := find(o.there, o.e.Traffic.Live())
	if d == nil {
		return nil
	}
	return &LivePreview{Deployment: d.Name, Model: modelOf(d.Deployment), Commit: d.Tags[TagCommit], Fingerprint: d.Fingerprint}
}

// journaled fills in what the lock and the newest rollout have to say.
func (o *outlook) journaled(ctx context.Context, p *Preview) error {
	l, err := o.Journal.Lock(ctx)
	if err != nil {
		return err
	}
	if l.Held {
		p.Lock = o.lock(l)
	}
	_, s, _, err := o.newest(ctx, "")
	if online.CodeOf(err) == online.NotFound {
		return nil
	}
	if err == nil && !s.Phase.Terminal() && !l.Held {
		p.Notes = append(p.Notes, fmt.Sprintf("rollout %s was cut off when %s: it is resumed or undone first, after which this plan may be another", s.ID, s.Phase))
	}
	return err
}

func (o *outlook) lock(l journal.Lock) *LockPreview {
	p := &LockPreview{Holder: l.Holder.Name, Reason: l.Reason, Rollout: l.Rollout, Expires: l.Expires}
	switch {
	case !l.Manual && takeable(l):
		p.Means = "its process is gone: a rollout takes it over"
	case o.Wait > 0:
		p.Means = fmt.Sprintf("a rollout would wait for it, at most %v", o.Wait)
	default:
		p.Means = "a rollout would be refused; --wait waits for it"
	}
	return p
}

func previewTests(t Tests) TestsPreview {
	p := TestsPreview{Cases: t.Suite.Names()}
	if t.Diff == nil || len(p.Cases) == 0 {
		return p
	}
	n := len(t.Diff.Requests)
	if n == 0 {
		n = len(t.Suite.Requests())
	}
	p.Diff = fmt.Sprintf("%d requests to live and candidate", n)
	if n == 1 {
		p.Diff = "1 request to live and candidate"
	}
	if most := t.Diff.Options.MaxDisagreement; most >= 0 {
		p.Diff += ", at most " + percentage(most) + " may disagree"
	} else {
		p.Diff += ", any share may disagree"
	}
	return p
}

// modelOf names the model of a deployment to people.
func modelOf(d online.Deployment) string {
	if d.Model.IsZero() {
		return "no model"
	}
	return d.Model.String()
}
