package cli

import (
	"github.com/spf13/cobra"

	"hotswap/internal/rollout"
)

func newSwap(s *session) *cobra.Command {
	var (
		step     stepFlags
		strategy strategyFlags
		force    bool
	)
	c := &cobra.Command{
		Use:   "swap",
		Short: "Give the tested candidate the traffic",
		Long: `Swap gives the candidate of a rollout 100 % of the traffic, all at once or in steps, if exactly that
deployment passed its test and the endpoint is as it was when the slot was chosen. A candidate that is
worse than live under traffic is rolled back. Running it again changes nothing.`,
		Example: `  hotswap swap -e taxi-fare
  hotswap swap -e taxi-fare --rollout 3f1c2a
  hotswap swap -e taxi-fare --steps 10,50,100 --interval 5m --bake 15m`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			how, err := strategy.strategy()
			if err != nil {
				return err
			}
			return step.run(c.Context(), s, func(r *rollout.Runner) (rollout.State, error) {
				state, already, err := r.Swap(c.Context(), step.id, force, how)
				if already {
					s.say("%s is already live", state.Plan.Slot)
				}
				return state, err
			})
		},
	}
	step.add(s, c)
	strategy.add(c)
	s.settled(c)
	c.Flags().BoolVar(&force, "force", false, "swap without a passing test; this is recorded")
	return c
}
