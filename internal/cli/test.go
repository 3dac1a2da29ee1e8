package cli

import "github.com/spf13/cobra"

// rolloutVariable names the rollout for the steps of one pipeline.
const rolloutVariable = "HOTSWAP_ROLLOUT"

// rolloutFlag names the rollout that a further step belongs to.
func (s *session) rolloutFlag(c *cobra.Command, id *string) {
	c.Flags().StringVar(id, "rollout", s.Getenv(rolloutVariable), "`ID` of the rollout that hotswap deploy began (default: $"+rolloutVariable+", else the newest)")
}

func newTest(s *session) *cobra.Command {
	var (
		endpoint endpointFlags
		check    checkFlags
		id       string
	)
	c := &cobra.Command{
		Use:   "test",
		Short: "Send a request to the candidate and judge its answer",
		Long: `Test sends the request to the candidate of a rollout, by header, while it carries no traffic.
It passes if the answer names that deployment, the deployment is the same before and after, the
status is 200, the body is not an error's text, and it equals the expected answer where one is given.
A candidate that fails is refused: its slot is given back what it held.`,
		Example: `  hotswap test -e taxi-fare --request-file request.json
  hotswap test -e taxi-fare --request-file request.json --expected-file expected.json --tolerance 0.01`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			tests, err := check.tests(s)
			if err != nil {
				return err
			}
			r, err := endpoint.runner(c.Context(), s)
			if err != nil {
				return err
			}
			state, err := r.Test(c.Context(), id, tests)
			return s.told(state, err)
		},
	}
	endpoint.add(c)
	check.add(c)
	_ = c.MarkFlagRequired("request-file")
	s.rolloutFlag(c, &id)
	return c
}
