package checks

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Run sends every case to the candidate (and, for comparisons, to live; nil: there is none beside
// it) and judges. Every answer must name the deployment. A case that fails is in the report; an
// error means that the suite could not be run to its end.
func (s Suite) Run(ctx context.Context, deployment string, candidate, live Target) (Report, error) {
	r := Report{Suite: s.Name, Deployment: deployment, Started: time.Now().UTC()}
	for i := range s.cases {
		t := trial{testCase: &s.cases[i], deployment: deployment, candidate: candidate, live: live}
		result := t.run(ctx)
		if ctx.Err() != nil {
			return r, fmt.Errorf("run the suite: %w", context.Cause(ctx))
		}
		result.File = s.Name
		r.Cases = append(r.Cases, result)
	}
	r.Took = time.Since(r.Started)
	return r, nil
}

// mostReasons is how many reasons a case gives. Where so many answers are wrong, the rest is not
// asked for.
const mostReasons = 10

// trial is one case that is being run.
type trial struct {
	*testCase
	deployment      string
	candidate, live Target
	result          Result
}

func (t *trial) run(ctx context.Context) Result {
	start := time.Now()
	t.result = Result{Name: t.name, Line: t.line}
	if why := t.expect.errorText; why != "" {
		t.note("error text is allowed: %s", why)
	}
	compared := make(chan *volley, 1)
	while, enough := context.WithCancel(ctx)
	defer enough()
	go func() { compared <- t.fireAtLive(while) }()
	v := t.fire(ctx)
	if len(v.wrong) > 0 {
		enough()
	}
	t.together(ctx, v, <-compared)
	t.result.Passed = len(t.result.Reasons) == 0
	t.result.Took = time.Since(start)
	return t.result
}

func (t *trial) fail(format string, args ...any) {
	if len(t.result.Reasons) < mostReasons {
		t.result.Reasons = append(t.result.Reasons, shorten(fmt.Sprintf(format, args...), reasonLength))
	}
}

func (t *trial) note(format string, args ...any) {
	t.result.Notes = append(t.result.Notes, fmt.Sprintf(format, args...))
}

// reasonLength bounds a reason, in characters.
const reasonLength = 400

// fire sends the case's requests to the candidate and judges each answer by itself.
func (t *trial) fire(ctx context.Context) *volley {
	v := &volley{target: t.candidate, requests: t.requests, count: len(t.requests), concurrency: 1}
	if l := t.expect.latency; l != nil {
		v.count, v.concurrency = max(v.count, l.requests), l.concurrency
	}
	v.judge = func(r Request, a Answer) string { return t.expect.judge(a, t.deployment) }
	v.run(ctx)
	t.result.Requests, t.result.Status = len(v.took), v.status
	t.result.P50, t.result.P99 = percentile(v.took, 0.5), percentile(v.took, 0.99)
	for _, reason := range v.wrong {
		t.fail("%s", reason)
	}
	if v.sent < v.count {
		t.note("stopped after %d of %d requests, since %d answers were wrong", v.sent, v.count, len(v.wrong))
	}
	return v
}

// fireAtLive asks live for what the candidate is compared with, or returns nil.
func (t *trial) fireAtLive(ctx context.Context) *volley {
	if a := t.expect.accuracy; a == nil || a.worseThan == nil || t.live == nil {
		return nil
	}
	v := &volley{target: t.live, requests: t.requests, count: len(t.requests), concurrency: 1}
	v.judge = func(r Request, a Answer) string {
		if a.Deployment == t.deployment {
			return fmt.Sprintf("the answer came from %q, which is the candidate", a.Deployment)
		}
		return (&expectation{status: t.expect.status, errorText: t.expect.errorText}).judge(a, a.Deployment)
	}
	v.run(ctx)
	return v
}

// together judges what all answers show together. It says nothing of answers that are not all
// there and right: an unknown is not a success.
func (t *trial) together(ctx context.Context, v, live *volley) {
	if len(v.wrong) > 0 || ctx.Err() != nil {
		return
	}
	if l := t.expect.latency; l != nil {
		for _, reason := range l.judge(t.result) {
			t.fail("%s", reason)
		}
	}
	if a := t.expect.accuracy; a != nil {
		t.measure(a, v, live)
	}
	if s := t.expect.script; s != nil {
		output, err := s.run(ctx, t.requests, v.answers)
		if err != nil {
			t.fail("%v", err)
		}
		if output != "" {
			t.note("%s printed:\n%s", s.command[0], output)
		}
	}
}

func (t *trial) measure(a *accuracy, v, live *volley) {
	value, err := a.measure(v.answers)
	if err != nil {
		t.fail("%s: %v", a.metric.name, err)
		return
	}
	t.result.Measured = map[string]float64{a.metric.name: value}
	var lives *float64
	switch {
	case a.worseThan == nil:
	case live == nil:
		t.note("not compared: no other deployment is live")
	case len(live.wrong) > 0:
		t.fail("live could not be measured: %s", live.wrong[0])
	default:
		of, err := a.measure(live.answers)
		if err != nil {
			t.fail("live could not be measured: %v", err)
			break
		}
		lives = &of
		t.result.Measured["live_"+a.metric.name] = of
	}
	for _, reason := range a.judge(value, lives) {
		t.fail("%s", reason)
	}
}

// judge tells what is wrong with one answer by itself, or returns "".
func (e *expectation) judge(a Answer, deployment string) string {
	if a.Deployment != deployment {
		return fmt.Sprintf("the answer came from deployment %q, want %q", a.Deployment, deployment)
	}
	if a.Status != e.status {
		return fmt.Sprintf("the answer has status %d, want %d: %s", a.Status, e.status, shorten(string(a.Body), 2*shown))
	}
	if text, is := ErrorText(a.Body); is && a.Status == http.StatusOK && e.errorText == "" {
		return "the answer has status 200 and is an error's text: " + text
	}
	if e.answer != nil {
		if err := CompareWithin(e.answer, a.Body, e.tolerance); err != nil {
			return "the answer is not the expected one: " + err.Error()
		}
	}
	if e.schema != nil {
		if broken := e.schema.check(a.Body); broken != "" {
			return "the answer breaks the schema: " + broken
		}
	}
	return ""
}

// volley is requests that are sent to one target, so many at once. Its requests are sent again
// from the first until there were count of them.
type volley struct {
	target      Target
	requests    []Request
	count       int
	concurrency int
	judge       func(Request, Answer) string

	mu      sync.Mutex
	sent    int
	answers []Answer // the first of each request
	took    []time.Duration
	status  int // of the last answer
	wrong   []string
}

func (v *volley) run(ctx context.Context) {
	v.answers = make([]Answer, len(v.requests))
	var clients sync.WaitGroup
	for range min(v.concurrency, v.count) {
		clients.Go(func() {
			for {
				i, more := v.next(ctx)
				if !more {
					return
				}
				v.send(ctx, i)
			}
		})
	}
	clients.Wait()
}

// next is the number of the next request, unless enough is known.
func (v *volley) next(ctx context.Context) (i int, more bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.sent == v.count || len(v.wrong) >= mostReasons || ctx.Err() != nil {
		return 0, false
	}
	v.sent++
	return v.sent - 1, true
}

func (v *volley) send(ctx context.Context, i int) {
	r := v.requests[i%len(v.requests)]
	a, err := v.target.Score(ctx, r)
	wrong := ""
	if err != nil {
		wrong = fmt.Sprintf("no answer: %v", err)
	} else {
		wrong = v.judge(r, a)
	}
	if wrong != "" && len(v.requests) > 1 {
		wrong = r.Name + ": " + wrong
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if wrong != "" {
		v.wrong = append(v.wrong, wrong)
	}
	if err != nil {
		return
	}
	v.took = append(v.took, a.Took)
	v.status = a.Status
	if i < len(v.answers) {
		v.answers[i] = a
	}
}
