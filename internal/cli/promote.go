package cli

import "github.com/spf13/cobra"

func newPromote(s *session) *cobra.Command {
	var (
		endpoint endpointFlags
		id       string
	)
	c := &cobra.Command{
		Use:   "promote",
		Short: "Let a rollout go on that is paused",
		Long: `Promote lets a rollout go on that --pause-at has stopped. Where its pipeline waits for that it goes on
there; else it goes on here, to its end.`,
		Example: `  hotswap promote -e taxi-fare`,
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := endpoint.runner(c.Context(), s)
			if err != nil {
				return err
			}
			state, err := r.Promote(c.Context(), id)
			return s.told(state, err)
		},
	}
	endpoint.add(c)
	s.rolloutFlag(c, &id)
	return c
}
