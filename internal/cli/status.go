package cli

import (
	"context"
	"reflect"
	"time"

	"github.com/spf13/cobra"

	"hotswap/internal/gate"
	"hotswap/internal/online"
	"hotswap/internal/rollout"
)

// watchEvery is how often --watch looks.
const watchEvery = 2 * time.Second

func newStatus(s *session) *cobra.Command {
	var (
		endpoint endpointFlags
		watch    bool
	)
	c := &cobra.Command{
		Use:   "status",
		Short: "Show an endpoint's slots, models, commits, traffic and lock",
		Example: `  hotswap status -e taxi-fare
  hotswap status -e taxi-fare --watch`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := endpoint.runner(c.Context(), s)
			if err != nil {
				return err
			}
			return s.showStatus(c.Context(), r, watch)
		},
	}
	endpoint.add(c)
	c.Flags().BoolVar(&watch, "watch", false, "print it again whenever it has changed, until interrupted")
	return c
}

func (s *session) showStatus(ctx context.Context, r *rollout.Runner, watch bool) error {
	var shown *statusView
	for {
		now, err := r.Status(ctx)
		if err != nil {
			return err
		}
		record, _, err := gate.ReadRecord(ctx, r.Journal)
		if err != nil {
			return err
		}
		v := viewStatus(now)
		v.Hold, v.Main = viewHold(record.Hold), viewMain(record.Main)
		if shown == nil || !reflect.DeepEqual(v, *shown) {
			shown = &v
			if err := s.printStatus(v); err != nil {
				return err
			}
		}
		if !watch {
			return nil
		}
		select {
		case <-time.After(watchEvery):
		case <-ctx.Done():
			return nil // the way to end a watch
		}
	}
}

// statusView is a status as -o json shows it.
type statusView struct {
	Endpoint    string                     `json:"endpoint"`
	ScoringURI  string                     `json:"scoringUri"`
	State       online.ProvisioningState   `json:"provisioningState"`
	Live        string                     `json:"live"` // the deployment that has all the traffic, or ""
	Deployments []rollout.DeploymentStatus `json:"deployments"`
	Lock        *lockView                  `json:"lock"`       // null while nobody holds it
	Rollout     *rolloutView               `json:"rollout"`    // the newest, or null
	Hold        *holdView                  `json:"hold"`       // of a pull request or a branch; null while nobody holds the endpoint
	Main        *mainView                  `json:"main"`       // what main stands for; null where nothing was verified on it yet
	Unattended  bool                       `json:"unattended"` // the rollout has moved traffic, and nobody goes on with it
}

func viewStatus(now rollout.Status) statusView {
	v := statusView{
		Endpoint: now.Endpoint, ScoringURI: now.ScoringURI, State: now.State, Live: now.Traffic.Live(), Deployments: now.Deployments,
		Unattended: now.Unattended(),
	}
	if l := now.Lock; l != nil {
		v.Lock = viewLock(*l)
	}
	if now.Last != nil {
		last := viewRollout(*now.Last)
		v.Rollout = &last
	}
	return v
}

func (s *session) printStatus(now statusView) error {
	if err := s.print(now, func() *table { return statusTable(now) }); err != nil {
		return err
	}
	if l := now.Lock; l != nil && s.output == "table" {
		s.say("%s", l)
	}
	if h := now.Hold; h != nil && s.output == "table" {
		s.say("held by %s since %s", visible(h.text), stamp(h.Since))
	}
	if m := now.Main; m != nil && s.output == "table" {
		s.say("main stands for %s, commit %s", dash(m.Model), dash(short(m.Commit)))
	}
	if now.Unattended && s.output == "table" {
		s.say("rollout %s is %s, and nobody runs it: go on with hotswap resume, or go back with hotswap abort", now.Rollout.Rollout, now.Rollout.Phase)
	}
	return nil
}

func statusTable(now statusView) *table {
	t := &table{head: []string{"DEPLOYMENT", "TRAFFIC", "STATE", "MODEL", "COMMIT"}}
	for _, d := range now.Deployments {
		t.add(d.Name, percent(d.Traffic), string(d.State), dash(d.Model), dash(short(d.Commit)))
	}
	return t
}

// short cuts a commit's id as git shows it.
func short(commit string) string { return commit[:min(len(commit), 7)] }
