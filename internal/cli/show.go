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
		{"fingerprint", s.Candidate.Fingerprint},
	}
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
