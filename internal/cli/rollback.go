package cli

import "github.com/spf13/cobra"

func newRollback(s *session) *cobra.Command {
	var (
		endpoint endpointFlags
		reason   string
	)
	c := &cobra.Command{
		Use:   "rollback",
		Short: "Restore the traffic from before the last rollout",
		Long: `Rollback gives the traffic back to the deployments that had it before the last rollout went live,
if they are still there unchanged and healthy; else it stops and says what is left. Running it again
changes nothing.`,
		Example: `  hotswap rollback -e taxi-fare -m "fares are off since noon"`,
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := endpoint.runner(c.Context(), s)
			if err != nil {
				return err
			}
			state, already, err := r.Rollback(c.Context(), reason)
			if already {
				s.say("rolled back already: the traffic is %s", state.Plan.After)
			}
			return s.told(state, err)
		},
	}
	endpoint.add(c)
	c.Flags().StringVarP(&reason, "message", "m", "", "`TEXT` that says why")
	return c
}
