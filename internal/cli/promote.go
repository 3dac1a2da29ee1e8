package cli

import (
	"github.com/spf13/cobra"

	"hotswap/internal/rollout"
)

func newPromote(s *session) *cobra.Command {
	var step stepFlags
	c := &cobra.Command{
		Use:   "promote",
		Short: "Let a rollout go on that is paused",
		Long: `Promote lets a rollout go on that --pause-at has stopped. Where its pipeline waits for that it goes on
there; else it goes on here, to its end.`,
		Example: `  hotswap promote -e taxi-fare`,
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return step.run(c.Context(), s, func(r *rollout.Runner) (rollout.State, error) {
				return r.Promote(c.Context(), step.id)
			})
		},
	}
	step.add(s, c)
	s.settled(c)
	return c
}
