package rollout

import (
	"context"
	"maps"
	"slices"

	"hotswap/internal/azure"
	"hotswap/internal/checks"
	"hotswap/internal/online"
)

// Examine runs a suite against one deployment of the endpoint, outside of any rollout: it takes
// no lock and saves nothing. name "" means the live one. What is compared with live is compared
// with the deployment that carries the most of the traffic beside it.
//
// The deployment must be the same before and after, else the report says nothing and Examine
// fails as Refused.
func (r *Runner) Examine(ctx context.Context, s checks.Suite, name string) (checks.Report, error) {
	e, err := r.Cloud.Endpoint(ctx, r.Endpoint)
	if err != nil {
		return checks.Report{}, err
	}
	if name == "" {
		name = e.Traffic.Live()
	}
	if name == "" {
		return checks.Report{}, online.Errorf(online.Invalid,
			"which deployment is to be tested? none is the live one, as the traffic of endpoint %s is %s; name it", e.Name, e.Traffic)
	}
	before, err := r.ready(ctx, name)
	if err != nil {
		return checks.Report{}, err
	}
	name = before.Name // as the service writes it, in answers too
	var live checks.Target
	if other := besides(e, name); other != "" {
		live = r.Target(e, other)
	}
	report, err := s.Run(ctx, name, r.Target(e, name), live)
	if err != nil {
		return report, err
	}
	after, err := r.Cloud.Deployment(ctx, r.Endpoint, name)
	if err != nil {
		return report, err
	}
	if after.Fingerprint != before.Fingerprint {
		return report, online.Errorf(online.Refused, "deployment %s was changed while it was tested, so the answers say nothing of it; test it again", name)
	}
	report.Fingerprint = after.Fingerprint
	return report, nil
}

func (r *Runner) ready(ctx context.Context, name string) (azure.Deployment, error) {
	d, err := r.Cloud.Deployment(ctx, r.Endpoint, name)
	if err == nil && d.State != online.Succeeded {
		err = online.Errorf(online.Conflict, "deployment %s is %s, so it cannot be tested; wait and try again", d.Name, d.State)
	}
	return d, err
}

// besides names the deployment that carries the most of the traffic but for one, "" where none does.
func besides(e online.Endpoint, one string) (most string) {
	shares := e.Traffic.Shares()
	for _, name := range slices.Sorted(maps.Keys(shares)) {
		if name != one && shares[name] > shares[most] {
			most = name
		}
	}
	return most
}
