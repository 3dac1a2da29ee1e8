package rollout

import (
	"fmt"
	"slices"
	"time"

	"hotswap/internal/online"
)

// Retain says what becomes of the former live slot once its successor is promoted.
type Retain string

// The ways. A deployment that is kept warm is back at once, one that is parked in seconds.
const (
	Warm   Retain = "warm"   // left as it is, with its instances
	None   Retain = "none"   // deleted
	Parked Retain = "parked" // without processes, with its environment and files; not on Azure
)

// Strategy says how a candidate gets the traffic, by what it is judged on the way, and what
// becomes of the slot that it takes the traffic from.
type Strategy struct {
	Steps     []int         `json:"steps"`             // percent of the candidate; they rise, and the last is 100
	Interval  time.Duration `json:"interval"`          // how long each step but the last is watched
	Bake      time.Duration `json:"bake"`              // how long the last step is watched; 0 ends the rollout with the swap
	PauseAt   int           `json:"pauseAt,omitempty"` // the step after which a person decides; 0: none
	Retain    Retain        `json:"retain"`
	DrainWait time.Duration `json:"drainWait"` // how long the former live slot is left alone, where nothing tells that it is idle
	Bounds    Bounds        `json:"bounds"`
}

// Bounds are what a candidate may be worse than the live slot by, over the same window.
type Bounds struct {
	MinRequests  int           `json:"minRequests"`  // that each side must have answered, else nothing is known
	Timeout      time.Duration `json:"timeout"`      // how much longer than its time a step waits until something is known
	Errors       float64       `json:"errors"`       // added to live's share of answers that are the deployment's fault; 0.01 is a point
	ClientErrors float64       `json:"clientErrors"` // the same for other 4xx
	Throttled    float64       `json:"throttled"`    // the same for 429
	P50          float64       `json:"p50"`          // times live's median latency
	P99          float64       `json:"p99"`          // times live's 99th percentile
	Slack        time.Duration `json:"slack"`        // a latency above live's by no more than this is no difference
}

// DefaultStrategy swaps all at once and keeps the former live slot warm. The times are those of a
// swap in steps where none are given.
func DefaultStrategy() Strategy {
	return Strategy{
		Steps: []int{100}, Interval: 10 * time.Minute, Retain: Warm, DrainWait: 10 * time.Minute,
		Bounds: Bounds{
			MinRequests: 100, Timeout: 10 * time.Minute, Errors: 0.01, ClientErrors: 0.01, Throttled: 0.01,
			P50: 1.5, P99: 2, Slack: 10 * time.Millisecond,
		},
	}
}

// Check tells what is wrong with s.
func (s Strategy) Check() error {
	if err := checkSteps(s.Steps); err != nil {
		return err
	}
	switch {
	case len(s.Steps) > 1 && s.Interval <= 0:
		return online.Errorf(online.Invalid, "the interval between steps is %v, want more than 0", s.Interval)
	case s.Bake < 0 || s.DrainWait < 0:
		return online.Errorf(online.Invalid, "a time is negative: bake %v, drain wait %v", s.Bake, s.DrainWait)
	case s.PauseAt != 0 && (!slices.Contains(s.Steps, s.PauseAt) || s.PauseAt == everything):
		return online.Errorf(online.Invalid, "pause at %d %%: want one of the steps before the last, which are %v", s.PauseAt, s.Steps)
	case !slices.Contains([]Retain{Warm, None, Parked}, s.Retain):
		return online.Errorf(online.Invalid, "retain is %q, want warm, none or parked", s.Retain)
	}
	return s.Bounds.check()
}

func (b Bounds) check() error {
	switch {
	case b.MinRequests < 1:
		return online.Errorf(online.Invalid, "the least number of requests is %d, want at least 1: from none nothing is known", b.MinRequests)
	case b.Timeout < 0 || b.Slack < 0:
		return online.Errorf(online.Invalid, "a time is negative: analysis timeout %v, latency slack %v", b.Timeout, b.Slack)
	case min(b.Errors, b.ClientErrors, b.Throttled) < 0 || max(b.Errors, b.ClientErrors, b.Throttled) > 1:
		return online.Errorf(online.Invalid, "an increase of errors must be 0 %% to 100 %%")
	case b.P50 < 1 || b.P99 < 1:
		return online.Errorf(online.Invalid, "a ratio of latencies must be at least 1: p50 %v, p99 %v", b.P50, b.P99)
	}
	return nil
}

const everything = 100

func checkSteps(steps []int) error {
	want := fmt.Sprintf("want percentages that rise and end with %d, such as 5,25,50,%d", everything, everything)
	if len(steps) == 0 || steps[len(steps)-1] != everything {
		return online.Errorf(online.Invalid, "the steps are %v, %s", steps, want)
	}
	for i, percent := range steps {
		if percent < 1 || i > 0 && percent <= steps[i-1] {
			return online.Errorf(online.Invalid, "the steps are %v, %s", steps, want)
		}
	}
	return nil
}
