package rollout

import "context"

// Rollout deploys, tests and swaps in one go, by the request's strategy. A candidate that does not
// pass its tests leaves the traffic and the slot as they were; one that is worse than live under
// traffic is rolled back.
func (r *Runner) Rollout(ctx context.Context, req Request, tests Tests, force bool) (State, error) {
	if req.Expect != nil {
		if err := req.Expect.expects(r.Endpoint, tests); err != nil {
			return State{}, err
		}
	}
	t, err := r.deploy(ctx, req)
	if err != nil {
		return t.last(), err
	}
	if !force {
		if err := t.test(ctx, tests); err != nil {
			return t.state, err
		}
	}
	err = t.swap(ctx, force, req.Strategy)
	return t.state, err
}
