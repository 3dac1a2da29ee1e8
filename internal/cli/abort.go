package cli

import "github.com/spf13/cobra"

func newAbort(s *session) *cobra.Command {
	var (
		endpoint   endpointFlags
		id, reason string
	)
	c := &cobra.Command{
		Use:   "abort",
		Short: "End a rollout and go back",
		Long: `Abort ends a rollout that is not over, from anywhere: one that has moved traffic is rolled back, any
other is undone. Where a pipeline runs it, that is done there, and this waits for it.`,
		Example: `  hotswap abort -e taxi-fare -m "wrong model"`,
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := endpoint.runner(c.Context(), s)
			if err != nil {
				return err
			}
			state, err := r.Abort(c.Context(), id, reason)
			return s.told(state, err)
		},
	}
	endpoint.add(c)
	s.rolloutFlag(c, &id)
	c.Flags().StringVarP(&reason, "message", "m", "", "`TEXT` that says why")
	return c
}
