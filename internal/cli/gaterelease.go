package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"hotswap/internal/gate"
)

func newGateRelease(s *session) *cobra.Command {
	var (
		endpoint endpointFlags
		reason   string
	)
	c := &cobra.Command{
		Use:   "release",
		Short: "Free an endpoint that a pull request holds",
		Long: `Release takes the endpoint from the pull request that holds it, so that another one may be deployed. What
is live stays live; where that is not what main stands for, hotswap drift says so and --repair restores it.
When the released one is merged or closed, its run still makes production equal main again.`,
		Example: `  hotswap gate release -e taxi-fare -m "its author is away"`,
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			name, err := endpoint.endpoint(s)
			if err != nil {
				return err
			}
			return s.release(c.Context(), name, reason)
		},
	}
	endpoint.add(c)
	c.Flags().StringVarP(&reason, "message", "m", "", "`TEXT` that says why, for the record")
	return c
}

func (s *session) release(ctx context.Context, endpoint, reason string) error {
	g := s.gate(endpoint, nil, func(ctx context.Context) (*gated, error) {
		r, err := s.runner(ctx, endpoint)
		return &gated{Runner: r}, err
	})
	hold, world, err := g.Release(ctx, s.by(), reason)
	switch {
	case err != nil:
		return err
	case hold == nil:
		s.say("endpoint %s is held by nobody", g.Name)
		return nil
	}
	if world.Record.Main != nil && !world.IsMain {
		s.say("what is live is not what main stands for: hotswap drift --repair restores it")
	}
	return s.print(viewHold(hold), func() *table { return holdTable(*viewHold(hold)) })
}

// holdView is a hold as -o json shows it.
type holdView struct {
	PullRequest int       `json:"pullRequest,omitempty"`
	Branch      string    `json:"branch"`
	URL         string    `json:"url,omitempty"`
	Head        string    `json:"head,omitempty"`
	Rollout     string    `json:"rollout,omitempty"`
	Since       time.Time `json:"since"`
	State       string    `json:"state"` // held, merging or restoring
	Run         string    `json:"run,omitempty"`
	text        string
}

func viewHold(h *gate.Hold) *holdView {
	if h == nil {
		return nil
	}
	v := &holdView{
		PullRequest: h.PullRequest, Branch: h.Branch, URL: h.URL, Head: h.Head, Rollout: h.Rollout, Since: h.Since, State: "held", Run: h.Run, text: h.String(),
	}
	switch {
	case h.Restoring:
		v.State = "restoring"
	case h.Main:
		v.State = "merging"
	}
	return v
}

func holdTable(v holdView) *table {
	t := &table{head: []string{"HELD BY", "COMMIT", "SINCE"}}
	t.add(visible(v.text), dash(short(v.Head)), stamp(v.Since))
	return t
}

// mainView is what main stands for, as -o json shows it. What it is made of is left out: it may have
// secret variables.
type mainView struct {
	Model       string    `json:"model"`
	Commit      string    `json:"commit,omitempty"`
	Branch      string    `json:"branch,omitempty"`
	Rollout     string    `json:"rollout,omitempty"`
	Fingerprint string    `json:"fingerprint"`
	Adopted     bool      `json:"adopted,omitempty"` // it was live before the gate's first pull request
	By          string    `json:"by,omitempty"`
	Time        time.Time `json:"time"`
}

func viewMain(m *gate.Main) *mainView {
	if m == nil {
		return nil
	}
	return &mainView{m.Model, m.Commit, m.Branch, m.Rollout, m.Fingerprint, m.Adopted, m.By, m.Time}
}
