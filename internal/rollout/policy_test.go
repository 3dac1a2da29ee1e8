package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hotswap/internal/online"
)

// strategies draws one of any shape.
func strategies(t *rapid.T) Strategy {
	s := DefaultStrategy()
	s.Steps = rapid.SliceOfNDistinct(rapid.IntRange(1, 99), 0, 5, rapid.ID[int]).Draw(t, "steps")
	slices.Sort(s.Steps)
	s.Steps = append(s.Steps, 100)
	s.Interval = time.Duration(rapid.IntRange(1, 20).Draw(t, "interval")) * time.Minute
	s.Bake = time.Duration(rapid.IntRange(0, 20).Draw(t, "bake")) * time.Minute
	if len(s.Steps) > 1 && rapid.Bool().Draw(t, "pauses") {
		s.PauseAt = s.Steps[rapid.IntRange(0, len(s.Steps)-2).Draw(t, "pause at")]
	}
	return s
}

func sides(t *rapid.T, name string) Side {
	n := rapid.OneOf(rapid.Just(0), rapid.IntRange(0, 99), rapid.IntRange(100, 10000)).Draw(t, name+" requests")
	return Side{
		Requests: n, Errors: rapid.IntRange(0, n).Draw(t, name+" errors") / rapid.IntRange(1, 1000).Draw(t, name+" rarely"),
		P50: time.Duration(rapid.IntRange(1, 100).Draw(t, name+" p50")) * time.Millisecond,
		P99: time.Duration(rapid.IntRange(1, 1000).Draw(t, name+" p99")) * time.Millisecond,
	}
}

// observations draws what may be seen of a step, its time included.
func observations(t *rapid.T, elapsed time.Duration) Observation {
	o := Observation{Elapsed: elapsed, Promote: rapid.IntRange(0, 9).Draw(t, "promote") == 0}
	if rapid.IntRange(0, 99).Draw(t, "abort") == 0 {
		o.Abort = "somebody"
	}
	from := time.Unix(0, 0)
	o.Window = Window{From: from, To: from.Add(elapsed), Candidate: sides(t, "candidate")}
	if rapid.IntRange(0, 9).Draw(t, "has live") > 0 {
		live := sides(t, "live")
		o.Window.Live = &live
	}
	if rapid.IntRange(0, 9).Draw(t, "unknown") == 0 {
		o.Window.Unknown = "the metrics are away"
	}
	return o
}

// What is promised for any sequence of observations: the traffic adds up to 100 on deployments of
// the plan, no step is taken without a passed verdict of the one before, nothing unknown and
// nothing worse promotes, and the rollout ends, or waits for a person or for its time.
func TestPolicy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := State{Phase: Watching, Plan: Plan{
			Slot: "green", Before: Snapshot{Traffic: online.AllTo("blue")}, After: online.AllTo("green"), Strategy: strategies(t),
		}}
		st := s.Plan.Strategy
		elapsed := time.Duration(0)
		for s.Phase == Watching || s.Phase == Paused {
			checkTraffic(t, s)
			elapsed += time.Duration(rapid.IntRange(1, 300).Draw(t, "seconds")) * time.Second
			o := observations(t, elapsed)
			act, a := s.next(o)
			checkAction(t, s, o, act, a)
			if act == wait && s.Phase == Watching && elapsed > st.watchTime(s.Step)+st.Bounds.Timeout {
				t.Fatalf("it waits on after %v, for nothing that has a name: %s", elapsed, a.Outcome)
			}
			next := s.after(act, a)
			if next.Phase == Swapping {
				next.Phase, elapsed = Watching, 0
			}
			s = next
		}
		if s.Phase == Retiring && len(s.Analyses) < len(st.Steps) {
			t.Fatalf("it has %d verdicts for the steps %v", len(s.Analyses), st.Steps)
		}
	})
}

func checkTraffic(t *rapid.T, s State) {
	shares := s.to().traffic.Shares()
	sum := 0
	for name, share := range shares {
		if name != "blue" && name != "green" {
			t.Fatalf("traffic for %s", name)
		}
		sum += share
	}
	if sum != 100 || shares["green"] != s.Plan.Strategy.Steps[s.Step] {
		t.Fatalf("the traffic of step %d is %v", s.Step, shares)
	}
}

func checkAction(t *rapid.T, s State, o Observation, act action, a Analysis) {
	outcome, _ := s.Plan.Strategy.Bounds.judge(o.Window)
	switch act {
	case advance, pause, finish:
		checkOnward(t, s, o, act, outcome)
	case rollBack:
		if len(a.Reasons) == 0 {
			t.Fatal("it goes back without a reason")
		}
	case wait:
		if o.Abort != "" || outcome == Worse {
			t.Fatal("it waits though it must go back")
		}
	}
}

func checkOnward(t *rapid.T, s State, o Observation, act action, outcome Outcome) {
	st := s.Plan.Strategy
	for _, wrong := range []struct {
		is  bool
		why string
	}{
		{o.Abort != "", "though somebody wants it aborted"},
		{outcome == Worse, "though the candidate is worse"},
		{s.Phase == Paused && !o.Promote, "from a pause by itself"},
		{s.Phase == Watching && outcome != Passed, "without a verdict that passed"},
		{s.Phase == Watching && o.Elapsed < st.watchTime(s.Step), "before its time"},
		{s.Phase == Watching && act == advance && st.Steps[s.Step] == st.PauseAt, "past its pause"},
		{(act == finish) != (s.Step == len(st.Steps)-1), "to the wrong step"},
	} {
		if wrong.is {
			t.Fatalf("it goes on %s: %+v of %+v, at step %d of %v", wrong.why, act, o, s.Step, st.Steps)
		}
	}
}

func TestJudge(t *testing.T) {
	good := func() Window {
		return Window{
			Candidate: Side{Requests: 1000, Errors: 1, P50: 20 * time.Millisecond, P99: 80 * time.Millisecond},
			Live:      &Side{Requests: 5000, Errors: 5, P50: 19 * time.Millisecond, P99: 70 * time.Millisecond},
		}
	}
	tests := map[string]struct {
		change func(*Window)
		want   Outcome
		says   string
	}{
		"as good as live":         {func(*Window) {}, Passed, ""},
		"errors":                  {func(w *Window) { w.Candidate.Errors = 12 }, Worse, "errors: 1.2 %"},
		"errors on both sides":    {func(w *Window) { w.Candidate.Errors, w.Live.Errors = 100, 500 }, Passed, ""},
		"client errors":           {func(w *Window) { w.Candidate.ClientErrors = 20 }, Worse, "client errors: 2 %"},
		"throttled":               {func(w *Window) { w.Candidate.Throttled = 20 }, Worse, "throttled requests: 2 %"},
		"slower in the middle":    {func(w *Window) { w.Candidate.P50 = 30 * time.Millisecond }, Worse, "p50 latency: 30ms, live's is 19ms"},
		"slower at the end":       {func(w *Window) { w.Candidate.P99 = 200 * time.Millisecond }, Worse, "p99 latency: 200ms"},
		"slower by next to none":  {func(w *Window) { w.Candidate.P50, w.Live.P50 = 3*time.Millisecond, time.Millisecond }, Passed, ""},
		"too few":                 {func(w *Window) { w.Candidate.Requests = 99 }, NotKnown, "the candidate answered 99, want 100"},
		"too few of live":         {func(w *Window) { w.Live.Requests = 3 }, NotKnown, "the live slot answered 3, want 100"},
		"too few, and all failed": {func(w *Window) { w.Candidate = Side{Requests: 9, Errors: 9} }, NotKnown, "too few"},
		"metrics away":            {func(w *Window) { w.Unknown = "away" }, NotKnown, "away"},
		"nothing was live":        {func(w *Window) { w.Live = nil }, Passed, ""},
		"nothing live, failing":   {func(w *Window) { w.Live, w.Candidate.Errors = nil, 500 }, Worse, "errors: 50 %"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := good()
			tt.change(&w)
			got, reasons := DefaultStrategy().Bounds.judge(w)
			if got != tt.want || tt.says != "" && (len(reasons) != 1 || !strings.Contains(reasons[0], tt.says)) {
				t.Errorf("judged %s %q, want %s and %q", got, reasons, tt.want, tt.says)
			}
		})
	}
}

func TestStrategyCheck(t *testing.T) {
	tests := map[string]struct {
		change func(*Strategy)
		says   string
	}{
		"the default":          {func(*Strategy) {}, ""},
		"in steps":             {func(s *Strategy) { s.Steps = []int{5, 25, 50, 100} }, ""},
		"no steps":             {func(s *Strategy) { s.Steps = nil }, "steps"},
		"not to the end":       {func(s *Strategy) { s.Steps = []int{5, 50} }, "end with 100"},
		"falling":              {func(s *Strategy) { s.Steps = []int{50, 25, 100} }, "rise"},
		"twice the same":       {func(s *Strategy) { s.Steps = []int{50, 50, 100} }, "rise"},
		"from 0":               {func(s *Strategy) { s.Steps = []int{0, 100} }, "rise"},
		"beyond":               {func(s *Strategy) { s.Steps = []int{50, 100, 101} }, "end with 100"},
		"no interval":          {func(s *Strategy) { s.Steps, s.Interval = []int{50, 100}, 0 }, "interval"},
		"negative bake":        {func(s *Strategy) { s.Bake = -1 }, "negative"},
		"pause at no step":     {func(s *Strategy) { s.Steps, s.PauseAt = []int{50, 100}, 25 }, "pause"},
		"pause at the end":     {func(s *Strategy) { s.PauseAt = 100 }, "pause"},
		"retain something":     {func(s *Strategy) { s.Retain = "hot" }, "warm, none or parked"},
		"from nothing":         {func(s *Strategy) { s.Bounds.MinRequests = 0 }, "at least 1"},
		"more than everything": {func(s *Strategy) { s.Bounds.Errors = 1.1 }, "100 %"},
		"faster than live":     {func(s *Strategy) { s.Bounds.P99 = 0.5 }, "at least 1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := DefaultStrategy()
			tt.change(&s)
			err := s.Check()
			if (err == nil) != (tt.says == "") || err != nil && (online.CodeOf(err) != online.Invalid || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("Check = %v, want %q", err, tt.says)
			}
		})
	}
}
