package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/checks"
	"hotswap/internal/journal"
	"hotswap/internal/online"
	"hotswap/internal/rollout"
)

// What a script can't bring about quickly: steps, several cases, decisions, a reason of two lines.
func TestRecordPage(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	half, err := online.NewTraffic(map[string]int{"blue": 50, "green": 50})
	if err != nil {
		t.Fatal(err)
	}
	s := rollout.State{ID: "r1", Phase: rollout.RolledBack, Reason: "worse\nat 50 %", Started: at, Updated: at.Add(90 * time.Second)}
	s.Plan = rollout.Plan{Endpoint: "taxi", Slot: "green", Before: rollout.Snapshot{Traffic: online.AllTo("blue")}, After: online.AllTo("green")}
	s.Plan.Strategy = rollout.Strategy{Steps: []int{50, 100}, Interval: time.Minute, Bake: time.Hour, PauseAt: 50, Retain: rollout.Warm}
	s.Verdict = &checks.Verdict{Passed: true, Requests: 3, Cases: []checks.CaseVerdict{{Name: "a trip", Passed: true}, {Name: "two", Reasons: []string{"x", "y"}}}}
	s.Analyses = []rollout.Analysis{{Percent: 50, Outcome: rollout.Worse, Reasons: []string{"p99"}, Window: rollout.Window{
		Candidate: rollout.Side{Requests: 110, Errors: 1, ClientErrors: 2, Throttled: 3, P50: time.Millisecond, P99: 2 * time.Second},
		Live:      &rollout.Side{Requests: 120, P50: time.Millisecond, P99: time.Second},
	}}, {Percent: 100, Outcome: rollout.Passed, Window: rollout.Window{Candidate: rollout.Side{Requests: 7}}}}
	record := rollout.Record{State: s, Timeline: []rollout.Moment{{Time: at, Phase: rollout.Watching, Traffic: half, Note: "a\nb"}}, Decisions: []journal.Decision{
		{Rollout: "r1", Kind: journal.Promote, Step: 0, By: "alice", Time: at}, {Rollout: "r1", Kind: journal.Abort, By: "bob", Reason: "no", Time: at},
	}}
	var page strings.Builder
	if err := writeRecord(&page, record); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"rollout r1", "endpoint taxi", "slot green", "planned traffic from blue=100 to green=100",
		"strategy steps 50,100, 1m0s each, a pause at 50, bake 1h0m0s, the former slot warm",
		"started 2026-01-02T03:04:05Z", "updated 2026-01-02T03:05:35Z, after 1m30s", "verdict passed; requests: 3",
		"outcome RolledBack", "reason worse at 50 %", "",
		"TIME PHASE TRAFFIC NOTE", "2026-01-02T03:04:05Z Watching blue=50 green=50 a b", "",
		"CASE VERDICT REASONS", "a trip passed -", "two failed x; y", "",
		"STEP VERDICT REQUESTS ERRORS 4XX 429 P50 P99 REASONS", "50% worse 110 / 120 1 / 0 2 / 0 3 / 0 1ms / 1ms 2s / 1s p99", "100% passed 7 0 0 0 0s 0s -", "",
		"DECIDED KIND STEP BY REASON", "2026-01-02T03:04:05Z promote 0 alice -", "2026-01-02T03:04:05Z abort - bob no", "",
	}
	var got []string
	for line := range strings.SplitSeq(page.String(), "\n") {
		got = append(got, oneLine(line))
	}
	if !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}
