package rollout

import (
	"fmt"
	"time"
)

// Side is what one deployment answered in a window, as its clients saw it.
type Side struct {
	Requests     int           `json:"requests"`
	Errors       int           `json:"errors"`       // that are its own fault: 5xx, 424 for a model that failed, 408 for one too slow
	ClientErrors int           `json:"clientErrors"` // other 4xx but 429
	Throttled    int           `json:"throttled"`    // 429
	P50          time.Duration `json:"p50"`
	P99          time.Duration `json:"p99"`
}

// share is n of the side's requests, 0 where there are none.
func (s Side) share(n int) float64 {
	if s.Requests == 0 {
		return 0
	}
	return float64(n) / float64(s.Requests)
}

// Window is what candidate and live slot answered over the same time. With all the traffic on the
// candidate, live's side is that of the time before, just as long.
type Window struct {
	From      time.Time `json:"from"` // by the service's clock
	To        time.Time `json:"to"`
	Candidate Side      `json:"candidate"`
	Live      *Side     `json:"live,omitempty"`    // nil where nothing was live before
	Unknown   string    `json:"unknown,omitempty"` // why nothing can be known from it; "" where all of it is known
}

// An Outcome is what a window says of the candidate. An unknown is not a success.
type Outcome string

// The outcomes.
const (
	Passed   Outcome = "passed"
	Worse    Outcome = "worse"
	NotKnown Outcome = "unknown"
)

// Analysis is the judgement of one step.
type Analysis struct {
	Percent int      `json:"percent"` // of the traffic that the candidate had
	Window  Window   `json:"window"`
	Outcome Outcome  `json:"outcome"`
	Reasons []string `json:"reasons,omitempty"` // why it did not pass
}

// judge compares the sides of a window.
func (b Bounds) judge(w Window) (o Outcome, reasons []string) {
	if w.Unknown != "" {
		return NotKnown, []string{w.Unknown}
	}
	if few := b.tooFew(w); few != "" {
		return NotKnown, []string{few}
	}
	live := Side{}
	if w.Live != nil {
		live = *w.Live
	}
	c := w.Candidate
	for _, share := range []struct {
		what            string
		candidate, live int
		more            float64
	}{
		{"errors", c.Errors, live.Errors, b.Errors},
		{"client errors", c.ClientErrors, live.ClientErrors, b.ClientErrors},
		{"throttled requests", c.Throttled, live.Throttled, b.Throttled},
	} {
		if got, before := c.share(share.candidate), live.share(share.live); got > before+share.more {
			reasons = append(reasons, fmt.Sprintf("%s: %s of the candidate's %d answers, %s of live's; %s more is allowed",
				share.what, percentage(got), c.Requests, percentage(before), percentage(share.more)))
		}
	}
	if w.Live != nil {
		reasons = append(reasons, b.slower("p50", c.P50, live.P50, b.P50)...)
		reasons = append(reasons, b.slower("p99", c.P99, live.P99, b.P99)...)
	}
	if len(reasons) > 0 {
		return Worse, reasons
	}
	return Passed, nil
}

// tooFew says which side has answered too little for anything to be known, or "".
func (b Bounds) tooFew(w Window) string {
	switch {
	case w.Candidate.Requests < b.MinRequests:
		return fmt.Sprintf("too few requests: the candidate answered %d, want %d", w.Candidate.Requests, b.MinRequests)
	case w.Live != nil && w.Live.Requests < b.MinRequests:
		return fmt.Sprintf("too few requests: the live slot answered %d, want %d", w.Live.Requests, b.MinRequests)
	}
	return ""
}

func (b Bounds) slower(what string, candidate, live time.Duration, times float64) []string {
	if candidate <= live+b.Slack || float64(candidate) <= float64(live)*times {
		return nil
	}
	return []string{fmt.Sprintf("%s latency: %v, live's is %v; %v times that is allowed", what, round(candidate), round(live), times)}
}

// round keeps three digits or so of a latency.
func round(d time.Duration) time.Duration {
	switch {
	case d > 10*time.Second:
		return d.Round(100 * time.Millisecond)
	case d > 10*time.Millisecond:
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}

func percentage(share float64) string { return fmt.Sprintf("%.3g %%", 100*share) }
