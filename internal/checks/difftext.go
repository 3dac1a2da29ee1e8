package checks

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// headline is what the diff found, in a line.
func (d Diff) headline() string {
	what := fmt.Sprintf("prediction diff of %s against %s", d.Candidate, d.Live)
	if d.NotCompared != "" {
		return fmt.Sprintf("prediction diff of %s: not compared: %s", d.Candidate, d.NotCompared)
	}
	return fmt.Sprintf("%s: %d of %d predictions disagree (%s), %s", what, d.Disagree, d.Predictions, percentage(d.Share), d.bound())
}

func (d Diff) bound() string {
	if d.Options.MaxDisagreement < 0 {
		return "any may"
	}
	return fmt.Sprintf("at most %s may", percentage(d.Options.MaxDisagreement))
}

// verdict is a word for people; without a bound there is none to tell.
func (d Diff) verdict() string {
	switch {
	case d.NotCompared != "":
		return "not compared"
	case !d.Passed:
		return "failed"
	case d.Options.MaxDisagreement < 0:
		return "not judged"
	}
	return "passed"
}

// allowance says what counts as a difference.
func (d Diff) allowance() string {
	switch o := d.Options; {
	case o.Absolute == 0 && o.Relative == 0:
		return "any difference counts"
	case o.Relative == 0:
		return fmt.Sprintf("a difference of more than %v counts", o.Absolute)
	case o.Absolute == 0:
		return fmt.Sprintf("a difference of more than %s of the live number counts", percentage(o.Relative))
	default:
		return fmt.Sprintf("a difference of more than %v and %s of the live number counts", o.Absolute, percentage(o.Relative))
	}
}

// WriteText writes the diff for a terminal.
func (d Diff) WriteText(w io.Writer) error {
	var b strings.Builder
	b.WriteString(d.headline())
	if d.NotCompared == "" {
		fmt.Fprintf(&b, ": %s\n%s, %s\n\n", d.verdict(), plural(d.Requests, "request"), d.allowance())
		d.writeBars(&b)
		d.writeWorst(&b)
		for _, text := range d.Failed {
			fmt.Fprintf(&b, "unknown: %s\n", plain(text))
		}
		if more := d.Unknown - len(d.Failed); more > 0 {
			fmt.Fprintf(&b, "unknown: %d more\n", more)
		}
	} else {
		b.WriteByte('\n')
	}
	for _, text := range d.Reasons {
		fmt.Fprintf(&b, "failed: %s\n", plain(text))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// barWidth is the longest bar's, in characters.
const barWidth = 40

func (d Diff) writeBars(b *strings.Builder) {
	most := d.most()
	label, digits := 0, len(strconv.Itoa(most))
	for _, bin := range d.Histogram {
		label = max(label, len(bin.Label))
	}
	for _, bin := range d.Histogram {
		line := fmt.Sprintf("  %*s  %*d  %s", label, bin.Label, digits, bin.Count, bar(bin.Count, most))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	b.WriteByte('\n')
}

func (d Diff) most() (most int) {
	for _, bin := range d.Histogram {
		most = max(most, bin.Count)
	}
	return most
}

// bar is drawn in eighths of a character (Unicode, Block Elements); what is there at all shows.
func bar(count, most int) string {
	if count == 0 {
		return ""
	}
	eighths := max(1, 8*barWidth*count/most)
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return text
}

func (d Diff) writeWorst(b *strings.Builder) {
	for _, w := range d.Worst {
		fmt.Fprintf(b, "%s: %s → %s (%s)  input %s\n", plain(w.at()), plain(clip(w.Live)), plain(clip(w.Candidate)), plain(w.how()), plain(clip(w.Input)))
	}
	if more := d.Disagree - len(d.Worst); more > 0 && len(d.Worst) > 0 {
		fmt.Fprintf(b, "and %d more that disagree\n", more)
	}
	if len(d.Worst) > 0 {
		b.WriteByte('\n')
	}
}

// at is the place of a prediction.
func (w Disagreement) at() string {
	if w.Index < 0 {
		return w.Request
	}
	return fmt.Sprintf("%s [%d]", w.Request, w.Index)
}

// how says how far the two are apart.
func (w Disagreement) how() string {
	if w.Why != "" {
		return w.Why
	}
	return "by " + significant(w.Difference)
}

// clip is a value, or a dash for none.
func clip(text string) string {
	if text == "" {
		return "-"
	}
	return short(text)
}

// plain takes out what would steer a terminal: answers and requests are anybody's text.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}
