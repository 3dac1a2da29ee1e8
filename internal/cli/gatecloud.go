package cli

import (
	"context"
	"errors"

	"hotswap/internal/gate"
	"hotswap/internal/online"
	"hotswap/internal/rollout"
	"hotswap/internal/spec"
)

// gated is an endpoint as the gate sees it: by what its rollouts have left.
type gated struct {
	*rollout.Runner
	req      *rollout.Request // of the checkout; nil: there are no files of a deployment
	tests    func() (rollout.Tests, error)
	endpoint *spec.Endpoint // as its file has it; nil: it must be there
}

var errNoFiles = errors.New("give --endpoint-file and --deployment-file")

func (g *gated) Live(ctx context.Context) (gate.Live, error) {
	l, err := g.Runner.Live(ctx)
	if err != nil {
		return gate.Live{}, err
	}
	var live gate.Live
	if !l.Traffic.Closed() {
		live.Traffic = l.Traffic.String()
	}
	if d := l.Deployment; d != nil {
		live.Deployment, live.Fingerprint = &d.Deployment, d.Fingerprint
	}
	if l.Made == nil {
		if l.Made, err = g.scaled(ctx, l); err != nil {
			return live, err
		}
	}
	live.Rollout, live.Back = gateRollout(l.Made), gateRollout(l.Back)
	if l.Newest != nil && !l.Newest.Phase.Terminal() {
		live.Underway = gateRollout(l.Newest)
	}
	return live, nil
}

// scaled is the rollout of what was scaled since, by a person or by itself, and is as it was put but
// for that; nil where more was changed.
func (g *gated) scaled(ctx context.Context, l rollout.Live) (*rollout.State, error) {
	if l.Marked == nil || l.Marked.Candidate.Content == nil {
		return nil, nil
	}
	put := *l.Marked.Candidate.Content
	var d spec.Deployment
	d.Deployment = put
	changes, err := g.Runner.Differs(ctx, l.Deployment.Deployment, d, put.Model)
	if err != nil || !rollout.Same(changes, true) {
		return nil, err
	}
	return l.Marked, nil
}

func gateRollout(s *rollout.State) *gate.Rollout {
	if s == nil {
		return nil
	}
	r := &gate.Rollout{ID: s.ID, Promoted: s.Phase == rollout.Promoted, Commit: s.Plan.Commit, By: s.By.String(), Content: s.Candidate.Content}
	if f := s.By.Forge; f != nil {
		r.PullRequest = f.PullRequest
	}
	return r
}

// Tree compares the checkout with what is live. Where the newest model is asked for it is the one
// that is live that counts: a newer one goes live by a deployment of its own.
func (g *gated) Tree(ctx context.Context, live gate.Live) (gate.Tree, error) {
	if g.req == nil {
		return gate.Tree{}, online.Errorf(online.Invalid, "what is checked out can't be compared with what is live: %w", errNoFiles)
	}
	if live.Deployment == nil {
		return gate.Tree{}, nil
	}
	model := g.req.Deployment.Model
	switch asked := g.req.ModelVersion; {
	case model.IsZero() || model.Registry != "":
	case g.req.Newest() && model.Name == live.Deployment.Model.Name:
		model = live.Deployment.Model
	case asked != "" && asked != rollout.FromFile && asked != rollout.Latest:
		model.Version = asked
	}
	changes, err := g.differs(ctx, live, *g.req, model)
	return gate.Tree{Same: err == nil && rollout.Same(changes, false), Changes: gateChanges(changes, false)}, err
}

func (g *gated) Differs(ctx context.Context, live gate.Live, content online.Deployment) ([]gate.Change, error) {
	req := rollout.Request{}
	req.Deployment.Deployment = content
	changes, err := g.differs(ctx, live, req, content.Model)
	return gateChanges(changes, true), err
}

func (g *gated) differs(ctx context.Context, live gate.Live, req rollout.Request, model online.Ref) ([]rollout.Change, error) {
	return g.Runner.Differs(ctx, *live.Deployment, req.Deployment, model)
}

// gateChanges leaves out what does not count: the tags and, where it may scale by itself, the
// number of instances.
func gateChanges(changes []rollout.Change, scales bool) []gate.Change {
	var counted []gate.Change
	for _, c := range changes {
		if !rollout.Same([]rollout.Change{c}, scales) {
			counted = append(counted, gate.Change{What: c.What, Live: c.Live, Wanted: c.Candidate, Lines: c.Lines})
		}
	}
	return counted
}

func (g *gated) Newer(ctx context.Context, than online.Ref) (string, error) {
	if g.req == nil || !g.req.Newest() || than.Registry != "" || than.Name != g.req.Deployment.Model.Name {
		return "", nil
	}
	newer, err := g.NewerModel(ctx, than)
	return newer.String(), err
}

func (g *gated) Restore(ctx context.Context, main gate.Main) error {
	tests, err := g.tests()
	if err != nil {
		return err
	}
	reason := "restore what main stands for"
	if main.Commit != "" {
		reason += ", commit " + short(main.Commit)
	}
	want := rollout.Reinstatement{Content: main.Content, Fingerprint: main.Fingerprint, Commit: main.Commit, Reason: reason}
	if g.endpoint != nil {
		want.Endpoint = *g.endpoint
	}
	_, err = g.Reinstate(ctx, want, tests)
	return err
}
