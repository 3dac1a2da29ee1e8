package rollout

import (
	"context"

	"hotswap/internal/journal"
	"hotswap/internal/online"
)

// Status is what an endpoint looks like now.
type Status struct {
	Endpoint    string                   `json:"endpoint"`
	ScoringURI  string                   `json:"scoringUri"`
	State       online.ProvisioningState `json:"state"`
	Traffic     online.Traffic           `json:"traffic"`
	Deployments []DeploymentStatus       `json:"deployments"`
	Lock        *journal.Lock            `json:"lock,omitempty"`    // while one is held
	Last        *State                   `json:"rollout,omitempty"` // the newest
}

// Unattended reports whether the newest rollout has traffic that no verdict stands for, and no
// process that would go on with it, as far as anybody can know.
func (s Status) Unattended() bool {
	return s.Last != nil && s.Last.Phase.carries() && (s.Lock == nil || !atWork(*s.Lock, s.Last.ID))
}

// DeploymentStatus is one deployment of the endpoint.
type DeploymentStatus struct {
	Name    string                   `json:"name"`
	Model   string                   `json:"model"` // in the short form, azureml:NAME:VERSION
	Commit  string                   `json:"commit,omitempty"`
	Traffic int                      `json:"traffic"` // percent
	Mirror  int                      `json:"mirror"`  // percent
	State   online.ProvisioningState `json:"state"`
	Rollout string                   `json:"rollout,omitempty"` // that put it there
}

// Status reads the endpoint, its lock and its newest rollout. It changes nothing.
func (r *Runner) Status(ctx context.Context) (Status, error) {
	e, err := r.Cloud.Endpoint(ctx, r.Endpoint)
	if err != nil {
		return Status{}, err
	}
	there, err := r.Cloud.Deployments(ctx, r.Endpoint)
	if err != nil {
		return Status{}, err
	}
	s := Status{Endpoint: e.Name, ScoringURI: e.ScoringURI, State: e.State, Traffic: e.Traffic}
	for _, d := range there {
		s.Deployments = append(s.Deployments, DeploymentStatus{
			Name: d.Name, Model: d.Model.String(), Commit: d.Tags[TagCommit], Traffic: e.Traffic.Share(d.Name),
			Mirror: e.Mirror.Shares()[d.Name], State: d.State, Rollout: d.Tags[online.TagRollout],
		})
	}
	return s, r.journaled(ctx, &s)
}

// journaled fills in what the journal knows.
func (r *Runner) journaled(ctx context.Context, s *Status) error {
	lock, err := r.Journal.Lock(ctx)
	if err != nil {
		return err
	}
	if lock.Held {
		s.Lock = &lock
	}
	_, state, _, err := r.newest(ctx, "")
	if online.CodeOf(err) == online.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	s.Last = &state
	return nil
}
