package checks

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"hotswap/internal/online"
)

// DiffOptions say which predictions disagree, and how many of them may.
type DiffOptions struct {
	Absolute        float64 `json:"absolute"`        // a difference up to this is none
	Relative        float64 `json:"relative"`        // and so is one up to this share of live's number; the larger of both counts
	MaxDisagreement float64 `json:"maxDisagreement"` // the share, 0 to 1, of predictions that may disagree; negative: any
}

// Diff is what the same requests, sent to the live slot and to the candidate, found. A prediction
// is an element of the array that an answer is, or that is all there is in it, as in
// {"predictions": […]}; or else the whole answer.
type Diff struct {
	Live        string         `json:"live"`
	Candidate   string         `json:"candidate"`
	Options     DiffOptions    `json:"options"`
	Requests    int            `json:"requests"` // sent to both
	Predictions int            `json:"predictions"`
	Disagree    int            `json:"disagree"`
	Share       float64        `json:"share"`            // of the predictions that disagree, 0 to 1
	Unknown     int            `json:"unknown"`          // requests without an answer of both that can be compared
	Failed      []string       `json:"failed,omitempty"` // why, of the first of them
	Histogram   []Bin          `json:"histogram"`
	Worst       []Disagreement `json:"worst,omitempty"`
	NotCompared string         `json:"notCompared,omitempty"` // why no request was sent at all
	Passed      bool           `json:"passed"`                // within the bound, or no bound, or nothing to compare with
	Reasons     []string       `json:"reasons,omitempty"`     // why it did not pass
}

// Disagreement is one prediction that the two differ about. Its texts are JSON, cut where long.
type Disagreement struct {
	Request    string  `json:"request"`
	Index      int     `json:"index"`     // in the answer's array; -1 where the answer is the prediction
	Input      string  `json:"input"`     // the row that it is of, or else the whole request
	Live       string  `json:"live"`      // "" where live's answer has no such element
	Candidate  string  `json:"candidate"` // likewise
	Difference float64 `json:"difference"`
	Why        string  `json:"why,omitempty"` // what cannot be told in a number
}

const (
	diffConcurrency = 4  // requests under way to each of the two
	worstShown      = 10 // of the disagreements
	failedShown     = 10 // of the requests that could not be compared
)

// RunDiff sends each request to live and to the candidate at about the same time, so that both
// answer under the same conditions, and compares the answers. live nil says that nothing is live.
// It fails where it could not be run; what it found is in the Diff.
//
// A request is unknown where one of the two gave no answer, one with another status than 200, an
// error's text, or one of another deployment. Under a bound an unknown does not pass.
func RunDiff(ctx context.Context, requests []Request, live, candidate Target, liveName, candidateName string, o DiffOptions) (Diff, error) {
	d := Diff{Live: liveName, Candidate: candidateName, Options: o, Histogram: []Bin{}}
	if err := o.check(); err != nil {
		return d, err
	}
	if len(requests) == 0 {
		return d, online.Errorf(online.Invalid, "there is no request to compare predictions with: name a file of them")
	}
	if live == nil {
		d.NotCompared, d.Passed = "nothing is live yet, so there are no predictions to compare with", true
		return d, nil
	}
	pairs := make([]pair, len(requests))
	next := make(chan int)
	var workers sync.WaitGroup
	for range diffConcurrency {
		workers.Go(func() {
			for i := range next {
				pairs[i] = d.ask(ctx, requests[i], live, candidate)
			}
		})
	}
	for i := range requests {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return d, fmt.Errorf("compare the predictions of %s and %s: %w", liveName, candidateName, err)
	}
	d.sum(pairs)
	d.judge()
	return d, nil
}

func (o DiffOptions) check() error {
	for name, v := range map[string]float64{"absolute": o.Absolute, "relative": o.Relative} {
		if !(v >= 0 && v <= math.MaxFloat64) {
			return online.Errorf(online.Invalid, "the %s tolerance of the prediction diff is %v, want 0 or more", name, v)
		}
	}
	if !(o.MaxDisagreement <= 1) {
		return online.Errorf(online.Invalid, "the share that may disagree is %v, want 0 to 1", o.MaxDisagreement)
	}
	return nil
}

// pair is what one request found.
type pair struct {
	failed      []string // of either side; nil where both answered
	differences []difference
	worst       []Disagreement // the worst of them, worst first
}

// ask sends one request to both.
func (d *Diff) ask(ctx context.Context, r Request, live, candidate Target) (p pair) {
	var (
		of    prediction
		other prediction
		both  sync.WaitGroup
	)
	both.Go(func() { of = predict(ctx, r, live, d.Live) })
	both.Go(func() { other = predict(ctx, r, candidate, d.Candidate) })
	both.Wait()
	for _, fault := range []struct{ side, name, text string }{{"live", d.Live, of.fault}, {"the candidate", d.Candidate, other.fault}} {
		if fault.text != "" {
			p.failed = append(p.failed, fmt.Sprintf("%s: %s (%s): %s", r.Name, fault.side, fault.name, fault.text))
		}
	}
	if p.failed == nil {
		d.compare(&p, r, of.value, other.value)
	}
	return p
}

// prediction is what one side answered, or why that says nothing.
type prediction struct {
	value any
	fault string
}

func predict(ctx context.Context, r Request, target Target, name string) prediction {
	a, err := target.Score(ctx, r)
	switch {
	case err != nil:
		return prediction{fault: err.Error()}
	case a.Deployment != name:
		return prediction{fault: fmt.Sprintf("the answer came from deployment %q", a.Deployment)}
	case a.Status != http.StatusOK:
		return prediction{fault: fmt.Sprintf("the answer has status %d, want 200: %s", a.Status, short(string(a.Body)))}
	}
	if text, is := ErrorText(a.Body); is {
		return prediction{fault: "the answer has status 200 and is an error's text: " + text}
	}
	v, err := decode(a.Body)
	if err != nil {
		return prediction{fault: "the answer is not JSON: " + err.Error()}
	}
	return prediction{value: unwrap(v)}
}

// compare compares two answers element by element.
func (d *Diff) compare(p *pair, r Request, live, candidate any) {
	lives, candidates, whole := elements(live, candidate)
	t := newTolerance(d.Options)
	for i := range max(len(lives), len(candidates)) {
		var diff difference
		found := Disagreement{Request: r.Name, Index: i}
		switch {
		case i >= len(candidates):
			diff.unlike = fmt.Sprintf("missing: the answer of %s has %s", d.Candidate, plural(len(candidates), "element"))
			found.Live = cut(lives[i])
		case i >= len(lives):
			diff.unlike = fmt.Sprintf("missing: the answer of %s has %s", d.Live, plural(len(lives), "element"))
			found.Candidate = cut(candidates[i])
		default:
			t.compare("$", lives[i], candidates[i], &diff)
			if !diff.disagrees() {
				break
			}
			found.Live, found.Candidate = cut(lives[i]), cut(candidates[i])
		}
		p.differences = append(p.differences, diff)
		if !diff.disagrees() {
			continue
		}
		if whole {
			found.Index = -1
		}
		found.Difference, found.Why = diff.by, diff.unlike
		p.worst = worst(append(p.worst, found))
	}
	if len(p.worst) > 0 {
		rows := inputs(r.Body, max(len(lives), len(candidates)), whole)
		for i := range p.worst {
			p.worst[i].Input = rows(p.worst[i].Index)
		}
	}
}

// elements are the predictions of both answers. An answer is one prediction as a whole unless both
// are arrays, or objects with nothing but an array under the same key; where only one of them is an
// array, its elements stand against nothing alike.
func elements(live, candidate any) (lives, candidates []any, whole bool) {
	l1, key := onlyList(live)
	if c1, same := onlyList(candidate); key != "" && key == same {
		live, candidate = l1, c1
	}
	l, isL := live.([]any)
	c, isC := candidate.([]any)
	switch {
	case isL && isC:
		return l, c, false
	case isL && len(l) > 0:
		return l, slices.Repeat([]any{candidate}, len(l)), false
	}
	return []any{live}, []any{candidate}, true
}

// onlyList returns the array of an object that has nothing else, and its key; "" for any other value.
func onlyList(v any) (list []any, key string) {
	object, is := v.(map[string]any)
	if !is || len(object) != 1 {
		return nil, ""
	}
	for key, value := range object {
		if list, is := value.([]any); is {
			return list, key
		}
	}
	return nil, ""
}

// worst sorts and cuts: what no number can tell comes first, then the largest difference.
// Of equals the first stays first, so that the same answers give the same report.
func worst(found []Disagreement) []Disagreement {
	slices.SortStableFunc(found, func(a, b Disagreement) int {
		if (a.Why != "") != (b.Why != "") {
			if a.Why != "" {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.Difference, a.Difference)
	})
	return found[:min(len(found), worstShown)]
}

func (d *Diff) sum(pairs []pair) {
	var all []difference
	for _, p := range pairs {
		d.Requests++
		if p.failed != nil {
			d.Unknown++
			d.Failed = append(d.Failed, p.failed[:min(len(p.failed), failedShown-min(len(d.Failed), failedShown))]...)
		}
		for _, diff := range p.differences {
			d.Predictions++
			if diff.disagrees() {
				d.Disagree++
			}
		}
		all = append(all, p.differences...)
		d.Worst = worst(append(d.Worst, p.worst...))
	}
	if d.Predictions > 0 {
		d.Share = float64(d.Disagree) / float64(d.Predictions)
	}
	d.Histogram = histogram(all)
}

// rounding forgives what a bound that was written as a percentage loses as a float64.
const rounding = 1e-9

func (d *Diff) judge() {
	bound := d.Options.MaxDisagreement
	if bound >= 0 {
		if d.Unknown > 0 {
			d.Reasons = append(d.Reasons, fmt.Sprintf("%d of %s could not be compared, which is unknown and so does not pass: %s", d.Unknown, plural(d.Requests, "request"), d.Failed[0]))
		}
		if d.Predictions == 0 && d.Unknown == 0 {
			d.Reasons = append(d.Reasons, "no answer holds a prediction, so nothing was compared")
		}
		if float64(d.Disagree) > bound*float64(d.Predictions)*(1+rounding) {
			d.Reasons = append(d.Reasons, fmt.Sprintf("%d of %d predictions disagree (%s), at most %s may", d.Disagree, d.Predictions, percentage(d.Share), percentage(bound)))
		}
	}
	d.Passed = len(d.Reasons) == 0
}

func percentage(share float64) string { return significant(100*share) + "%" }

// significant is v for people.
func significant(v float64) string {
	const digits = 4
	return strconv.FormatFloat(v, 'g', digits, 64)
}
