package rollout

import (
	"context"

	"hotswap/internal/azure"
	"hotswap/internal/online"
	"hotswap/internal/spec"
)

// Live is what carries an endpoint's traffic, and how it came to that.
type Live struct {
	Traffic    online.Traffic
	Deployment *azure.Deployment // nil where not exactly one has all the traffic
	Made       *State            // the rollout that put it there, by its mark; nil where none is known
	Marked     *State            // the rollout whose mark it has, whatever was changed of it since; nil where none is known
	Newest     *State            // of the journal; nil where there is none
	Back       *State            // the rollback that made the traffic what it is; nil where none did
}

// Live reads what is live. An endpoint that is not there has nothing live.
func (r *Runner) Live(ctx context.Context) (l Live, err error) {
	e, err := r.Cloud.Endpoint(ctx, r.Endpoint)
	if online.CodeOf(err) == online.NotFound {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	there, err := r.Cloud.Deployments(ctx, r.Endpoint)
	if err != nil {
		return l, err
	}
	l.Traffic = e.Traffic
	l.Deployment = find(there, e.Traffic.Live())
	if _, s, _, err := r.newest(ctx, ""); err == nil {
		l.Newest = &s
	} else if online.CodeOf(err) != online.NotFound {
		return l, err
	}
	if l.Deployment != nil {
		if l.Marked, err = r.marked(ctx, *l.Deployment); err != nil {
			return l, err
		}
		if l.Marked != nil && l.Marked.Candidate.Fingerprint == l.Deployment.Fingerprint {
			l.Made = l.Marked
		}
	}
	l.Back, err = r.rolledBack(ctx, l.Deployment)
	return l, err
}

// rolledBack finds the rollback that made d live, as it is.
func (r *Runner) rolledBack(ctx context.Context, d *azure.Deployment) (*State, error) {
	last, _, err := (&turn{Runner: r}).lastPromoted(ctx)
	back := last.Plan.Undoes != "" || last.Plan.BackTo != ""
	switch {
	case err != nil && online.CodeOf(err) != online.Refused: // it is where none has gone live yet
		return nil, err
	case err != nil || d == nil || !back || last.Candidate.Fingerprint != d.Fingerprint:
		return nil, nil
	}
	return &last, nil
}

// marked finds the rollout whose mark d has.
func (r *Runner) marked(ctx context.Context, d azure.Deployment) (*State, error) {
	id := d.Tags[online.TagRollout]
	if id == "" {
		return nil, nil
	}
	_, s, _, err := r.newest(ctx, id)
	switch {
	case online.CodeOf(err) == online.NotFound:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &s, nil
}

// Differs tells in what a deployment would differ from one that is there, with that registered
// model. It writes nothing.
func (r *Runner) Differs(ctx context.Context, from online.Deployment, d spec.Deployment, model online.Ref) ([]Change, error) {
	o := &outlook{Runner: r, req: Request{Deployment: d}, plan: Plan{Model: model}}
	want, _, err := o.candidate()
	if err != nil {
		return nil, err
	}
	code, err := o.codeOf(ctx)
	if err != nil {
		return nil, err
	}
	env, err := o.environmentOf(ctx)
	if err != nil {
		return nil, err
	}
	return o.changes(ctx, from, want, code, env), nil
}

// Same reports whether changes are of tags alone. What scales by itself may have another number of
// instances, and is the same where that is asked for.
func Same(changes []Change, scales bool) bool {
	for _, c := range changes {
		if c.What != factTags && (c.What != factInstances || !scales) {
			return false
		}
	}
	return true
}

// Newest reports whether the request is for the newest registered version of its model.
func (req Request) Newest() bool {
	file := req.Deployment.Model
	switch {
	case file.IsZero() || file.Registry != "":
		return false
	case req.ModelVersion == "" || req.ModelVersion == FromFile:
		return file.Version == "@"+Latest
	}
	return req.ModelVersion == Latest
}

// NewerModel finds a registered version of the model that is newer than that one; the zero Ref
// where there is none.
func (r *Runner) NewerModel(ctx context.Context, than online.Ref) (online.Ref, error) {
	newest, err := r.Cloud.LatestModel(ctx, than.Name)
	switch {
	case online.CodeOf(err) == online.NotFound:
		return online.Ref{}, nil
	case err != nil:
		return online.Ref{}, err
	case newest.Ref.Version == than.Version:
		return online.Ref{}, nil
	}
	return newest.Ref, nil
}
