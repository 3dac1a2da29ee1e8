package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hotswap/internal/checks"
	"hotswap/internal/journal"
	"hotswap/internal/rollout"
)

func newShow(s *session) *cobra.Command {
	var endpoint endpointFlags
	c := &cobra.Command{
		Use:   "show [rollout]",
		Short: "Show all of one rollout: who, what, why, and the traffic over time",
		Long: `Show prints what the journal has of a rollout: who began it, from which commit and pull request,
what it planned, what the tests said, each of its steps with the traffic of then, what people decided
meanwhile, and how it ended. The rollout is named by the beginning of its id; without one it is the newest.`,
		Example: `  hotswap show -e taxi-fare
  hotswap show 3f1c2a -e taxi-fare -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("unexpected argument %q: one rollout is shown", args[1])
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			r, err := endpoint.runner(c.Context(), s)
			if err != nil {
				return err
			}
			record, err := r.Show(c.Context(), strings.Join(args, ""))
			if err != nil {
				return err
			}
			if s.output == "json" {
				return s.print(record, nil)
			}
			return writeRecord(s.Stdout, record)
		},
	}
	endpoint.add(c)
	return c
}

// writeRecord writes a record as a page: what it is about, what happened, what people decided.
func writeRecord(w io.Writer, r rollout.Record) error {
	about := &table{}
	for _, row := range slices.Concat(aboutPlan(r.State), aboutActor(r.State.By), aboutEnd(r.State)) {
		if row[1] != "" {
			about.add(row[0], oneLine(row[1]))
		}
	}
	happened := &table{head: []string{"TIME", "PHASE", "TRAFFIC", "NOTE"}}
	for _, m := range r.Timeline {
		happened.add(stamp(m.Time), string(m.Phase), m.Traffic.String(), dash(oneLine(m.Note)))
	}
	pages := []*table{about, happened}
	if v := r.State.Verdict; v != nil && len(v.Cases) > 0 {
		pages = append(pages, caseTable(v.Cases))
	}
	if len(r.State.Analyses) > 0 {
		pages = append(pages, analysisTable(r.State.Analyses))
	}
	if len(r.Decisions) > 0 {
		pages = append(pages, decisionTable(r.Decisions))
	}
	for i, t := range pages {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := t.write(w); err != nil {
			return err
		}
	}
	return nil
}

func aboutPlan(s rollout.State) [][2]string {
	p := s.Plan
	model := ""
	if !p.Model.IsZero() {
		model = p.Model.String()
	}
	return [][2]string{
		{"rollout", s.ID},
		{"endpoint", p.Endpoint},
		{"undoes", p.Undoes},
		{"model", model},
		{"commit", p.Commit},
		{"slot", p.Slot},
		{"planned", fmt.Sprintf("traffic from %s to %s", p.Before.Traffic, p.After)},
		{"strategy", strategyLine(p.Strategy)},
		{"fingerprint", s.Candidate.Fingerprint},
	}
}

// strategyLine is "" for a rollback, which has none.
func strategyLine(s rollout.Strategy) string {
	if len(s.Steps) == 0 {
		return ""
	}
	var steps []string
	for _, percent := range s.Steps {
		steps = append(steps, strconv.Itoa(percent))
	}
	line := "steps " + strings.Join(steps, ",")
	if len(s.Steps) > 1 {
		line += fmt.Sprintf(", %s each", s.Interval)
	}
	if s.PauseAt > 0 {
		line += fmt.Sprintf(", a pause at %d", s.PauseAt)
	}
	return fmt.Sprintf("%s, bake %s, the former slot %s", line, s.Bake, s.Retain)
}

func aboutActor(a rollout.Actor) [][2]string {
	rows := [][2]string{{"by", a.String()}}
	if p := a.Principal; p.App != "" {
		rows = append(rows, [2]string{"principal", strings.TrimSpace(fmt.Sprintf("%s application %s, object %s, tenant %s", p.Name, p.App, dash(p.ID), dash(p.Tenant)))})
	}
	f := a.Forge
	if f == nil {
		return rows
	}
	request := ""
	if f.PullRequest > 0 {
		request = fmt.Sprintf("#%d of %s", f.PullRequest, f.Repository)
	}
	return append(rows,
		[2]string{"pull request", request},
		[2]string{"its head", f.Head},
		[2]string{"workflow", f.Workflow},
		[2]string{"run", cmp.Or(f.URL, f.Run)},
	)
}

func aboutEnd(s rollout.State) [][2]string {
	verdict := ""
	if v := s.Verdict; v != nil {
		verdict = "failed: " + strings.Join(v.Reasons, "; ")
		if v.Passed {
			verdict = fmt.Sprintf("passed; requests: %d", v.Requests)
		}
	}
	forced := ""
	if s.Forced {
		forced = "swapped without a passing test"
	}
	return [][2]string{
		{"started", stamp(s.Started)},
		{"updated", fmt.Sprintf("%s, after %s", stamp(s.Updated), s.Updated.Sub(s.Started).Round(time.Second))},
		{"verdict", verdict},
		{"forced", forced},
		{"outcome", string(s.Phase)},
		{"reason", s.Reason},
	}
}

// caseTable is what the cases of the test suite said.
func caseTable(cases []checks.CaseVerdict) *table {
	t := &table{head: []string{"CASE", "VERDICT", "REASONS"}}
	for _, c := range cases {
		verdict := "failed"
		if c.Passed {
			verdict = "passed"
		}
		t.add(c.Name, verdict, dash(oneLine(strings.Join(c.Reasons, "; "))))
	}
	return t
}

// analysisTable is what the steps said, the candidate's side of a window before live's.
func analysisTable(analyses []rollout.Analysis) *table {
	t := &table{head: []string{"STEP", "VERDICT", "REQUESTS", "ERRORS", "4XX", "429", "P50", "P99", "REASONS"}}
	for _, a := range analyses {
		row := sideCells(a.Window.Candidate)
		if l := a.Window.Live; l != nil { // without it nothing was live before
			for i, cell := range sideCells(*l) {
				row[i] += " / " + cell
			}
		}
		t.add(slices.Concat([]string{percent(a.Percent), string(a.Outcome)}, row, []string{dash(oneLine(strings.Join(a.Reasons, "; ")))})...)
	}
	return t
}

func sideCells(s rollout.Side) []string {
	var cells []string
	for _, n := range []int{s.Requests, s.Errors, s.ClientErrors, s.Throttled} {
		cells = append(cells, strconv.Itoa(n))
	}
	for _, d := range []time.Duration{s.P50, s.P99} {
		cells = append(cells, d.Round(time.Microsecond).String())
	}
	return cells
}

func decisionTable(decisions []journal.Decision) *table {
	t := &table{head: []string{"DECIDED", "KIND", "STEP", "BY", "REASON"}}
	for _, d := range decisions {
		step := "-"
		if d.Kind == journal.Promote {
			step = strconv.Itoa(d.Step)
		}
		t.add(stamp(d.Time), d.Kind, step, dash(d.By), dash(oneLine(d.Reason)))
	}
	return t
}

// oneLine keeps a text of several lines within its row.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
