package cli

import (
	"github.com/spf13/cobra"

	"hotswap/internal/rollout"
)

func newResume(s *session) *cobra.Command {
	var step stepFlags
	c := &cobra.Command{
		Use:   "resume",
		Short: "Go on with a rollout whose pipeline has ended on the way",
		Long: `Resume goes on with a rollout whose pipeline was killed or interrupted: a tested candidate gets the
traffic, a step that carries traffic is watched, what was going back goes back. A candidate that has
not passed its test is undone. It says which.`,
		Example: `  hotswap resume -e taxi-fare`,
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return step.run(c.Context(), s, func(r *rollout.Runner) (rollout.State, error) {
				return r.Resume(c.Context(), step.id)
			})
		},
	}
	step.add(s, c)
	s.settled(c)
	return c
}
