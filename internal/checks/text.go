package checks

import (
	"fmt"
	"io"
	"strings"
)

// WriteText writes the report for a terminal: a line a case, and below it why it did not pass.
func (r Report) WriteText(w io.Writer) error {
	var out strings.Builder
	for _, c := range r.Cases {
		fmt.Fprintf(&out, "%s  %s  (%s)\n", mark(c.Passed), line(c.Name), c.summary())
		for _, reason := range c.Reasons {
			fmt.Fprintf(&out, "        %s\n", line(reason))
		}
		for _, note := range c.Notes {
			for text := range strings.Lines(note) {
				fmt.Fprintf(&out, "      | %s\n", line(text))
			}
		}
	}
	if r.Diff != nil {
		if err := r.Diff.WriteText(&out); err != nil {
			return err
		}
	}
	fmt.Fprintln(&out, r.total())
	_, err := io.WriteString(w, out.String())
	return err
}

// line is text that stays on its line and does nothing else there.
func line(text string) string { return shorten(text, 4<<10) }

func mark(passed bool) string {
	if passed {
		return "passed"
	}
	return "FAILED"
}

// total is the report in a sentence.
func (r Report) total() string {
	cases := plural(len(r.Cases), "case") + " passed"
	if n := r.Failed(); n > 0 {
		cases = fmt.Sprintf("%d of %s failed", n, plural(len(r.Cases), "case"))
	}
	if r.Diff != nil && !r.Diff.Passed {
		cases += ", the prediction diff failed"
	}
	return fmt.Sprintf("%s: %s, %v", line(r.Deployment), cases, rounded(r.Took))
}

// summary is what a case did.
func (c Result) summary() string {
	parts := []string{plural(c.Requests, "request")}
	if c.Requests > 0 {
		parts = append(parts, fmt.Sprintf("p50 %v", rounded(c.P50)))
	}
	if c.Requests > 1 {
		parts = append(parts, fmt.Sprintf("p99 %v", rounded(c.P99)))
	}
	return strings.Join(append(parts, c.measured()...), ", ")
}

// measured is each metric with live's value beside it.
func (c Result) measured() (parts []string) {
	for _, m := range metrics {
		value, there := c.Measured[m.name]
		if !there {
			continue
		}
		text := m.name + " " + digits(value)
		if live, there := c.Measured["live_"+m.name]; there {
			text += ", live " + digits(live)
		}
		parts = append(parts, text)
	}
	return parts
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
