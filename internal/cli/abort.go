package cli

import (
	"github.com/spf13/cobra"

	"hotswap/internal/rollout"
)

func newAbort(s *session) *cobra.Command {
	var (
		step   stepFlags
		reason string
	)
	c := &cobra.Command{
		Use:   "abort",
		Short: "End a rollout and go back",
		Long: `Abort ends a rollout that is not over, from anywhere: one that has moved traffic is rolled back, any
other is undone. Where a pipeline runs it, that is done there, and this waits for it.`,
		Example: `  hotswap abort -e taxi-fare -m "wrong model"`,
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return step.run(c.Context(), s, func(r *rollout.Runner) (rollout.State, error) {
				return r.Abort(c.Context(), step.id, reason)
			})
		},
	}
	step.add(s, c)
	s.settled(c)
	c.Flags().StringVarP(&reason, "message", "m", "", "`TEXT` that says why")
	return c
}
