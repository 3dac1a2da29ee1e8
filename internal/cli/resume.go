package cli

import "github.com/spf13/cobra"

func newResume(s *session) *cobra.Command {
	var (
		endpoint endpointFlags
		id       string
	)
	c := &cobra.Command{
		Use:   "resume",
		Short: "Go on with a rollout whose pipeline has ended on the way",
		Long: `Resume goes on with a rollout whose pipeline was killed or interrupted: a tested candidate gets the
traffic, a step that carries traffic is watched, what was going back goes back. A candidate that has
not passed its test is undone. It says which.`,
		Example: `  hotswap resume -e taxi-fare`,
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := endpoint.runner(c.Context(), s)
			if err != nil {
				return err
			}
			state, err := r.Resume(c.Context(), id)
			return s.told(state, err)
		},
	}
	endpoint.add(c)
	s.rolloutFlag(c, &id)
	return c
}
