package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"hotswap/internal/checks"
)

// summaryVariable names the file that GitHub shows on the page of a job, in Markdown; a step adds
// to it (docs.github.com, "Workflow commands for GitHub Actions").
const summaryVariable = "GITHUB_STEP_SUMMARY"

// reportFlags are the files that a report is written to.
type reportFlags struct{ files []string }

func (f *reportFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.files, "report", nil, "`FILE` to write the report to, by its extension: .xml for JUnit, .md for Markdown, .json; $"+summaryVariable+" is added to (may be given again)")
}

type reportWriter = func(checks.Report, io.Writer) error

var reportWriters = map[string]reportWriter{
	".xml": checks.Report.WriteJUnit, ".md": checks.Report.WriteMarkdown, ".json": checks.Report.WriteJSON,
}

func (f *reportFlags) writer(s *session, file string) reportWriter {
	if file == s.Getenv(summaryVariable) {
		return checks.Report.WriteMarkdown
	}
	return reportWriters[strings.ToLower(filepath.Ext(file))]
}

// check finds what can't be written before there is anything to write.
func (f *reportFlags) check(s *session) error {
	for _, file := range f.files {
		if file == "" {
			return usagef("--report is empty, want a file")
		}
		if f.writer(s, file) == nil {
			return usagef("--report is %q, want a file that ends in .xml, .md or .json", file)
		}
		if err := os.MkdirAll(filepath.Dir(s.path(file)), 0o755); err != nil {
			return usagef("--report: %w", err)
		}
	}
	return nil
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
