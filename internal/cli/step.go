package cli

import (
	"context"

	"github.com/spf13/cobra"

	"hotswap/internal/rollout"
)

// rolloutVariable names the rollout for the steps of one pipeline.
const rolloutVariable = "HOTSWAP_ROLLOUT"

// stepFlags are those of every command that goes on with a rollout.
type stepFlags struct {
	endpoint endpointFlags
	id       string
	hook     webhookFlags
}

func (f *stepFlags) add(s *session, c *cobra.Command) {
	f.endpoint.add(c)
	c.Flags().StringVar(&f.id, "rollout", s.Getenv(rolloutVariable), "`ID` of the rollout that hotswap deploy began (default: $"+rolloutVariable+", else the newest)")
	f.hook.add(c)
}

// run does what the command is for with a runner of the endpoint, and tells where the rollout is then.
func (f *stepFlags) run(ctx context.Context, s *session, do func(*rollout.Runner) (rollout.State, error)) error {
	r, err := f.endpoint.runner(ctx, s)
	if err != nil {
		return err
	}
	done, err := f.hook.attach(ctx, s, r)
	if err != nil {
		return err
	}
	defer done()
	state, err := do(r)
	return s.told(state, err)
}
