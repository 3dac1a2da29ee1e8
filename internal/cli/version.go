package cli

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  hotswap version -o json",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			if s.output == "json" {
				return s.print(map[string]string{"version": version()}, nil)
			}
			_, err := fmt.Fprintln(s.Stdout, "hotswap", version())
			return err
		},
	}
}

// version is what the toolchain noted: a release's tag, or a commit of the sources.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}
