package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hotswap/internal/online"
)

// Observation is what is known of a step at one moment.
type Observation struct {
	Elapsed time.Duration // since the step's traffic was in force
	Window  Window        // since then, as far as the metrics go
	Abort   string        // who wants the rollout aborted and why; "" where nobody does
	Changed string        // why the candidate is not the one that was tested; "" while it is
	Promote bool          // a person lets the rollout go on from its pause
}

// An action is what to do next.
type action int

const (
	wait     action = iota // look again later
	advance                // write the next step's traffic
	pause                  // wait for a person
	finish                 // the last step has baked
	rollBack               // restore the traffic from before
)

// next is the policy of a step that carries traffic: it decides from what was saved and what is
// seen, and does nothing itself.
//
//	           abort, changed   worse   passed, whole time       unknown, out of time   else
//	Watching   back             back    pause, advance, finish   back                   wait
//	Paused     back             back    advance on promote       advance on promote     wait
func (s State) next(o Observation) (action, Analysis) {
	st := s.Plan.Strategy
	a := Analysis{Percent: st.Steps[s.Step], Window: o.Window}
	a.Outcome, a.Reasons = st.Bounds.judge(o.Window)
	time := st.watchTime(s.Step)
	switch {
	case o.Abort != "":
		a.Reasons = []string{o.Abort}
		return rollBack, a
	case o.Changed != "":
		a.Outcome, a.Reasons = NotKnown, []string{o.Changed}
		return rollBack, a
	case a.Outcome == Worse:
		return rollBack, a
	case s.Phase == Paused && o.Promote:
		return advance, a
	case s.Phase == Paused:
		return wait, a
	case a.Outcome == Passed && o.Window.To.Sub(o.Window.From) >= time:
		return st.onward(s.Step), a
	case a.Outcome == NotKnown && o.Elapsed > time+st.Bounds.Timeout:
		a.Reasons = append(a.Reasons, fmt.Sprintf("nothing is known after %v", o.Elapsed.Round(timeUnit)))
		return rollBack, a
	}
	return wait, a
}

// after is the state that an action leads to, before its effect.
func (s State) after(act action, a Analysis) State {
	if act == wait {
		return s
	}
	s.Analyses = append(slices.Clone(s.Analyses), a)
	switch act {
	case advance:
		s.Phase, s.Step = Swapping, s.Step+1
	case pause:
		s.Phase = Paused
	case rollBack:
		s.Phase, s.Reason = RollingBack, strings.Join(a.Reasons, "; ")
	case finish:
		s.Phase = Retiring
	}
	return s
}

// timeUnit is what times are told in.
const timeUnit = time.Second

// watchTime is how long a step is watched.
func (s Strategy) watchTime(step int) time.Duration {
	if step == len(s.Steps)-1 {
		return s.Bake
	}
	return s.Interval
}

// onward is what follows a step that passed.
func (s Strategy) onward(step int) action {
	switch {
	case step == len(s.Steps)-1:
		return finish
	case s.Steps[step] == s.PauseAt:
		return pause
	}
	return advance
}

// watched reports whether anything is judged by the metrics.
func (s Strategy) watched() bool { return len(s.Steps) > 1 || s.Bake > 0 }

// at is the traffic of a step; of the one before the first it is what the plan starts from.
func (p Plan) at(step int) online.Traffic {
	switch {
	case step < 0:
		return p.Before.Traffic
	case step >= len(p.Strategy.Steps)-1:
		return p.After
	}
	percent := p.Strategy.Steps[step]
	t, err := online.NewTraffic(map[string]int{p.Slot: percent, p.Before.Traffic.Live(): everything - percent})
	if err != nil {
		panic(err) // unreachable: checkSteps, and stepped strategies start from one live deployment
	}
	return t
}

func (a Analysis) String() string {
	c := a.Window.Candidate
	text := fmt.Sprintf("%d requests, %d errors, p50 %v, p99 %v", c.Requests, c.Errors+c.ClientErrors+c.Throttled, round(c.P50), round(c.P99))
	if l := a.Window.Live; l != nil {
		text += fmt.Sprintf("; live %d, %d, %v, %v", l.Requests, l.Errors+l.ClientErrors+l.Throttled, round(l.P50), round(l.P99))
	}
	if len(a.Reasons) > 0 {
		text += ": " + strings.Join(a.Reasons, "; ")
	}
	return text
}
