package cli

import (
	"context"

	"github.com/spf13/cobra"

	"hotswap/internal/rollout"
)

// rollbackFlags say where to go back to and, where that is a new rollout, how.
type rollbackFlags struct {
	endpoint   endpointFlags
	reason, to string
	force      bool
	test       testFlags
	strategy   strategyFlags
	hook       webhookFlags
	wait       waitFlag
}

func newRollback(s *session) *cobra.Command {
	var flags rollbackFlags
	c := &cobra.Command{
		Use:   "rollback",
		Short: "Restore the traffic from before the last rollout",
		Long: `Rollback gives the traffic back to the deployments that had it before the last rollout went live,
if they are still there unchanged and healthy; else it stops and says what is left. Running it again
changes nothing.

With --to it deploys an older version again, one that was live before: that is a new rollout, with its
tests and its steps.`,
		Example: `  hotswap rollback -e taxi-fare -m "fares are off since noon"
  hotswap rollback -e taxi-fare --to 7 --tests tests.yml
  hotswap rollback -e taxi-fare --to 3f1c2ab --tests tests.yml`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if flags.to != "" {
				return flags.deployAgain(c.Context(), s)
			}
			return flags.restore(c.Context(), s)
		},
	}
	flags.endpoint.add(c)
	c.Flags().StringVarP(&flags.reason, "message", "m", "", "`TEXT` that says why")
	c.Flags().StringVar(&flags.to, "to", "", "a model `VERSION` or a commit that was live before, to be deployed again")
	c.Flags().BoolVar(&flags.force, "force", false, "with --to: swap without a test; this is recorded")
	flags.test.add(c)
	flags.strategy.add(c)
	flags.hook.add(c)
	flags.wait.add(c)
	s.settled(c)
	return c
}

// runner is that of the endpoint, with all that is told of it.
func (f *rollbackFlags) runner(ctx context.Context, s *session) (r *rollout.Runner, done func(), err error) {
	if r, err = f.endpoint.runner(ctx, s); err != nil {
		return nil, nil, err
	}
	if err := f.wait.set(r); err != nil {
		return nil, nil, err
	}
	done, err = f.hook.attach(ctx, s, r)
	return r, done, err
}

func (f *rollbackFlags) restore(ctx context.Context, s *session) error {
	r, done, err := f.runner(ctx, s)
	if err != nil {
		return err
	}
	defer done()
	state, already, err := r.Rollback(ctx, f.reason)
	if already {
		s.say("rolled back already: the traffic is %s", state.Plan.After)
	}
	return s.told(state, err)
}

func (f *rollbackFlags) deployAgain(ctx context.Context, s *session) error {
	how, err := f.strategy.strategy()
	if err != nil {
		return err
	}
	var tests rollout.Tests
	if !f.force {
		if tests, err = f.test.tests(s); err != nil {
			return err
		}
	}
	r, done, err := f.runner(ctx, s)
	if err != nil {
		return err
	}
	defer done()
	f.test.tell(s, r)
	req, err := r.Earlier(ctx, f.to)
	if err != nil {
		return err
	}
	req.Strategy = how
	if f.reason != "" {
		req.Reason = f.reason
	}
	state, err := r.Rollout(ctx, req, tests, f.force)
	return s.told(state, err)
}
