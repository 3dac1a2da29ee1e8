package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hotswap/internal/document"
	"hotswap/internal/rollout"
)

// strategyFlags say how a candidate gets the traffic.
type strategyFlags struct{ set rollout.Strategy }

func (f *strategyFlags) add(c *cobra.Command) {
	f.set = rollout.DefaultStrategy()
	flags, b := c.Flags(), &f.set.Bounds
	flags.Var((*stepsValue)(&f.set.Steps), "steps", "`PERCENTAGES` of the traffic that the candidate gets, one after the other, such as 5,25,50,100")
	flags.DurationVar(&f.set.Interval, "interval", f.set.Interval, "`TIME` for which each step but the last is watched")
	flags.DurationVar(&f.set.Bake, "bake", f.set.Bake, "`TIME` for which the last step is watched, with the former live slot kept warm")
	flags.IntVar(&f.set.PauseAt, "pause-at", f.set.PauseAt, "`PERCENT` of the step after which hotswap promote or abort decides")
	flags.StringVar((*string)(&f.set.Retain), "retain", string(f.set.Retain), "`WHAT` becomes of the former live slot: warm, none or, on hotswap serve, parked")
	flags.DurationVar(&f.set.DrainWait, "drain-wait", f.set.DrainWait, "`TIME` for which the former live slot is left alone where nothing tells that it is idle")
	flags.IntVar(&b.MinRequests, "min-requests", b.MinRequests, "`NUMBER` of requests that each side must have answered, else nothing is known")
	flags.DurationVar(&b.Timeout, "analysis-timeout", b.Timeout, "`TIME` beyond its own that a step waits until something is known")
	flags.Var((*percentValue)(&b.Errors), "max-error-increase", "`POINTS` by which the candidate's share of errors may be above live's")
	flags.Var((*percentValue)(&b.ClientErrors), "max-client-error-increase", "the same `POINTS` for answers 4xx")
	flags.Var((*percentValue)(&b.Throttled), "max-throttled-increase", "the same `POINTS` for answers 429")
	flags.Float64Var(&b.P50, "max-p50-ratio", b.P50, "`TIMES` live's median latency that the candidate's may be")
	flags.Float64Var(&b.P99, "max-p99-ratio", b.P99, "`TIMES` live's 99th percentile of the latency that the candidate's may be")
	flags.DurationVar(&b.Slack, "latency-slack", b.Slack, "`TIME` by which a latency may be above live's and still be no difference")
}

func (f *strategyFlags) strategy() (rollout.Strategy, error) { return f.set, f.set.Check() }

// percentValue is a share that is written as a percentage; a negative one is none.
type percentValue float64

func (v *percentValue) Set(text string) error {
	share, err := document.ParsePercentage(text)
	if err != nil {
		return err
	}
	*v = percentValue(share)
	return nil
}

func (v *percentValue) String() string {
	if *v < 0 {
		return ""
	}
	const digits = 12 // 100 times a share has more by rounding: 0.07 would be 7.000000000000001%
	return strconv.FormatFloat(100*float64(*v), 'g', digits, 64) + "%"
}

// Type names the value for flagError.
func (v *percentValue) Type() string { return "percent" }

// stepsValue is a list of percentages without their signs.
type stepsValue []int

func (v *stepsValue) Set(text string) error {
	var steps []int
	for word := range strings.SplitSeq(text, ",") {
		percent, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil {
			return fmt.Errorf("%q is not a whole number", word)
		}
		steps = append(steps, percent)
	}
	*v = steps
	return nil
}

func (v *stepsValue) String() string {
	words := make([]string, len(*v))
	for i, percent := range *v {
		words[i] = strconv.Itoa(percent)
	}
	return strings.Join(words, ",")
}

// Type names the value for flagError.
func (v *stepsValue) Type() string { return "steps" }
