package cli

import (
	"time"

	"github.com/spf13/cobra"
)

// settingFlags are all the flags of a rollout, and so all the keys of hotswap.yml.
type settingFlags struct {
	deploy   deployFlags
	check    checkFlags
	tests    string
	strategy strategyFlags
	diff     diffFlags
	hook     webhookFlags
	wait     time.Duration
}

func (f *settingFlags) add(c *cobra.Command) {
	f.deploy.add(c)
	c.Flags().StringVar(&f.tests, "tests", "", "YAML `FILE` with the test suite that the candidate must pass")
	f.check.add(c)
	f.strategy.add(c)
	f.diff.add(c)
	f.hook.add(c)
	c.Flags().DurationVar(&f.wait, "wait", 0, "`TIME` to wait for the endpoint's lock")
}
