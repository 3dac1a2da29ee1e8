package cli

import "github.com/spf13/cobra"

// settingFlags are all the flags of a rollout, and so all the keys of hotswap.yml.
type settingFlags struct {
	deploy   deployFlags
	test     testFlags
	strategy strategyFlags
	hook     webhookFlags
}

func (f *settingFlags) add(c *cobra.Command) {
	f.deploy.add(c)
	f.test.add(c)
	f.strategy.add(c)
	f.hook.add(c)
}
