package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hotswap/internal/checks"
)

// summaryVariable names the file that GitHub shows on the page of a job, in Markdown; a step adds
// to it (docs.github.com, "Workflow commands for GitHub Actions").
const summaryVariable = "GITHUB_STEP_SUMMARY"

// reportFlags are the files that a report is written to.
type reportFlags struct{ files []string }

// The kinds of files that a report may be, for people; a picture is only of a prediction diff.
const (
	reportKinds  = ".xml for JUnit, .md for Markdown, .json"
	pictureKinds = reportKinds + ", .svg for a picture of the prediction diff"
)

func (f *reportFlags) add(c *cobra.Command, kinds string) {
	c.Flags().StringArrayVar(&f.files, "report", nil, "`FILE` to write the report to, by its extension: "+kinds+"; $"+summaryVariable+" is added to (may be given again)")
}

// picture is the extension of a report that shows the prediction diff and nothing else.
const picture = ".svg"

type reportWriter = func(checks.Report, io.Writer) error

var reportWriters = map[string]reportWriter{
	".xml": checks.Report.WriteJUnit, ".md": checks.Report.WriteMarkdown, ".json": checks.Report.WriteJSON,
	picture: func(r checks.Report, w io.Writer) error { return r.Diff.WriteSVG(w) },
}

func (f *reportFlags) writer(s *session, file string) reportWriter {
	if file == s.Getenv(summaryVariable) {
		return checks.Report.WriteMarkdown
	}
	return reportWriters[extension(file)]
}

func extension(file string) string { return strings.ToLower(filepath.Ext(file)) }

// check finds what can't be written before there is anything to write. diff tells whether the
// report will have a prediction diff.
func (f *reportFlags) check(s *session, diff bool) error {
	for _, file := range f.files {
		if file == "" {
			return usagef("--report is empty, want a file")
		}
		switch {
		case f.writer(s, file) == nil:
			return usagef("--report is %q, want a file that ends in .xml, .md, .json or, for a prediction diff, .svg", file)
		case extension(file) == picture && !diff:
			return usagef("--report is %q, a picture of the prediction diff, and there is none: hotswap rollout and test make one with --max-disagreement or --diff-requests", file)
		}
		if err := os.MkdirAll(filepath.Dir(s.path(file)), 0o755); err != nil {
			return usagef("--report: %w", err)
		}
	}
	return nil
}

// summarise adds the report to the job's summary, unless it is one of the files.
func (f *reportFlags) summarise(s *session, r checks.Report) {
	if slices.Contains(f.files, s.Getenv(summaryVariable)) {
		return
	}
	var out strings.Builder
	if err := r.WriteMarkdown(&out); err != nil {
		s.say("the job's summary lacks the tests: %v", err)
	}
	s.tellSummary(out.String())
}

// write writes the report to each of the files.
func (f *reportFlags) write(s *session, r checks.Report) error {
	for _, file := range f.files {
		var out bytes.Buffer
		if err := f.writer(s, file)(r, &out); err != nil {
			return err
		}
		how := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
		if file == s.Getenv(summaryVariable) {
			how = os.O_WRONLY | os.O_CREATE | os.O_APPEND
		}
		if err := writeFile(s.path(file), how, out.Bytes()); err != nil {
			return usagef("--report: %w", err)
		}
	}
	return nil
}

func writeFile(path string, how int, text []byte) error {
	w, err := os.OpenFile(path, how, 0o644)
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		_ = w.Close()
		return err
	}
	return w.Close()
}
