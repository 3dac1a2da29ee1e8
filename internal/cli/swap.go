package cli

import (
	"github.com/spf13/cobra"

	"hotswap/internal/rollout"
)

func newSwap(s *session) *cobra.Command {
	var (
		endpoint endpointFlags
		id       string
		force    bool
	)
	c := &cobra.Command{
		Use:   "swap",
		Short: "Give the tested candidate all the traffic",
		Long: `Swap gives the candidate of a rollout 100 % of the traffic, if exactly that deployment passed its
test and the endpoint is as it was when the slot was chosen. Running it again changes nothing.`,
		Example: `  hotswap swap -e taxi-fare
  hotswap swap -e taxi-fare --rollout 3f1c2a`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := endpoint.runner(c.Context(), s)
			if err != nil {
				return err
			}
			state, already, err := r.Swap(c.Context(), id, force, rollout.DefaultStrategy())
			if already {
				s.say("%s is already live", state.Plan.Slot)
			}
			return s.told(state, err)
		},
	}
	endpoint.add(c)
	s.rolloutFlag(c, &id)
	c.Flags().BoolVar(&force, "force", false, "swap without a passing test; this is recorded")
	return c
}
