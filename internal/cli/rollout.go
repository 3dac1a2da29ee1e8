package cli

import (
	"context"

	"github.com/spf13/cobra"

	"hotswap/internal/rollout"
)

func newRollout(s *session) *cobra.Command {
	var (
		flags settingFlags
		plan  planFlags
		file  *settingsFile
		force bool
	)
	c := &cobra.Command{
		Use:   "rollout",
		Short: "Deploy, test and swap in one go",
		Long: `Rollout deploys the model to the free slot, tests it there and gives it the traffic if it passes: all
at once, or in steps, each judged by the metrics of both slots. A candidate that fails its tests leaves
the traffic and its slot as they were; one that is worse than live under traffic is rolled back.
What a flag does not say, ` + "hotswap.yml" + ` does.`,
		Example: `  hotswap rollout --endpoint-file endpoint.yml --deployment-file deployment.yml \
    --request-file request.json --expected-file expected.json --tolerance 0.01
  hotswap rollout --endpoint-file endpoint.yml --deployment-file deployment.yml --tests tests.yml \
    --max-disagreement 1% --steps 5,25,50,100 --interval 10m --bake 30m`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if force && (file.onCommandLine(c.Flag("tests")) || file.onCommandLine(c.Flag("request-file"))) {
				return usagef("--force swaps without a test: leave --tests and --request-file out")
			}
			req, tests, err := flags.request(s, force)
			if err != nil {
				return err
			}
			if err := plan.read(s, &req); err != nil {
				return err
			}
			if plan.only {
				return flags.plan(c.Context(), s, req, tests)
			}
			return flags.roll(c.Context(), s, req, tests, force)
		},
	}
	flags.add(c)
	plan.add(c)
	file = s.settled(c)
	c.Flags().BoolVar(&force, "force", false, "swap without a test; this is recorded")
	return c
}

// request reads every file before anything is locked or written.
func (f *settingFlags) request(s *session, force bool) (req rollout.Request, tests rollout.Tests, err error) {
	if !f.test.given() && !force {
		return req, tests, usagef("with what to test? give --tests or --request-file, or --force to swap without a test")
	}
	if req, err = f.deploy.request(s); err != nil {
		return req, tests, err
	}
	if req.Strategy, err = f.strategy.strategy(); err != nil || force {
		return req, tests, err
	}
	tests, err = f.test.tests(s)
	return req, tests, err
}

// roll runs the rollout.
func (f *settingFlags) roll(ctx context.Context, s *session, req rollout.Request, tests rollout.Tests, force bool) error {
	r, err := f.deploy.runner(ctx, s, &req)
	if err != nil {
		return err
	}
	done, err := f.hook.attach(ctx, s, r)
	if err != nil {
		return err
	}
	defer done()
	f.test.tell(s, r)
	state, err := r.Rollout(ctx, req, tests, force)
	return s.begun(state, err)
}
