package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"hotswap/internal/checks"
	"hotswap/internal/gate"
	"hotswap/internal/rollout"
)

// gatePage is what people read of a run: in the job's summary, and in the pull request's comment.
type gatePage struct {
	name    string // of the endpoint
	ended   gate.Ended
	outcome gate.Outcome
	world   gate.World
	rollout *rollout.State // nil: the run is about none
}

// worthTelling reports whether the pull request's own page has something to say: not on each push
// that has nothing to do with the endpoint.
func (p gatePage) worthTelling() bool {
	e, hold := p.ended.Event, p.world.Record.Hold
	return e.PullRequest > 0 && (p.outcome.State != gate.Passed || hold != nil && hold.PullRequest == e.PullRequest)
}

// status is the commit's, for forges and rules that know nothing else.
func (p gatePage) status() gate.Status {
	good := !p.outcome.Wrong && p.outcome.State != gate.Failed
	return gate.Status{
		Context: "hotswap/" + p.name, Description: p.outcome.State + ": " + oneLine(p.outcome.Text), URL: p.ended.Run, Good: good,
	}
}

// markdown is the page. Whatever a person or a program may have named is shown as it is, and does
// nothing: it mentions nobody and links nowhere.
func (p gatePage) markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "### Hotswap: %s is %s\n\n%s\n", literal(p.name), p.outcome.State, literal(p.outcome.Text))
	if reason := p.ended.Reason; reason != "" && reason != p.outcome.Text {
		fmt.Fprintf(&out, "\nDecision: **%s**, because %s\n", literal(p.ended.Decision), literal(reason))
	}
	p.plan(&out)
	p.verdicts(&out)
	p.standing(&out)
	if back := p.back(); back != "" {
		fmt.Fprintf(&out, "\n**To go back:** %s\n", back)
	}
	if p.ended.Run != "" {
		fmt.Fprintf(&out, "\nRun: %s\n", link(p.ended.Run))
	}
	return out.String()
}

func (p gatePage) plan(out *strings.Builder) {
	s := p.rollout
	if s == nil {
		return
	}
	out.WriteString("\n| Plan | |\n|---|---|\n")
	for _, row := range [][2]string{
		{"Rollout", s.ID},
		{"Model", s.Plan.Model.String()},
		{"Commit", s.Plan.Commit},
		{"Slot", s.Plan.Slot},
		{"Traffic", fmt.Sprintf("from %s to %s", s.Plan.Before.Traffic, s.Plan.After)},
		{"Strategy", strategyLine(s.Plan.Strategy)},
		{"Outcome", string(s.Phase)},
		{"Reason", s.Reason},
	} {
		if row[1] != "" {
			fmt.Fprintf(out, "| %s | %s |\n", row[0], literal(row[1]))
		}
	}
}

// The marks of what has passed and what has not.
func passedMark(passed bool) string {
	if passed {
		return "✅"
	}
	return "❌"
}

func (p gatePage) verdicts(out *strings.Builder) {
	if p.rollout == nil {
		return
	}
	const most = 100 // rows: a comment has 65,536 letters at most
	if v := p.rollout.Verdict; v != nil {
		fmt.Fprintf(out, "\n| Tests | %s %d requests |\n|---|---|\n", passedMark(v.Passed), v.Requests)
		for _, c := range v.Cases[:min(most, len(v.Cases))] {
			fmt.Fprintf(out, "| %s %s | %s |\n", passedMark(c.Passed), literal(c.Name), literal(strings.Join(append(measured(c), c.Reasons...), "; ")))
		}
		if len(v.Cases) > most {
			fmt.Fprintf(out, "| %d more | |\n", len(v.Cases)-most)
		}
	} else if p.rollout.Forced {
		out.WriteString("\n⚠️ It was swapped without a test.\n")
	}
	if len(p.rollout.Analyses) == 0 {
		return
	}
	out.WriteString("\n| Step | Requests | Errors | p50 | p99 | |\n|---|---|---|---|---|---|\n")
	for _, a := range p.rollout.Analyses[max(0, len(p.rollout.Analyses)-most):] {
		c := sideCells(a.Window.Candidate)
		if l := a.Window.Live; l != nil {
			for i, cell := range sideCells(*l) {
				c[i] += " / " + cell
			}
		}
		const requests, errs, p50, p99 = 0, 1, 4, 5 // of sideCells
		fmt.Fprintf(out, "| %d %% %s | %s | %s | %s | %s | %s |\n", a.Percent, literal(string(a.Outcome)), c[requests], c[errs], c[p50], c[p99],
			literal(strings.Join(a.Reasons, "; ")))
	}
}

// measured are a case's numbers in the order of their names.
func measured(c checks.CaseVerdict) (words []string) {
	for name, value := range c.Measured {
		words = append(words, fmt.Sprintf("%s %.4g", name, value))
	}
	slices.Sort(words)
	return words
}

// standing is what holds and what main stands for.
func (p gatePage) standing(out *strings.Builder) {
	r := p.world.Record
	if m := r.Main; m != nil {
		fmt.Fprintf(out, "\nMain stands for %s of commit %s.\n", literal(dash(m.Model)), literal(dash(short(m.Commit))))
	}
	if h := r.Hold; h != nil {
		since := h.Since.UTC().Format("2006-01-02 15:04 MST")
		if h.PullRequest == 0 && h.Branch != "" {
			fmt.Fprintf(out, "\nThe endpoint is held by branch %s since %s.\n", literal(h.Branch), since)
		} else if h.PullRequest > 0 {
			fmt.Fprintf(out, "\nThe endpoint is held by #%d since %s.\n", h.PullRequest, since)
		}
	}
}

// back says how to have the former version.
func (p gatePage) back() string {
	switch p.outcome.State {
	case gate.Holding:
		return fmt.Sprintf("close this pull request unmerged, which restores what main stands for; or at once, `hotswap rollback -e %s`.", p.name)
	case gate.Verified:
		return fmt.Sprintf("`hotswap rollback -e %s` at once; then revert on main, so that main says the same.", p.name)
	}
	return ""
}

// links are what a forge would make a link of, even where nothing is markup.
var links = regexp.MustCompile(`(?i)://|www\.`)

// literal is anybody's text in which nothing is markup, a mention or a link.
func literal(text string) string {
	return links.ReplaceAllStringFunc(checks.Literal(text), func(found string) string {
		if found == "://" {
			return "&#58;//"
		}
		return found[:3] + "&#46;"
	})
}

// addressForm is what a run's URL looks like; anything else is shown as it is.
var addressForm = regexp.MustCompile(`^https?://[A-Za-z0-9.:\[\]-]+/[A-Za-z0-9._~/-]*$`)

func link(url string) string {
	if addressForm.MatchString(url) {
		return "<" + url + ">"
	}
	return literal(url)
}
