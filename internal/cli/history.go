package cli

import (
	"time"

	"github.com/spf13/cobra"

	"hotswap/internal/rollout"
)

// shortID is how much of a rollout's id a list shows, which hotswap show takes as well.
const shortID = 8

func newHistory(s *session) *cobra.Command {
	var (
		endpoint endpointFlags
		limit    int
	)
	c := &cobra.Command{
		Use:   "history",
		Short: "List an endpoint's rollouts, the newest first",
		Long: `History lists the rollouts of an endpoint, and its rollbacks, from the journal beside its lock:
who began them, with which model and commit, how they ended and where they left the traffic.`,
		Example: `  hotswap history -e taxi-fare
  hotswap history -e taxi-fare --limit 100 -o json`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if limit < 1 {
				return usagef("--limit is %d, want 1 or more", limit)
			}
			r, err := endpoint.runner(c.Context(), s)
			if err != nil {
				return err
			}
			rollouts, err := r.History(c.Context(), limit)
			if err != nil {
				return err
			}
			if len(rollouts) == 0 {
				s.say("endpoint %s has no rollout", r.Endpoint)
			}
			return s.print(append([]rollout.Summary{}, rollouts...), func() *table { return historyTable(rollouts) })
		},
	}
	endpoint.add(c)
	c.Flags().IntVar(&limit, "limit", 20, "at most this `NUMBER` of rollouts")
	return c
}

func historyTable(rollouts []rollout.Summary) *table {
	t := &table{head: []string{"ROLLOUT", "STARTED", "BY", "MODEL", "COMMIT", "SLOT", "OUTCOME", "TRAFFIC"}}
	for _, r := range rollouts {
		outcome := string(r.Phase)
		if r.Forced {
			outcome += ", forced"
		}
		if r.Undoes != "" {
			outcome += ", undoes " + cut(r.Undoes)
		}
		t.add(cut(r.Rollout), stamp(r.Started), dash(r.By), dash(r.Model), dash(short(r.Commit)), dash(r.Deployment), outcome, r.Traffic.String())
	}
	return t
}

func cut(id string) string { return id[:min(len(id), shortID)] }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
