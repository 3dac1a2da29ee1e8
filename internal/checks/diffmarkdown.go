package checks

import (
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes the diff as GitHub renders it in a job's summary.
func (d Diff) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### Prediction diff: %s\n\n%s.\n", d.verdict(), literal(capital(d.headline())))
	if d.NotCompared == "" {
		fmt.Fprintf(&b, "%s, %s.\n\n", plural(d.Requests, "request"), literal(d.allowance()))
		d.markdownBars(&b)
		d.markdownWorst(&b)
	}
	for _, list := range []struct {
		head  string
		texts []string
	}{{"Not passed", d.Reasons}, {fmt.Sprintf("Unknown (%d of %s)", d.Unknown, plural(d.Requests, "request")), d.Failed}} {
		if len(list.texts) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n**%s**\n\n", list.head)
		for _, text := range list.texts {
			fmt.Fprintf(&b, "- %s\n", code(text))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (d Diff) markdownBars(b *strings.Builder) {
	b.WriteString("| difference | predictions | |\n|---|---:|---|\n")
	most := d.most()
	for _, bin := range d.Histogram {
		label := bin.Label
		if bin.Disagrees {
			label = "**" + label + "**"
		}
		fmt.Fprintf(b, "| %s | %d | %s |\n", label, bin.Count, bar(bin.Count, most))
	}
}

func (d Diff) markdownWorst(b *strings.Builder) {
	if len(d.Worst) == 0 {
		return
	}
	fmt.Fprintf(b, "\n**The worst %d of %d that disagree**\n\n| request | input | %s | %s | difference |\n|---|---|---|---|---|\n",
		len(d.Worst), d.Disagree, literal(d.Live), literal(d.Candidate))
	for _, w := range d.Worst {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", code(w.at()), code(clip(w.Input)), code(clip(w.Live)), code(clip(w.Candidate)), code(w.how()))
	}
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// code shows anybody's text as it is. A code span of backticks would end at a backtick, and a
// cell of a table at a bar; an entity is never markup (CommonMark 0.31, section 2.5).
func code(text string) string { return "<code>" + literal(text) + "</code>" }

// literal is text in which nothing is markup.
func literal(text string) string {
	var b strings.Builder
	for _, r := range plain(text) {
		if r < 0x80 && strings.ContainsRune("\\`*_{}[]<>|&~!$@#", r) {
			fmt.Fprintf(&b, "&#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
