package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"hotswap/internal/workers/process"
)

var errGuard = errors.New("the guard ended with an error")

// newGuard is what the server runs itself as, once for each instance.
func newGuard(s *session) *cobra.Command {
	return &cobra.Command{
		Use:    "guard",
		Short:  "Keep one instance's processes, and end them with the server",
		Hidden: true,
		Args:   noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if process.Guard(c.Context(), s.Stdin, s.plain) != 0 {
				return errGuard
			}
			return nil
		},
	}
}
