package cli

import (
	"github.com/spf13/cobra"

	"hotswap/internal/checks"
	"hotswap/internal/online"
)

// diffFlags are the prediction diff between live and candidate.
type diffFlags struct {
	file    string
	options checks.DiffOptions
}

func (f *diffFlags) add(c *cobra.Command) {
	f.options.MaxDisagreement = -1
	flags := c.Flags()
	flags.StringVar(&f.file, "diff-requests", "", "`FILE` of requests, or a pattern of files, whose predictions by live and candidate are compared (default: those of the tests)")
	flags.Float64Var(&f.options.Absolute, "diff-tolerance", 0, "a difference of predictions up to this is none, in their own `UNIT`")
	flags.Var((*percentValue)(&f.options.Relative), "diff-relative-tolerance", "a difference of predictions up to this `SHARE` of live's is none")
	flags.Var((*percentValue)(&f.options.MaxDisagreement), "max-disagreement", "`SHARE` of predictions that may disagree, such as 1% (default: any)")
}

// given reports whether predictions are to be compared.
func (f *diffFlags) given() bool { return f.file != "" || f.options.MaxDisagreement >= 0 }

// requests are those of the file, or nil where none was named.
func (f *diffFlags) requests(s *session) ([]checks.Request, error) {
	if f.options.Absolute < 0 {
		return nil, usagef("--diff-tolerance is %v, want 0 or more", f.options.Absolute)
	}
	if f.options.MaxDisagreement > 1 {
		return nil, usagef("--max-disagreement is %s, want at most 100%%", (*percentValue)(&f.options.MaxDisagreement))
	}
	if f.file == "" {
		return nil, nil
	}
	requests, err := checks.ReadRequests(s.path(f.file))
	if err != nil {
		return nil, online.Errorf(online.Invalid, "--diff-requests: %w", err)
	}
	return requests, nil
}
