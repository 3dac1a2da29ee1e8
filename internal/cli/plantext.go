package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"hotswap/internal/rollout"
)

// planWidth is how many columns a plan's text takes where its words allow it.
const planWidth = 96

// planText is the plan for a terminal, a section a question.
func planText(p rollout.Preview) string {
	t := new(sections)
	t.head("plan of a rollout of " + p.Endpoint.Name + ": nothing was changed")
	if p.Lock != nil {
		t.section("lock")
		t.add("%s", planLock(*p.Lock))
	}
	t.endpoint(p.Endpoint)
	t.section("slot")
	t.add("%s: %s", p.Slot.Name, p.Slot.Why)
	if p.Slot.Holds != "" {
		t.add("it holds %s", p.Slot.Holds)
	}
	t.add("it is %s", p.Slot.Fate)
	t.model(p)
	t.changes(p)
	t.swap(p.Swap)
	t.tests(p.Tests)
	t.instances(p.Instances)
	t.section("rollback, once it is through")
	t.add("%s", p.Rollback.How)
	if p.Rollback.Deployment != "" {
		t.add("it restores %s: %s, fingerprint %s", p.Rollback.Deployment, p.Rollback.Model, p.Rollback.Fingerprint)
	}
	if len(p.Notes) > 0 {
		t.section("notes")
	}
	for _, note := range p.Notes {
		t.add("%s", note)
	}
	return t.String()
}

func planLock(l rollout.LockPreview) string {
	text := fmt.Sprintf("held by %s (%s)", l.Holder, l.Reason)
	if l.Rollout != "" {
		text += " for rollout " + l.Rollout
	}
	if !l.Expires.IsZero() {
		text += " until " + l.Expires.UTC().Format("2006-01-02T15:04:05Z")
	}
	return text + ": " + l.Means
}

// sections is text under heads.
type sections struct{ strings.Builder }

func (t *sections) head(text string) { fmt.Fprintln(t, visible(text)) }

func (t *sections) section(name string) { fmt.Fprintf(t, "\n%s\n", name) }

// add writes a line, which goes on further in where it is too long.
func (t *sections) add(format string, args ...any) {
	const indent, further = "  ", "      "
	width := 0
	for word := range strings.FieldsSeq(visible(fmt.Sprintf(format, args...))) {
		n := utf8.RuneCountInString(word)
		switch {
		case width == 0:
			width = len(indent) + n
			fmt.Fprint(t, indent, word)
		case width+1+n > planWidth:
			width = len(further) + n
			fmt.Fprint(t, "\n", further, word)
		default:
			width += 1 + n
			fmt.Fprint(t, " ", word)
		}
	}
	fmt.Fprintln(t)
}

// detail writes a line as it is.
func (t *sections) detail(text string) { fmt.Fprintln(t, "    "+visible(text)) }

// visible is text that stays on its line and does nothing else there: files and servers gave it.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}

func (t *sections) endpoint(p rollout.EndpointPreview) {
	if !p.Create && len(p.Updates) == 0 {
		return
	}
	t.section("endpoint")
	if p.Create {
		t.add("%s is created, without traffic", p.Name)
	}
	if len(p.Updates) > 0 {
		t.add("%s is updated from its file: %s", p.Name, strings.Join(p.Updates, ", "))
	}
}

func (t *sections) model(p rollout.Preview) {
	t.section("model")
	if p.Model.Ref == "" {
		t.add("%s", p.Model.Why)
	} else {
		t.add("%s: %s", p.Model.Ref, p.Model.Why)
	}
	if p.Live == nil {
		t.add("nothing is live that it could be compared with")
		return
	}
	text := fmt.Sprintf("live is %s in %s", p.Live.Model, p.Live.Deployment)
	if p.Live.Commit != "" {
		text += ", commit " + p.Live.Commit
	}
	t.add("%s", text)
}

func (t *sections) changes(p rollout.Preview) {
	if p.Live == nil {
		return
	}
	t.section("what differs from live")
	if p.Same {
		t.add("nothing but the tags")
	}
	for _, c := range p.Changes {
		switch {
		case c.Live == "" && c.Candidate == "":
			t.add("%s", c.What)
		case c.Live == "":
			t.add("%s: %s, was none", c.What, c.Candidate)
		case c.Candidate == "":
			t.add("%s: none, was %s", c.What, c.Live)
		default:
			t.add("%s: %s, was %s", c.What, c.Candidate, c.Live)
		}
		for _, line := range c.Lines {
			t.detail(line)
		}
	}
}

func (t *sections) swap(p rollout.SwapPreview) {
	t.section("steps")
	if len(p.Steps) == 1 && p.Steps[0].Watched == "" {
		t.add("all at once: %s", p.Steps[0].Traffic)
		return
	}
	var rows strings.Builder
	w := tabwriter.NewWriter(&rows, 0, 0, 2, ' ', 0)
	for i, s := range p.Steps {
		then := "the end"
		switch {
		case s.Pause:
			then = "a person lets it go on"
		case i < len(p.Steps)-1:
			then = fmt.Sprintf("%d %%", p.Steps[i+1].Percent)
		}
		watched := "not watched"
		if s.Watched != "" {
			watched = "watched for " + s.Watched
		}
		fmt.Fprintf(w, "  after %s\t%d %%\t%s\t%s, then %s\n", s.Begins, s.Percent, s.Traffic, watched, then)
	}
	_ = w.Flush() // into memory
	t.WriteString(rows.String())
	t.add("%s from the first to the end, if each passes in its time", p.Total)
	for _, bound := range p.Bounds {
		t.add("%s", bound)
	}
}

func (t *sections) tests(p rollout.TestsPreview) {
	t.section("tests")
	if len(p.Cases) == 0 {
		t.add("none: --force, which is recorded")
	}
	for _, name := range p.Cases {
		t.add("%s", name)
	}
	if p.Diff != "" {
		t.add("prediction diff: %s", p.Diff)
	}
}

func (t *sections) instances(p rollout.InstancesPreview) {
	t.section("instances")
	for _, row := range []struct {
		when string
		all  []string
	}{{"now", p.Now}, {"while both slots are up", p.Both}, {"after", p.After}} {
		all := strings.Join(row.all, ", ")
		if all == "" {
			all = "none"
		}
		t.add("%s: %s", row.when, all)
	}
	if p.Quota != "" {
		t.add("%s", p.Quota)
	}
}
