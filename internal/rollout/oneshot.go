package rollout

import "context"

// Rollout deploys, tests and swaps in one go. A candidate that does not pass leaves the traffic
// and the slot as they were.
func (r *Runner) Rollout(ctx context.Context, req Request, c Check, force bool) (State, error) {
	t, err := r.deploy(ctx, req)
	if err != nil {
		return t.last(), err
	}
	if !force {
		if err := t.test(ctx, c); err != nil {
			return t.state, err
		}
	}
	err = t.swap(ctx, force)
	return t.state, err
}
