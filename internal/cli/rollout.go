package cli

import (
	"github.com/spf13/cobra"

	"hotswap/internal/rollout"
)

func newRollout(s *session) *cobra.Command {
	var (
		deploy deployFlags
		check  checkFlags
		force  bool
	)
	c := &cobra.Command{
		Use:   "rollout",
		Short: "Deploy, test and swap in one go",
		Long: `Rollout deploys the model to the free slot, tests it there and gives it all the traffic if the
test passes. A candidate that fails leaves the traffic and its slot as they were.`,
		Example: `  hotswap rollout --endpoint-file endpoint.yml --deployment-file deployment.yml \
    --request-file request.json --expected-file expected.json --tolerance 0.01`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			req, tests, err := rolloutRequest(s, &deploy, &check, force)
			if err != nil {
				return err
			}
			r, err := deploy.runner(c.Context(), s, &req)
			if err != nil {
				return err
			}
			req.Strategy = rollout.DefaultStrategy()
			state, err := r.Rollout(c.Context(), req, tests, force)
			return s.told(state, err)
		},
	}
	deploy.add(c)
	check.add(c)
	c.Flags().BoolVar(&force, "force", false, "swap without a test; this is recorded")
	return c
}

// rolloutRequest reads every file before anything is locked or written.
func rolloutRequest(s *session, deploy *deployFlags, check *checkFlags, force bool) (req rollout.Request, tests rollout.Tests, err error) {
	switch {
	case check.request == "" && !force:
		return req, tests, usagef("with what to test? give --request-file, or --force to swap without a test")
	case check.request != "" && force:
		return req, tests, usagef("--force swaps without a test: leave --request-file out")
	}
	if req, err = deploy.request(s); err != nil || force {
		return req, tests, err
	}
	tests, err = check.tests(s)
	return req, tests, err
}
