package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"hotswap/internal/demo"
	"hotswap/internal/online"
)

func newDemo(s *session) *cobra.Command {
	o := demo.Options{Guard: []string{"/proc/self/exe", "guard"}, Say: s.say}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Put a model live and replace it under load, on this machine",
		Long: `Demo starts a server in a temporary folder, trains and rolls out a model, puts it under load,
replaces it with a better one in steps, tries a broken one and one that is slow under load, rolls
back, and counts the failed requests.`,
		Example: `  hotswap demo
  hotswap demo -o json | tail -n 1`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			sum, err := demo.Run(c.Context(), o)
			if err != nil {
				return err
			}
			if err := s.printDemo(sum); err != nil {
				return err
			}
			if sum.Failed > 0 {
				return online.Errorf(online.Internal, "%d of %d requests failed", sum.Failed, sum.Requests)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&o.AzureLike, "azure-like", false, "against a server as slow and as eventually consistent as Azure")
	return c
}

// printDemo prints the summary, with -o json on one line.
func (s *session) printDemo(sum demo.Summary) error {
	if s.output == "json" {
		return json.NewEncoder(s.Stdout).Encode(sum)
	}
	fmt.Fprintf(s.Stdout, `
requests                         %d
failed                           %d
rollouts, refused, rolled back   %d, %d, %d
first answer of the new model    %.1f ms after its first step began
last answer of the old model     %.1f ms after the last step began
rollback by hand                 %.1f ms
live                             %s
`, sum.Requests, sum.Failed, sum.Rollouts, sum.Refused, sum.RolledBack, sum.SwapMS, sum.LastOldMS, sum.RollbackMS, sum.Live)
	for _, name := range slices.Sorted(maps.Keys(sum.ByDeployment)) {
		fmt.Fprintf(s.Stdout, "answers of %-21s %d\n", name, sum.ByDeployment[name])
	}
	return nil
}
