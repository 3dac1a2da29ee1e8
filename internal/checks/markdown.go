package checks

import (
	"fmt"
	"io"
	"strings"
)

// maxMarkdown is what is written at most, in bytes: GitHub drops a step's summary that has more
// than 1024 KiB, and other steps' text may stand in the same one.
const maxMarkdown = 512 << 10

// WriteMarkdown writes the report for a job's summary or a comment.
func (r Report) WriteMarkdown(w io.Writer) error {
	var out strings.Builder
	fmt.Fprintf(&out, "### %s Tests of %s\n\n%s\n\n", markOf(r.Passed()), Inline(r.Deployment), Inline(r.total()))
	out.WriteString("| | Case | Requests | p50 | p99 | Measured |\n|---|---|--:|--:|--:|---|\n")
	left := 0
	for _, c := range r.Cases {
		row := fmt.Sprintf("| %s | %s | %d | %v | %v | %s |\n", markOf(c.Passed), Inline(c.Name), c.Requests, rounded(c.P50), rounded(c.P99),
			strings.Join(c.measured(), ", "))
		left += within(&out, row, maxMarkdown/2)
	}
	for _, c := range r.Cases {
		left += within(&out, c.details(), maxMarkdown)
	}
	if r.Diff != nil {
		var diff strings.Builder
		if err := r.Diff.WriteMarkdown(&diff); err != nil {
			return err
		}
		left += within(&out, "\n"+diff.String(), maxMarkdown)
	}
	if left > 0 {
		fmt.Fprintf(&out, "\n%d parts are left out: the summary would be too large.\n", left)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func markOf(passed bool) string {
	if passed {
		return "✅"
	}
	return "❌"
}

// within writes part unless there would be more than most bytes then, and returns how many parts
// were left out.
func within(out *strings.Builder, part string, most int) int {
	if out.Len()+len(part) > most {
		return 1
	}
	out.WriteString(part)
	return 0
}

// details says why a case did not pass, and what else there is to say.
func (c Result) details() string {
	if len(c.Reasons)+len(c.Notes) == 0 {
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\n%s **%s**\n\n", markOf(c.Passed), Inline(c.Name))
	for _, reason := range c.Reasons {
		fmt.Fprintf(&out, "- %s\n", Inline(reason))
	}
	for _, note := range c.Notes {
		lines := strings.Split(note, "\n")
		for i := range lines {
			lines[i] = Inline(lines[i])
		}
		fmt.Fprintf(&out, "- %s\n", strings.Join(lines, "<br>"))
	}
	return out.String()
}

// Inline is anybody's text on one line of Markdown, and in one cell of a table.
func Inline(text string) string { return code(line(text)) }

// Literal is anybody's text on one line, in which nothing is markup.
func Literal(text string) string { return literal(line(text)) }
