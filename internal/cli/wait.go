package cli

import (
	"time"

	"github.com/spf13/cobra"

	"hotswap/internal/rollout"
)

// waitFlag is how long a new rollout waits for a lock that someone else holds.
type waitFlag struct{ most time.Duration }

// waitVariable says how long to wait where nothing else does: a step of a workflow waits longer
// than a person.
const waitVariable = "HOTSWAP_WAIT"

func (f *waitFlag) add(c *cobra.Command) {
	c.Flags().DurationVar(&f.most, "wait", 0, "how long to wait for a lock that someone else holds, a `TIME` like 10m (default: $"+waitVariable+")")
	_ = c.Flags().SetAnnotation("wait", fallbackAnnotation, []string{waitVariable}) // it fails for no such flag
}

func (f *waitFlag) set(r *rollout.Runner) error {
	if f.most < 0 {
		return usagef("--wait is %v, want 0 or more", f.most)
	}
	r.Wait = f.most
	return nil
}
