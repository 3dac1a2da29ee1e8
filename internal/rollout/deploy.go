package rollout

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"time"

	"hotswap/internal/azure"
	"hotswap/internal/crashpoint"
	"hotswap/internal/online"
	"hotswap/internal/spec"
)

// FromFile and Latest are the words that a model version may be, besides a version.
const (
	FromFile = "file"   // what the deployment file says
	Latest   = "latest" // the newest registered version
)

// Request is what deploy is asked for.
type Request struct {
	Endpoint       spec.Endpoint
	Deployment     spec.Deployment
	ModelVersion   string // a version, Latest or FromFile; "" is FromFile
	UpdateEndpoint bool   // merge the endpoint file over an endpoint that exists
	Commit         string // of the sources, "" where it is not known
	Reason         string // shown to whom the lock keeps waiting

	Strategy Strategy // of the swap; zero where the swap is a command of its own
	BackTo   string   // the rollout whose candidate is deployed again; "" for a new one
	Expect   *Preview // the plan that was agreed to: nothing is done if another would be made now; nil: there is none
}

// Deploy creates the candidate at 0 % in the slot that is free, and leaves the lock to the
// rollout's next step.
func (r *Runner) Deploy(ctx context.Context, req Request) (State, error) {
	t, err := r.deploy(ctx, req)
	if err != nil {
		return t.last(), err
	}
	return t.state, t.lease.rest(ctx)
}

// last is the state of a turn that may not have come about.
func (t *turn) last() State {
	if t == nil {
		return State{}
	}
	return t.state
}

func (r *Runner) deploy(ctx context.Context, req Request) (*turn, error) {
	if _, err := r.resolveModel(ctx, req); err != nil { // nothing is locked for a model that is not there
		return nil, err
	}
	t, err := r.open(ctx, cmp.Or(req.Reason, "rollout"), r.ownToo(ctx), false)
	if err != nil {
		return nil, err
	}
	model, err := r.resolveModel(ctx, req) // under the lock: the newest may be another after a wait
	if err != nil {
		return nil, t.drop(ctx, err)
	}
	if err := t.plan(ctx, req, model); err != nil {
		return t, t.drop(ctx, err)
	}
	if err := t.candidate(ctx, req); err != nil {
		return t, err
	}
	return t, nil
}

// resolveModel finds the registered model. The zero Ref
// means that the file brings the model along, or that there is none.
func (r *Runner) resolveModel(ctx context.Context, req Request) (online.Ref, error) {
	ref, version := req.Deployment.Model, req.ModelVersion
	if ref.IsZero() || ref.Registry != "" {
		if version != "" && version != FromFile && version != Latest {
			return ref, online.Errorf(online.Invalid, "version %s is asked for, but the deployment file names no registered model of the workspace", version)
		}
		return ref, nil
	}
	if version == "" || version == FromFile {
		version = ref.Version
	}
	if version == Latest || version == "@"+Latest {
		m, err := r.Cloud.LatestModel(ctx, ref.Name)
		return m.Ref, err
	}
	m, err := r.Cloud.Model(ctx, ref.Name, version)
	return m.Ref, err
}

// plan makes sure of the endpoint, chooses the slot and saves both.
func (t *turn) plan(ctx context.Context, req Request, model online.Ref) error {
	if req.Expect != nil {
		if err := t.expected(ctx, req); err != nil {
			return err
		}
	}
	e, err := t.ensureEndpoint(ctx, req)
	if err != nil {
		return err
	}
	there, err := t.Cloud.Deployments(ctx, t.Endpoint)
	if err != nil {
		return err
	}
	if t.state.Plan, err = draft(e, there); err != nil {
		return err
	}
	p := &t.state.Plan
	t.state.Traffic = p.Before.Traffic
	p.Model, p.Commit, p.BackTo = model, req.Commit, req.BackTo
	if p.Displaced, err = t.displaced(ctx, find(there, p.Slot)); err != nil {
		return err
	}
	if req.BackTo != "" {
		if err := t.worthDeployingAgain(ctx, req.Deployment.Deployment, p.Former); err != nil {
			return err
		}
	}
	if len(req.Strategy.Steps) > 0 {
		if err := t.adopt(ctx, req.Strategy); err != nil {
			return err
		}
	}
	t.Say("slot %s: traffic is %s", p.Slot, p.Before.Traffic)
	return t.enter(ctx, Planned)
}

// draft is what the endpoint itself decides of a plan.
func draft(e online.Endpoint, there []azure.Deployment) (p Plan, err error) {
	p.Endpoint = e.Name
	if p.Slot, err = chooseSlot(e, there); err != nil {
		return p, err
	}
	if p.Before, err = snapshot(e, there); err != nil {
		return p, err
	}
	p.After, p.Mirror = online.AllTo(p.Slot), e.Mirror
	if live := find(there, e.Traffic.Live()); live != nil {
		p.Former = &live.Deployment
	}
	return p, nil
}

// ensureEndpoint creates the endpoint if it is absent, without traffic. It never touches the
// traffic of one that exists.
func (t *turn) ensureEndpoint(ctx context.Context, req Request) (online.Endpoint, error) {
	e, err := t.Cloud.Endpoint(ctx, t.Endpoint)
	switch {
	case online.CodeOf(err) == online.NotFound:
		t.Say("endpoint %s: creating", t.Endpoint)
		e = req.Endpoint.Endpoint
		e.Traffic, e.Mirror = online.Traffic{}, online.Mirror{}
	case err != nil:
		return e, err
	case !req.UpdateEndpoint:
		return e, nil
	default:
		merged := merge(e, req.Endpoint)
		if reflect.DeepEqual(merged, e) {
			return e, nil // a PUT writes the traffic too: none is made without need
		}
		t.Say("endpoint %s: updating what the file names", t.Endpoint)
		e = merged
	}
	e.Tags = t.tags(e.Tags)
	if err := t.lease.outlives(ctx, 1); err != nil {
		return e, err
	}
	return t.Cloud.PutEndpoint(ctx, e)
}

// merge lays what the file names over the endpoint as it is, except its traffic: that moves by
// a swap only.
func merge(e online.Endpoint, file spec.Endpoint) online.Endpoint {
	if file.Keys["description"] {
		e.Description = file.Description
	}
	if file.Keys["auth_mode"] {
		e.AuthMode = file.AuthMode
	}
	if file.Keys["identity"] {
		e.Identity = file.Identity
	}
	if file.Keys["public_network_access"] {
		e.PublicNetworkAccess = file.PublicNetworkAccess
	}
	if len(file.Tags) > 0 {
		e.Tags = overlay(e.Tags, file.Tags)
	}
	if len(file.Properties) > 0 {
		e.Properties = overlay(e.Properties, file.Properties)
	}
	return e
}

func overlay(under, over map[string]string) map[string]string {
	merged := map[string]string{}
	maps.Copy(merged, under)
	maps.Copy(merged, over)
	return merged
}

// tags lays the rollout's marks over tags.
func (t *turn) tags(tags map[string]string) map[string]string {
	return overlay(tags, map[string]string{online.TagRollout: t.state.ID, online.TagFence: strconv.FormatInt(t.state.Fence, 10)})
}

// candidate uploads what is local, puts the deployment and reads it back.
func (t *turn) candidate(ctx context.Context, req Request) error {
	kept, stop := t.lease.keep(ctx)
	defer stop()
	d, err := t.assemble(kept, req)
	if err != nil {
		return t.drop(ctx, err)
	}
	t.state.Candidate.Content = &d
	if err := t.enter(kept, Deploying); err != nil {
		return t.drop(ctx, err)
	}
	put, err := t.put(kept, d)
	if ctx.Err() != nil {
		return t.drop(ctx, cause(ctx, err)) // interrupted: the deployment goes on by itself, the next rollout settles it
	}
	t.saveLog(ctx, d.Name)
	if err != nil {
		return t.refuse(ctx, phaseOf(err), cause(kept, err))
	}
	t.state.Candidate.Deployment, t.state.Candidate.Fingerprint = put.Name, put.Fingerprint
	if err := t.enter(kept, Deployed); err != nil {
		return t.drop(ctx, err)
	}
	t.Say("slot %s: model %s is up at 0 %%", put.Name, d.Model)
	return nil
}

// phaseOf tells a candidate that is at fault from anything else that went wrong.
func phaseOf(err error) Phase {
	if online.CodeOf(err) == online.Refused {
		return Refused
	}
	return Failed
}

// saveLog saves the candidate's log before its slot may be given back. It never fails a rollout.
func (t *turn) saveLog(ctx context.Context, deployment string) {
	if t.SaveLog == nil {
		return
	}
	log, err := t.Cloud.Logs(ctx, t.Endpoint, deployment, "InferenceServer", logLines)
	if err == nil {
		err = t.SaveLog(deployment, log)
	}
	if err != nil {
		t.Say("the log of %s could not be saved: %v", deployment, err)
	}
}

// logLines is how much of a log is saved (az ml online-deployment get-logs, --lines).
const logLines = 5000

// cause prefers the reason why ctx ended over what its end made fail.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}

// assemble makes the deployment to put: the file's, with the slot, the model and our marks.
func (t *turn) assemble(ctx context.Context, req Request) (d online.Deployment, err error) {
	d = req.Deployment.Deployment
	d.Endpoint, d.Name, d.Model = t.Endpoint, t.state.Plan.Slot, t.state.Plan.Model
	if local := req.Deployment.LocalModel; local != nil {
		t.Say("model: uploading %s", local.Path)
		m, err := t.Cloud.RegisterModel(ctx, localModel(*local), local.Path)
		if err != nil {
			return d, err
		}
		d.Model, t.state.Plan.Model = m.Ref, m.Ref
	}
	if dir := req.Deployment.CodeDir; dir != "" {
		t.Say("code: uploading %s", dir)
		if d.Code.Code, err = t.Cloud.UploadCode(ctx, dir); err != nil {
			return d, err
		}
	}
	if env := req.Deployment.LocalEnvironment; env != nil {
		if d.Environment, err = t.Cloud.PutEnvironment(ctx, *env); err != nil {
			return d, err
		}
	}
	d.Tags = t.tags(d.Tags)
	d.Tags[TagModelVersion] = d.Model.Version
	if t.state.Plan.Commit != "" {
		d.Tags[TagCommit] = t.state.Plan.Commit
	}
	return d, nil
}

// localModel is the model to register for the files that a deployment's file names.
func localModel(m spec.LocalModel) online.Model {
	return online.Model{
		Asset: online.Asset{
			Ref:         online.Ref{Kind: online.Models, Name: m.Name, Version: m.Version},
			Description: m.Description, Tags: m.Tags, Properties: m.Properties,
		},
		Type: m.Type,
	}
}

// put creates the deployment, or changes the idle one, and confirms it by reading it back.
func (t *turn) put(ctx context.Context, d online.Deployment) (azure.Deployment, error) {
	if err := t.clear(ctx, d.Name); err != nil {
		return azure.Deployment{}, err
	}
	t.Say("slot %s: deploying %s", d.Name, d.Model)
	if err := t.lease.outlives(ctx, 1); err != nil {
		return azure.Deployment{}, err
	}
	crashpoint.At("rollout.deployment.before")
	_, err := t.Cloud.PutDeployment(ctx, d)
	crashpoint.At("rollout.deployment.after")
	switch {
	case online.CodeOf(err) == online.Invalid: // not the command line's fault: the candidate's
		return azure.Deployment{}, online.Errorf(online.Refused, "%w", err)
	case online.CodeOf(err) == online.Unavailable:
		t.awaitShown(ctx, d)
		return azure.Deployment{}, err
	case err != nil:
		return azure.Deployment{}, err
	}
	return t.confirm(ctx, d)
}

// clear makes the slot fit to be written. It must still have no traffic: uploads may have taken
// long. A deployment whose first create failed can only be deleted and made again; one that is
// there must have got its last request.
func (t *turn) clear(ctx context.Context, slot string) error {
	e, err := t.Cloud.Endpoint(ctx, t.Endpoint)
	if err != nil {
		return err
	}
	there, err := t.Cloud.Deployment(ctx, t.Endpoint, slot)
	switch {
	case online.CodeOf(err) == online.NotFound:
		return nil
	case err != nil:
		return err
	}
	if why := occupied(slot, e, []azure.Deployment{there}); why != "" {
		return online.Errorf(online.Refused, "slot %s was free and %s now: someone else took it", slot, why)
	}
	if there.State != online.Failed || t.state.Plan.Displaced != nil {
		return t.awaitQuiet(ctx, e)
	}
	t.Say("slot %s: the deployment there has failed; deleting it", slot)
	if err := t.lease.outlives(ctx, 1); err != nil {
		return err
	}
	return t.Cloud.DeleteDeployment(ctx, t.Endpoint, slot)
}

// How long a read may lag behind a write that has succeeded, and how often it is repeated.
const (
	staleTime  = 30 * time.Second
	staleEvery = 200 * time.Millisecond
)

// confirm reads the deployment until it is the one that was put: a read may be stale.
func (t *turn) confirm(ctx context.Context, want online.Deployment) (azure.Deployment, error) {
	var d azure.Deployment
	err := poll(ctx, staleTime, staleEvery, func() (bool, error) {
		var err error
		d, err = t.Cloud.Deployment(ctx, t.Endpoint, want.Name)
		if online.CodeOf(err) == online.NotFound {
			return false, nil
		}
		return err == nil && !d.State.Busy() && d.Tags[online.TagRollout] == want.Tags[online.TagRollout], err
	})
	switch {
	case err != nil:
		return d, fmt.Errorf("read deployment %s back: %w", want.Name, err)
	case d.State != online.Succeeded:
		return d, online.Errorf(online.Conflict, "deployment %s is %s", want.Name, d.State)
	case !strings.EqualFold(d.InstanceType, want.InstanceType): // AML-Kubernetes#247: an update may leave it as it was
		return d, online.Errorf(online.Refused, "deployment %s still has instance type %s, not %s: it can't be changed in place; delete the deployment, and try again",
			want.Name, d.InstanceType, want.InstanceType)
	}
	return d, nil
}

// poll repeats until done says so or the time is over, which is Unavailable.
func poll(ctx context.Context, limit, every time.Duration, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit,
		online.Errorf(online.Unavailable, "it was not so after %v", limit))
	defer cancel()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
