package checks_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hotswap/internal/checks"
	"hotswap/internal/online"
)

// model is a deployment that answers with a function.
type model func(ctx context.Context, r checks.Request) (checks.Answer, error)

func (m model) Score(ctx context.Context, r checks.Request) (checks.Answer, error) { return m(ctx, r) }

// says is a deployment that gives the n-th request the n-th body, and the last to all further.
func says(name string, bodies ...string) model {
	return func(_ context.Context, r checks.Request) (checks.Answer, error) {
		var n int
		fmt.Sscanf(r.Name, "trips.jsonl:%d", &n)
		return checks.Answer{Status: 200, Deployment: name, Body: []byte(bodies[min(n, len(bodies))-1])}, nil
	}
}

// trips are n requests.
func trips(n int) []checks.Request {
	requests := make([]checks.Request, n)
	for i := range requests {
		requests[i] = checks.Request{Name: fmt.Sprintf("trips.jsonl:%d", i+1), Body: fmt.Appendf(nil, `{"data": [[%d, 1], [%d, 2]]}`, i+1, i+1)}
	}
	return requests
}

func diff(t *testing.T, requests []checks.Request, live, candidate checks.Target, o checks.DiffOptions) checks.Diff {
	t.Helper()
	d, err := checks.RunDiff(t.Context(), requests, live, candidate, "blue", "green", o)
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	for _, bin := range d.Histogram {
		counted += bin.Count
	}
	if counted != d.Predictions {
		t.Errorf("the histogram counts %d of %d predictions: %+v", counted, d.Predictions, d.Histogram)
	}
	return d
}

func TestDiffOfOneAnswer(t *testing.T) {
	within := func(absolute, relative float64) checks.DiffOptions {
		return checks.DiffOptions{Absolute: absolute, Relative: relative}
	}
	tests := map[string]struct {
		live, candidate string
		options         checks.DiffOptions
		predictions     int
		disagree        int
		difference      float64 // of the worst
		why             string  // likewise
	}{
		"the same":                       {`[1, 2]`, `[1,2]`, within(0, 0), 2, 0, 0, ""},
		"numbers written otherwise":      {`[1.0, 100]`, `[1, 1e2]`, within(0, 0), 2, 0, 0, ""},
		"encoded twice":                  {`[1.5]`, `"[1.5]"`, within(0, 0), 1, 0, 0, ""},
		"one differs":                    {`[1, 2, 3]`, `[1, 2.5, 3]`, within(0, 0), 3, 1, 0.5, ""},
		"the other way":                  {`[2.5]`, `[2]`, within(0, 0), 1, 1, 0.5, ""},
		"at the absolute bound":          {`[1]`, `[1.1]`, within(0.1, 0), 1, 0, 0, ""},
		"at one that is less as a float": {`[1]`, `[1.3]`, within(0.3, 0), 1, 0, 0, ""},
		"beyond the absolute bound":      {`[1]`, `[1.1001]`, within(0.1, 0), 1, 1, 0.1001, ""},
		"at the relative bound":          {`[-200]`, `[-202]`, within(0, 0.01), 1, 0, 0, ""},
		"beyond the relative bound":      {`[200]`, `[202.01]`, within(0, 0.01), 1, 1, 2.01, ""},
		"relative to live's number":      {`[202]`, `[199.98]`, within(0, 0.01), 1, 0, 0, ""},
		"the larger bound counts":        {`[200, 1]`, `[201, 1.5]`, within(0.5, 0.01), 2, 0, 0, ""},
		"none is relative to 0":          {`[0]`, `[1e-9]`, within(0, 0.5), 1, 1, 1e-9, ""},
		"integers beyond a float":        {`[9007199254740993]`, `[9007199254740992]`, within(0, 0), 1, 1, 1, ""},
		"very large integers":            {`[123456789012345678901234567890]`, `[123456789012345678901234567891]`, within(0.5, 0), 1, 1, 1, ""},
		"beyond a float":                 {`[1e400]`, `[1e401]`, within(0, 0), 1, 1, math.MaxFloat64, ""},
		"the same beyond a float":        {`[1e400]`, `[10e399]`, within(0, 0), 1, 0, 0, ""},
		"below a float":                  {`[0]`, `[1e-400]`, within(0, 0), 1, 1, math.SmallestNonzeroFloat64, ""},
		"beyond all bounds":              {`[1e9999999999]`, `[-1e9999999999]`, within(0, 0), 1, 1, 0, "too large to compare"},
		"infinite as a binary number":    {`[1e900000000]`, `[2e900000000]`, within(0, 0), 1, 1, 0, "too large to compare"},
		"as many digits as a book":       {`[1` + strings.Repeat("0", 2000) + `]`, `[1]`, within(0, 0), 1, 1, 0, "too large to compare"},
		"other words":                    {`["a", "b"]`, `["a", "c"]`, within(9, 9), 2, 1, 0, `$: live has "b", the candidate "c"`},
		"another type":                   {`[1]`, `["1"]`, within(9, 9), 1, 1, 0, `$: live has 1, the candidate "1"`},
		"true is not 1":                  {`[true]`, `[1]`, within(9, 9), 1, 1, 0, `live has true`},
		"null":                           {`[null]`, `[null]`, within(0, 0), 1, 0, 0, ""},
		"the whole answer":               {`{"fare": 1, "tip": 2}`, `{"tip": 5, "fare": 2}`, within(1, 0), 1, 1, 3, ""},
		"the largest of an object":       {`[{"a": 1, "b": [2, 9]}]`, `[{"a": 2, "b": [2, 4]}]`, within(0, 0), 1, 1, 5, ""},
		"each number has its own bound":  {`[{"a": 1000, "b": 1}]`, `[{"a": 1010, "b": 1.5}]`, within(0, 0.01), 1, 1, 10, ""},
		"a key is missing":               {`[{"a": 1, "b": 2}]`, `[{"a": 1}]`, within(9, 0), 1, 1, 0, "$.b: only live has it"},
		"a key is new":                   {`[{"a": 1}]`, `[{"a": 2, "b": 2}]`, within(9, 0), 1, 1, 1, "$.b: only the candidate has it"},
		"a row is longer":                {`[[1, 2]]`, `[[1, 2, 3]]`, within(9, 0), 1, 1, 0, "$: live has 2 elements, the candidate 3"},
		"elements are missing":           {`[1, 2, 3]`, `[1]`, within(9, 0), 3, 2, 0, "missing: the answer of green has 1 element"},
		"elements are new":               {`[1]`, `[1, 2, 3]`, within(9, 0), 3, 2, 0, "missing: the answer of blue has 1 element"},
		"a list under its only key":      {`{"fares": [1, 2]}`, `{"fares": [1, 3]}`, within(0, 0), 2, 1, 1, ""},
		"a list under another key":       {`{"fares": [1, 2]}`, `{"prices": [1, 2]}`, within(9, 9), 1, 1, 0, "$.fares: only live has it"},
		"a list that is not alone":       {`{"fares": [1, 2], "v": 1}`, `{"fares": [1, 3], "v": 1}`, within(0, 0), 1, 1, 1, ""},
		"an array became an object":      {`[1, 2]`, `{"data": [1, 2]}`, within(9, 0), 2, 2, 0, "the candidate {"},
		"an object became an array":      {`{"data": [1, 2]}`, `[1, 2]`, within(9, 0), 1, 1, 0, "the candidate [1,2]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.options.MaxDisagreement = -1
			d := diff(t, trips(1), says("blue", tt.live), says("green", tt.candidate), tt.options)
			if d.Predictions != tt.predictions || d.Disagree != tt.disagree || d.Unknown != 0 || !d.Passed {
				t.Fatalf("%d of %d disagree, want %d of %d: %+v", d.Disagree, d.Predictions, tt.disagree, tt.predictions, d)
			}
			if tt.disagree == 0 {
				return
			}
			if got := d.Worst[0].Difference; math.Abs(got-tt.difference) > 1e-12*tt.difference {
				t.Errorf("difference %v, want %v", got, tt.difference)
			}
			for _, w := range d.Worst {
				if !strings.Contains(w.Why, tt.why) || (w.Why == "") != (tt.why == "") {
					t.Errorf("why %q, want %q", w.Why, tt.why)
				}
			}
		})
	}
}

func TestDiffUnknown(t *testing.T) {
	fine := says("blue", `[1]`)
	answer := func(a checks.Answer, err error) model {
		return func(context.Context, checks.Request) (checks.Answer, error) { return a, err }
	}
	tests := map[string]struct {
		live, candidate model
		want            []string // each a part of a line of Failed
	}{
		"no answer":          {fine, answer(checks.Answer{}, errors.New("connection reset")), []string{"trips.jsonl:1: the candidate (green): connection reset"}},
		"status":             {fine, answer(checks.Answer{Status: 503, Deployment: "green", Body: []byte("busy")}, nil), []string{"the candidate (green): the answer has status 503, want 200: busy"}},
		"error text":         {fine, says("green", `{"error": "no such column"}`), []string{`an error's text: "no such column"`}},
		"NaN":                {fine, says("green", `[NaN]`), []string{"the answer is not JSON: [NaN]"}},
		"infinity":           {fine, says("green", `[-Infinity]`), []string{"the answer is not JSON"}},
		"nothing":            {fine, says("green", ``), []string{"the answer is empty"}},
		"another deployment": {fine, says("blue", `[1]`), []string{`the candidate (green): the answer came from deployment "blue"`}},
		"none at all":        {fine, says("", `[1]`), []string{`the answer came from deployment ""`}},
		"live":               {says("blue", `"cannot"`), says("green", `[1]`), []string{"trips.jsonl:1: live (blue): the answer has status 200 and is an error's text: cannot"}},
		"both":               {says("blue", `null`), says("green", `null`), []string{"live (blue)", "the candidate (green)"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, bound := range []float64{1, -1} {
				d := diff(t, trips(1), tt.live, tt.candidate, checks.DiffOptions{MaxDisagreement: bound})
				if d.Unknown != 1 || d.Predictions != 0 || d.Passed != (bound < 0) {
					t.Errorf("bound %v: %+v", bound, d)
				}
				if len(d.Failed) != len(tt.want) {
					t.Fatalf("failed %q, want %q", d.Failed, tt.want)
				}
				for i, want := range tt.want {
					if !strings.Contains(d.Failed[i], want) {
						t.Errorf("failed %q, want %q", d.Failed[i], want)
					}
				}
				if bound >= 0 && !strings.Contains(strings.Join(d.Reasons, "\n"), "1 of 1 request could not be compared") {
					t.Errorf("reasons %q", d.Reasons)
				}
			}
		})
	}
}

func TestDiffBound(t *testing.T) {
	// Of 1000 predictions in 500 requests, 3 disagree.
	candidate := slices.Repeat([]string{`[1, 2]`}, 500)
	candidate[7], candidate[400] = `[1, 3]`, `[4, 4]`
	tests := map[string]struct {
		bound  float64
		passed bool
	}{
		"none":    {-1, true},
		"at it":   {0.3 / 100, true},
		"below":   {0.004, true},
		"above":   {0.0029, false},
		"nothing": {0, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := diff(t, trips(500), says("blue", `[1, 2]`), says("green", candidate...), checks.DiffOptions{MaxDisagreement: tt.bound})
			if d.Disagree != 3 || d.Predictions != 1000 || d.Share != 0.003 || d.Passed != tt.passed {
				t.Errorf("%d of %d, share %v, passed %v: %q", d.Disagree, d.Predictions, d.Share, d.Passed, d.Reasons)
			}
			if !tt.passed && !strings.HasPrefix(d.Reasons[0], "3 of 1000 predictions disagree (0.3%), at most ") {
				t.Errorf("reasons %q", d.Reasons)
			}
			var found []string
			for _, w := range d.Worst {
				found = append(found, fmt.Sprint(w.Request, w.Index, w.Input, w.Live, w.Candidate, w.Difference))
			}
			want := []string{"trips.jsonl:4010[401,1]143", "trips.jsonl:4011[401,2]242", "trips.jsonl:81[8,2]231"}
			if !slices.Equal(found, want) {
				t.Errorf("worst %q, want %q", found, want)
			}
		})
	}
	many := slices.Concat(slices.Repeat([]string{`[2]`}, 29), slices.Repeat([]string{`[1]`}, 71))
	if d := diff(t, trips(100), says("blue", `[1]`), says("green", many...), checks.DiffOptions{MaxDisagreement: 0.29}); !d.Passed { // 0.29*100 is less than 29
		t.Errorf("29 of 100 at a bound of 29 %%: %q", d.Reasons)
	}
	d := diff(t, trips(3), says("blue", `[]`), says("green", `[]`), checks.DiffOptions{})
	if d.Passed || !strings.Contains(d.Reasons[0], "nothing was compared") {
		t.Errorf("empty answers: %+v", d)
	}
}

// One unknown request among many that agree is not a success.
func TestDiffOneUnknownDoesNotPass(t *testing.T) {
	d := diff(t, trips(20), says("blue", `[1]`), says("green", `[1]`, `"oh"`, `[1]`), checks.DiffOptions{MaxDisagreement: 0.5})
	if d.Passed || d.Unknown != 1 || d.Predictions != 19 || len(d.Reasons) != 1 {
		t.Errorf("%+v", d)
	}
}

func TestDiffListsAreBounded(t *testing.T) {
	d := diff(t, trips(50), says("blue", `[1, 1]`), says("green", `[2, 3]`), checks.DiffOptions{MaxDisagreement: -1})
	if len(d.Worst) != 10 || d.Worst[0].Difference != 2 || d.Worst[9].Request != "trips.jsonl:10" {
		t.Errorf("worst %+v", d.Worst)
	}
	d = diff(t, trips(50), says("blue", `null`), says("green", `null`), checks.DiffOptions{MaxDisagreement: -1})
	if d.Unknown != 50 || len(d.Failed) != 10 {
		t.Errorf("%d unknown, %d told", d.Unknown, len(d.Failed))
	}
}

func TestDiffWithoutLive(t *testing.T) {
	d := diff(t, trips(1), nil, says("green", `[1]`), checks.DiffOptions{MaxDisagreement: 0.01})
	if d.Requests != 0 || !d.Passed || !strings.Contains(d.NotCompared, "nothing is live yet") {
		t.Errorf("%+v", d)
	}
}

func TestDiffRefusesToRun(t *testing.T) {
	fine := says("blue", `[1]`)
	tests := map[string]struct {
		requests []checks.Request
		options  checks.DiffOptions
	}{
		"no request":              {nil, checks.DiffOptions{}},
		"negative":                {trips(1), checks.DiffOptions{Absolute: -1}},
		"infinite":                {trips(1), checks.DiffOptions{Relative: math.Inf(1)}},
		"not a number":            {trips(1), checks.DiffOptions{Absolute: math.NaN()}},
		"a share of more than 1":  {trips(1), checks.DiffOptions{MaxDisagreement: 1.5}},
		"a share that is no such": {trips(1), checks.DiffOptions{MaxDisagreement: math.NaN()}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := checks.RunDiff(t.Context(), tt.requests, fine, fine, "blue", "blue", tt.options); online.CodeOf(err) != online.Invalid {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestDiffIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	live := model(func(ctx context.Context, _ checks.Request) (checks.Answer, error) {
		cancel(stopped)
		return checks.Answer{}, ctx.Err()
	})
	if _, err := checks.RunDiff(ctx, trips(1000), live, live, "blue", "green", checks.DiffOptions{}); !errors.Is(err, stopped) {
		t.Errorf("error %v", err)
	}
}

// Both sides are asked at the same time, four requests at once each.
func TestDiffConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		slow := func(name string) model {
			return func(context.Context, checks.Request) (checks.Answer, error) {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(time.Second)
				now.Add(-1)
				return checks.Answer{Status: 200, Deployment: name, Body: []byte(`[1]`)}, nil
			}
		}
		start := time.Now()
		diff(t, trips(40), slow("blue"), slow("green"), checks.DiffOptions{})
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("40 requests of a second took %v, %d at once", took, most.Load())
		}
	})
}

func TestDiffInput(t *testing.T) {
	tests := map[string]struct{ body, want string }{
		"below data":            {`{"data": [[1], [2]]}`, `[2]`},
		"below any key":         {`{"inputs": [[1], [2]], "n": 3}`, `[2]`},
		"at the top":            {`[{"a": 1}, {"a": "<2>"}]`, `{"a":"<2>"}`},
		"as pandas writes it":   {`{"input_data": {"columns": ["a", "b"], "index": [0, 1], "data": [[1, 2], [3, 4]]}}`, `[3,4]`},
		"data beside its names": {`{"columns": ["a", "b"], "data": [[1, 2], [3, 4]]}`, `[3,4]`},
		"two could be it":       {`{"a": [1, 2], "b": [3, 4]}`, `{"a":[1,2],"b":[3,4]}`},
		"of another length":     {`{"data": [1, 2, 3]}`, `{"data":[1,2,3]}`},
		"not JSON":              {"1,2\n3,4", "1,2 3,4"},
		"long":                  {`"` + strings.Repeat("x", 5000) + `"`, `"` + strings.Repeat("x", 999) + "…"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := diff(t, []checks.Request{{Name: "trips.jsonl:1", Body: []byte(tt.body)}}, says("blue", `[1, 2]`), says("green", `[1, 3]`), checks.DiffOptions{})
			if d.Worst[0].Input != tt.want {
				t.Errorf("input %s, want %s", d.Worst[0].Input, tt.want)
			}
		})
	}
	d := diff(t, trips(1), says("blue", `{"a": 1}`), says("green", `{"a": 2}`), checks.DiffOptions{})
	if w := d.Worst[0]; w.Input != `{"data":[[1,1],[1,2]]}` || w.Index != -1 {
		t.Errorf("of a whole answer: %+v", w)
	}
}
