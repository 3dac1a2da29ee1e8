package rollout

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

// hooked is a fakeCloud that calls before an upload of code.
type hooked struct {
	*fakeCloud
	upload func()
}

func (h hooked) UploadCode(ctx context.Context, dir string) (online.Ref, error) {
	h.upload()
	return h.fakeCloud.UploadCode(ctx, dir)
}

// Traffic that someone gives the slot while the code is uploaded must not meet a new candidate.
func TestSlotThatGotTrafficIsNotWritten(t *testing.T) {
	r := newRig(t)
	r.live(t, "one", "two")
	r.Cloud = hooked{r.cloud, func() { r.cloud.endpoint.Traffic = online.AllTo("blue") }}
	req := request("three")
	req.Deployment.CodeDir = "src"
	before := slices.Clone(r.cloud.writes)
	_, err := r.Deploy(t.Context(), req)
	r.wants(t, err, online.Refused, "slot blue was free and has 100 % of the traffic now", Refused)
	if !slices.Equal(r.cloud.writes, before) {
		t.Errorf("it wrote %q", r.cloud.writes[len(before):])
	}
}

// A deployment that had succeeded before its last update failed is updated in place: deleting it
// would take its time of creation, and so the way back.
func TestFailedUpdateIsNotDeleted(t *testing.T) {
	r := newRig(t)
	r.live(t, "one", "two")
	cut := r.cut(t, Deploying, func(s *State) {
		held := r.cloud.deployments["blue"].Deployment
		s.Plan.Slot, s.Plan.Before.Traffic, s.Plan.After, s.Plan.Displaced = "blue", online.AllTo("green"), online.AllTo("blue"), &held
	})
	failed := r.cloud.deployments["blue"].Deployment
	failed.State, failed.Tags = online.Failed, map[string]string{online.TagRollout: cut.ID}
	r.cloud.keep(failed)
	_, err := r.Rollout(t.Context(), request("three"), wanting("[2]"), false)
	r.wants(t, err, online.Refused, "is not the expected one", Refused)
	if s, _, err := r.Rollback(t.Context(), ""); err != nil || s.Plan.Slot != "blue" {
		t.Errorf("rollback to %q: %v, want blue", s.Plan.Slot, err)
	}
}

// What someone has changed in the slot since the rollout put it there is theirs.
func TestChangedCandidateIsNotReplaced(t *testing.T) {
	r := newRig(t)
	r.live(t, "one", "two")
	if _, err := r.Deploy(t.Context(), request("three")); err != nil {
		t.Fatal(err)
	}
	turn, err := r.rejoin(t.Context(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	changed := r.cloud.deployments["blue"].Deployment
	changed.Description = "changed by hand"
	r.cloud.keep(changed)
	if err := turn.refuse(t.Context(), Refused, online.Errorf(online.Refused, "no good")); online.CodeOf(err) != online.Refused {
		t.Error(err)
	}
	if got := r.cloud.deployments["blue"].Description; got != "changed by hand" {
		t.Errorf("the slot holds %q", got)
	}
}

// A test that is interrupted is no failed test, whatever the front door said so far.
func TestInterruptedTestDoesNotRefuse(t *testing.T) {
	r := newRig(t)
	if _, err := r.Deploy(t.Context(), request("one")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	r.cloud.score = func(context.Context) (azure.Answer, error) {
		cancel(errors.New("interrupted"))
		return azure.Answer{Status: 503}, nil
	}
	_, err := r.Test(ctx, "", wanting(""))
	r.wants(t, err, online.Internal, "interrupted", Deployed)
}

// lateDeployments is a fakeCloud that loses the reply to a write of a deployment, and whose reads show
// it late.
type lateDeployments struct {
	*fakeCloud
	old  azure.Deployment
	late int // reads that show the old one yet
	lost bool
}

func (l *lateDeployments) PutDeployment(ctx context.Context, d online.Deployment) (azure.Deployment, error) {
	old := l.deployments[d.Name]
	put, err := l.fakeCloud.PutDeployment(ctx, d)
	if l.lost {
		return put, err
	}
	l.lost, l.old, l.late = true, old, 3
	return azure.Deployment{}, online.Errorf(online.Unavailable, "the connection was cut")
}

func (l *lateDeployments) Deployment(ctx context.Context, endpoint, name string) (azure.Deployment, error) {
	if l.late > 0 && name == l.old.Name {
		l.late--
		return l.old, nil
	}
	return l.fakeCloud.Deployment(ctx, endpoint, name)
}

// A candidate that is there although the reply to its write was lost makes room again for what the
// slot held, also where reads don't show it at once.
func TestLostReplyAndLateReadGiveTheSlotBack(t *testing.T) {
	r := newRig(t)
	r.live(t, "one", "two")
	r.cloud.onRead = func(e *online.Endpoint) { e.Properties, e.ModifiedAt = nil, time.Now().Add(-time.Hour) }
	r.Cloud = &lateDeployments{fakeCloud: r.cloud}
	_, err := r.Rollout(t.Context(), request("three"), wanting(""), false)
	r.wants(t, err, online.Unavailable, "the connection was cut", Failed)
	if got := r.cloud.deployments["blue"].Description; got != "one" {
		t.Errorf("the slot holds %q, want what it held", got)
	}
}
