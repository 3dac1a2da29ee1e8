package rollout

import (
	"context"
	"time"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

// adopt makes s the rollout's strategy, if the endpoint can be moved and watched by it. What can't
// be done is found before anything is written for it.
func (t *turn) adopt(ctx context.Context, s Strategy) error {
	if len(t.state.Plan.Strategy.Steps) > 0 {
		return nil // one is in force, from when the rollout began
	}
	e, err := t.Cloud.Endpoint(ctx, t.Endpoint)
	if err != nil {
		return err
	}
	if s, err = s.fit(t.state.Plan.Before, e, t.Say); err != nil {
		return err
	}
	if s.watched() {
		if err := t.readable(ctx, e); err != nil {
			return err
		}
	}
	t.state.Plan.Strategy = s
	return nil
}

// fit is s as it can be done on the endpoint.
func (s Strategy) fit(before Snapshot, e online.Endpoint, say func(string, ...any)) (Strategy, error) {
	if err := s.Check(); err != nil {
		return s, err
	}
	live := before.Traffic.Live()
	switch {
	case before.Traffic.Closed() && len(s.Steps) > 1:
		say("nothing is live yet: all the traffic goes to the candidate at once")
		s.Steps, s.PauseAt = []int{everything}, 0
	case live == "" && !before.Traffic.Closed() && s.watched():
		return s, online.Errorf(online.Refused, "the traffic is %s: a swap that is watched starts from one live deployment; give it all the traffic, or swap all at once without a bake",
			before.Traffic)
	}
	if s.Retain == Parked && e.Properties[online.Parking] == "" {
		return s, online.Errorf(online.Invalid, "retain is parked: this endpoint's server can't park a deployment; take warm or none")
	}
	return s, nil
}

// readable requires that the metrics can be read at all.
func (t *turn) readable(ctx context.Context, e online.Endpoint) error {
	to := t.reach(e)
	_, err := t.Cloud.Metrics(ctx, azure.MetricsQuery{
		Endpoint: t.Endpoint, Deployment: t.state.Plan.Slot, From: to.Add(-time.Minute), To: to, Interval: grain,
	})
	return err
}
