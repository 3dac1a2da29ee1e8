package rollout

import (
	"cmp"
	"context"

	"hotswap/internal/journal"
)

// Lock keeps rollouts off the endpoint until a person frees it. The endpoint must be there: a
// name that is mistyped would leave the one that was meant open.
func (r *Runner) Lock(ctx context.Context, reason string) (journal.Lock, error) {
	if _, err := r.Cloud.Endpoint(ctx, r.Endpoint); err != nil {
		return journal.Lock{}, err
	}
	fence, err := r.seenFence(ctx)
	if err != nil {
		return journal.Lock{}, err
	}
	holder := Self()
	holder.Name = cmp.Or(r.Actor.String(), holder.Name)
	return r.Journal.Hold(ctx, holder, reason, fence)
}
