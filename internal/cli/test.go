package cli

import (
	"github.com/spf13/cobra"

	"hotswap/internal/rollout"
)

func newTest(s *session) *cobra.Command {
	var (
		step  stepFlags
		flags testFlags
	)
	c := &cobra.Command{
		Use:   "test",
		Short: "Send requests to the candidate and judge its answers",
		Long: `Test sends the requests of a suite to the candidate of a rollout, by header, while it carries no
traffic. It passes if every case does, every answer names that deployment, and the deployment is the
same before and after. --request-file is a suite of one request: its answer must have the status 200,
not be an error's text, and equal the expected one where one is given.
A candidate that fails is refused: its slot is given back what it held.`,
		Example: `  hotswap test -e taxi-fare --request-file request.json --expected-file expected.json --tolerance 0.01
  hotswap test -e taxi-fare --tests tests.yml --max-disagreement 1% --report junit.xml`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			tests, err := flags.tests(s)
			if err != nil {
				return err
			}
			return step.run(c.Context(), s, func(r *rollout.Runner) (rollout.State, error) {
				flags.tell(s, r)
				return r.Test(c.Context(), step.id, tests)
			})
		},
	}
	step.add(s, c)
	flags.add(c)
	s.settled(c)
	return c
}
