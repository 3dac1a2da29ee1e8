package checks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hotswap/internal/checks"
)

// farePredictor answers as a deployment does: with the twice of each number under "data".
type farePredictor struct {
	name  string
	score func(r checks.Request) (status int, body string) // nil: the twice
	takes time.Duration
	err   error

	mu      sync.Mutex
	asked   int
	atOnce  int
	highest int
}

func (m *farePredictor) Score(ctx context.Context, r checks.Request) (checks.Answer, error) {
	m.mu.Lock()
	m.asked++
	m.atOnce++
	m.highest = max(m.highest, m.atOnce)
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.atOnce--
		m.mu.Unlock()
	}()
	if r.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("none within %v", r.Timeout))
		defer cancel()
	}
	if m.takes > 0 {
		select {
		case <-time.After(m.takes):
		case <-ctx.Done():
			return checks.Answer{}, context.Cause(ctx)
		}
	}
	if m.err != nil {
		return checks.Answer{}, m.err
	}
	status, body := 200, twice(r.Body, 2)
	if m.score != nil {
		status, body = m.score(r)
	}
	return checks.Answer{Status: status, Deployment: m.name, Body: []byte(body), Took: m.takes}, nil
}

// twice answers {"data": [{"distance": 1}, …]} with {"fares": [factor, …]}.
func twice(body []byte, factor float64) string {
	var in struct {
		Data []struct {
			Distance float64 `json:"distance"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return `{"error": "` + err.Error() + `"}`
	}
	fares := []float64{}
	for _, d := range in.Data {
		fares = append(fares, factor*d.Distance)
	}
	out, _ := json.Marshal(map[string]any{"fares": fares})
	return string(out)
}

func times(factor float64) func(checks.Request) (int, string) {
	return func(r checks.Request) (int, string) { return 200, twice(r.Body, factor) }
}

func always(status int, body string) func(checks.Request) (int, string) {
	return func(checks.Request) (int, string) { return status, body }
}

func read(t *testing.T, text string) checks.Suite {
	t.Helper()
	s, err := checks.Read(suiteFile(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const trip = `request: {data: [{distance: 2}, {distance: 3}]}`

func TestRun(t *testing.T) {
	tests := map[string]struct {
		suite     string
		candidate *farePredictor // nil: an honest one
		live      *farePredictor
		reason    string // "" where it passes
		note      string
	}{
		"an answer":             {suite: oneCase(trip, "{answer: {fares: [4, 6]}}")},
		"within the tolerance":  {suite: oneCase(trip, "{answer: {fares: [4.03, 6]}, relative_tolerance: 1%}")},
		"by the default":        {suite: "defaults: {absolute_tolerance: 0.1}\n" + oneCase(trip, "{answer: {fares: [4.09, 6]}}")},
		"outside of it":         {suite: oneCase(trip, "{answer: {fares: [4.05, 6]}, relative_tolerance: 1%}"), reason: "the answer is not the expected one: $.fares[0]: 4, want 4.05 (tolerance 1%)"},
		"another deployment":    {suite: oneCase(trip, "{status: 200}"), candidate: &farePredictor{name: "blue"}, reason: `the answer came from deployment "blue", want "green"`},
		"another status":        {suite: oneCase(trip, "{answer: {fares: [4, 6]}}"), candidate: &farePredictor{score: always(424, "{\"message\": \"no\"}")}, reason: `the answer has status 424, want 200: {"message": "no"}`},
		"a refusal is wanted":   {suite: oneCase(trip, "{status: 422}"), candidate: &farePredictor{score: always(422, `{"error": "no"}`)}},
		"a refusal fails":       {suite: oneCase(trip, "{status: 422}"), reason: "the answer has status 200, want 422"},
		"text of an error":      {suite: oneCase(trip, "{status: 200}"), candidate: &farePredictor{score: always(200, `{"error": "no column"}`)}, reason: "the answer has status 200 and is an error's text: \"no column\""},
		"text that is allowed":  {suite: oneCase(trip, "{status: 200, error_text: {allowed: labels}}"), candidate: &farePredictor{score: always(200, `"a label"`)}, note: "error text is allowed: labels"},
		"a schema":              {suite: oneCase(trip, "{schema: {properties: {fares: {items: {type: number}}}}}")},
		"a schema, twice coded": {suite: oneCase(trip, "{schema: {type: object}}"), candidate: &farePredictor{score: always(200, `"{\"fares\": [1]}"`)}},
		"a broken schema":       {suite: oneCase(trip, "{schema: {properties: {fares: {items: {maximum: 5}}}}}"), reason: "the answer breaks the schema: $.fares[1]: maximum: got 6, want 5"},
		"a schema's file":       {suite: oneCase(trip, "{schema_file: answer.schema.json}"), reason: "the answer breaks the schema: $: got object, want array"},
		"a schema's neighbour":  {suite: oneCase(trip, "{schema_file: answer.schema.json}"), candidate: &farePredictor{score: always(200, `["x"]`)}, reason: `$[0]: got string, want number`},
		"nobody answers":        {suite: oneCase(trip, "{status: 200}"), candidate: &farePredictor{err: errors.New("connection refused")}, reason: "no answer: connection refused"},
		"many, one is wrong": {suite: oneCase("requests_file: trips.csv", "{status: 200}"), candidate: &farePredictor{score: func(r checks.Request) (int, string) {
			return map[bool]int{true: 200, false: 500}[r.Name == "trips.csv:2"], "{}"
		}}, reason: "trips.csv:3: the answer has status 500, want 200: {}"},

		"accuracy":               {suite: accuracyOf("mae", "at_most: 0.5")},
		"inaccurate":             {suite: accuracyOf("mae", "at_most: 0.5"), candidate: &farePredictor{score: times(3)}, reason: "mae is 1.5, want at most 0.5"},
		"as good as live":        {suite: accuracyOf("mae", "not_worse_than_live_by: 0%"), candidate: &farePredictor{score: times(3)}, live: &farePredictor{name: "blue", score: times(3)}},
		"better than live":       {suite: accuracyOf("mae", "not_worse_than_live_by: 2%"), live: &farePredictor{name: "blue", score: times(3)}},
		"worse than live":        {suite: accuracyOf("mae", "not_worse_than_live_by: 10%"), candidate: &farePredictor{score: times(3)}, live: &farePredictor{name: "blue", score: times(2.8)}, reason: "mae is 1.5 and live's is 1.2: worse by 25%, want at most 10%"},
		"worse than perfect":     {suite: accuracyOf("mae", "not_worse_than_live_by: 10%"), candidate: &farePredictor{score: times(2.01)}, live: &farePredictor{name: "blue"}, reason: "live's is 0: worse, want at most 10%"},
		"less explained":         {suite: accuracyOf("r2", "not_worse_than_live_by: 2%"), candidate: &farePredictor{score: times(2.2)}, live: &farePredictor{name: "blue"}, reason: "worse by "},
		"within what it may":     {suite: accuracyOf("accuracy", "not_worse_than_live_by: 60%"), candidate: &farePredictor{score: always(200, "[2]")}, live: &farePredictor{name: "blue"}},
		"more than it may":       {suite: accuracyOf("accuracy", "not_worse_than_live_by: 40%"), candidate: &farePredictor{score: always(200, "[2]")}, live: &farePredictor{name: "blue"}, reason: "accuracy is 0.5 and live's is 1: worse by 50%, want at most 40%"},
		"nothing is live":        {suite: accuracyOf("mae", "at_most: 0.5, not_worse_than_live_by: 2%"), note: "not compared: no other deployment is live"},
		"the bound holds still":  {suite: accuracyOf("mae", "at_most: 0.5, not_worse_than_live_by: 2%"), candidate: &farePredictor{score: times(3)}, reason: "want at most 0.5"},
		"live fails":             {suite: accuracyOf("mae", "not_worse_than_live_by: 2%"), live: &farePredictor{name: "blue", score: always(503, "busy")}, reason: "live could not be measured: fares.csv:2: the answer has status 503"},
		"live answers nonsense":  {suite: accuracyOf("mae", "not_worse_than_live_by: 2%"), live: &farePredictor{name: "blue", score: always(200, "[1, 2]")}, reason: "live could not be measured: 2 predictions for 1 rows"},
		"live is the candidate":  {suite: accuracyOf("mae", "not_worse_than_live_by: 2%"), live: &farePredictor{name: "green"}, reason: `live could not be measured: fares.csv:2: the answer came from "green", which is the candidate`},
		"which key":              {suite: accuracyOf("mae", "at_most: 1"), candidate: &farePredictor{score: always(200, `{"a": [1], "b": [2]}`)}, reason: "say it with predictions: KEY"},
		"that key":               {suite: accuracyOf("mae", "at_most: 1, predictions: b"), candidate: &farePredictor{score: always(200, `{"a": [9], "b": [3]}`)}},
		"no such key":            {suite: accuracyOf("mae", "at_most: 1, predictions: c"), candidate: &farePredictor{score: always(200, `{"a": [9]}`)}, reason: `the answer has no key "c"`},
		"a label for a number":   {suite: accuracyOf("mae", "at_most: 1"), candidate: &farePredictor{score: always(200, `["x"]`)}, reason: `mae: the prediction "x" is no number`},
		"classes":                {suite: accuracyOf("accuracy", "at_least: 0.5"), candidate: &farePredictor{score: always(200, `[["2.0"]]`)}},
		"a script that is happy": {suite: oneCase(trip, `{script: [sh, -c, "cat && echo fine"]}`), note: "sh printed:\n{\"name\":\"request\",\"request\":{\"data\":[{\"distance\":2},{\"distance\":3}]},\"status\":200,\"answer\":{\"fares\":[4,6]},\"seconds\":0}\nfine"},
		"one that does not read": {suite: oneCase(trip, `{script: ["true"]}`)},
		"one that is not":        {suite: oneCase(trip, `{script: [sh, -c, "echo too dear; exit 3"]}`), reason: "the script sh ended with exit code 3", note: "sh printed:\ntoo dear"},
		"one in its folder":      {suite: oneCase(trip, `{script: [sh, -c, "test -e answer.schema.json"]}`)},
		"one that is not there":  {suite: oneCase(trip, `{script: [./judge.py]}`), reason: "the script ./judge.py could not be run: "},
		"one that is killed":     {suite: oneCase(trip, `{script: [sh, -c, "kill -9 $$"]}`), reason: "signal: killed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			candidate := tt.candidate
			if candidate == nil {
				candidate = &farePredictor{}
			}
			if candidate.name == "" {
				candidate.name = "green"
			}
			var live checks.Target
			if tt.live != nil {
				live = tt.live
			}
			r, err := read(t, tt.suite).Run(t.Context(), "green", candidate, live)
			if err != nil || len(r.Cases) != 1 {
				t.Fatalf("%d cases, %v", len(r.Cases), err)
			}
			c := r.Cases[0]
			if reasons := strings.Join(c.Reasons, "\n"); c.Passed != (tt.reason == "") || !strings.Contains(reasons, tt.reason) || r.Passed() != c.Passed {
				t.Errorf("passed %v, reasons %s\nwant %q", c.Passed, reasons, tt.reason)
			}
			if notes := strings.Join(c.Notes, "\n"); !strings.Contains(notes, tt.note) {
				t.Errorf("notes %s\nwant %q", notes, tt.note)
			}
			if !strings.HasSuffix(c.File, "tests.yml") || c.Line == 0 || c.Name != "a" {
				t.Errorf("case %q at %s:%d", c.Name, c.File, c.Line)
			}
		})
	}
}

// accuracyOf measures fares.csv, whose fares are twice the distance.
func accuracyOf(metric, bound string) string {
	return oneCase("requests_file: fares.csv", fmt.Sprintf("{accuracy: {labels: fare, metric: %s, %s}}", metric, bound))
}

func TestStopsWhereEnoughIsWrong(t *testing.T) {
	var lines strings.Builder
	for range 1000 {
		lines.WriteString("[1]\n")
	}
	path := suiteFile(t, oneCase("requests_file: thousand.jsonl", "{status: 200}"))
	if err := os.WriteFile(strings.Replace(path, "tests.yml", "thousand.jsonl", 1), []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := checks.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	candidate := farePredictor{name: "green", score: always(500, "")}
	r, err := s.Run(t.Context(), "green", &candidate, nil)
	if err != nil || r.Passed() || candidate.asked != 10 || len(r.Cases[0].Reasons) != 10 {
		t.Errorf("%d requests, %d reasons, %v", candidate.asked, len(r.Cases[0].Reasons), err)
	}
	if notes := fmt.Sprint(r.Cases[0].Notes); !strings.Contains(notes, "stopped after 10 of 1000 requests") {
		t.Errorf("notes %s", notes)
	}
}

func TestLatency(t *testing.T) {
	tests := map[string]struct {
		takes  time.Duration
		bound  string
		reason string
	}{
		"fast": {20 * time.Millisecond, "p50: 20ms, p99: 20ms", ""},
		"slow": {21 * time.Millisecond, "p50: 20ms, p99: 1s", "p50 is 21ms, want at most 20ms (40 requests, 8 at once)"},
		"tail": {21 * time.Millisecond, "p99: 20ms", "p99 is 21ms, want at most 20ms"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := read(t, oneCase("requests_file: many.jsonl", "{latency: {concurrency: 8, requests: 40, "+tt.bound+"}}"))
			synctest.Test(t, func(t *testing.T) {
				candidate := farePredictor{name: "green", takes: tt.takes, score: always(200, "[1]")}
				r, err := s.Run(t.Context(), "green", &candidate, nil)
				if err != nil {
					t.Fatal(err)
				}
				c := r.Cases[0]
				if got := strings.Join(c.Reasons, "\n"); c.Passed != (tt.reason == "") || !strings.Contains(got, tt.reason) {
					t.Errorf("passed %v: %s", c.Passed, got)
				}
				if candidate.asked != 40 || candidate.highest != 8 || c.Requests != 40 || c.P99 != tt.takes {
					t.Errorf("%d requests, %d at once, p99 %v", candidate.asked, candidate.highest, c.P99)
				}
			})
		})
	}
}

func TestTimeout(t *testing.T) {
	s := read(t, oneCase(trip+"\n  timeout: 3s", "{status: 200}"))
	synctest.Test(t, func(t *testing.T) {
		r, err := s.Run(t.Context(), "green", &farePredictor{name: "green", takes: time.Minute}, nil)
		if err != nil || r.Passed() || r.Cases[0].Reasons[0] != "no answer: none within 3s" {
			t.Errorf("%v, %+v", err, r.Cases)
		}
		r, err = s.Run(t.Context(), "green", &farePredictor{name: "green", takes: 2 * time.Second}, nil)
		if err != nil || !r.Passed() {
			t.Errorf("%v, %+v", err, r.Cases)
		}
	})
}

func TestCancelled(t *testing.T) {
	s := read(t, oneCase(trip, "{status: 200}"))
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("somebody pressed a key")
	candidate := farePredictor{name: "green", score: func(checks.Request) (int, string) { cancel(stop); return 200, "[1]" }}
	if r, err := s.Run(ctx, "green", &candidate, nil); !errors.Is(err, stop) || r.Passed() {
		t.Errorf("passed %v, error %v", r.Passed(), err)
	}
}

// What a script starts ends with it, whether the suite ends it or it passes.
func TestScriptLeavesNothing(t *testing.T) {
	tests := map[string]struct {
		then    string
		timeout time.Duration
		err     error
	}{
		"the suite ends it": {"wait", 500 * time.Millisecond, context.DeadlineExceeded},
		"it passes":         {"exit 0", time.Minute, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pidFile := filepath.Join(t.TempDir(), "pid")
			s := read(t, oneCase(trip, `{script: [sh, -c, "sleep 600 & echo $! > `+pidFile+`; `+tt.then+`"]}`))
			ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
			defer cancel()
			r, err := s.Run(ctx, "green", &farePredictor{name: "green"}, nil)
			if !errors.Is(err, tt.err) || r.Passed() != (tt.err == nil) {
				t.Errorf("error %v, passed %v", err, r.Passed())
			}
			pid, err := os.ReadFile(pidFile)
			if err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
				stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
				if err != nil || strings.Contains(string(stat), ") Z ") {
					return
				}
				if time.Now().After(end) {
					t.Fatalf("it still runs: %s", stat)
				}
			}
		})
	}
}

// What is not all there is not measured and not judged by a script.
func TestNothingIsMeasuredOfAPart(t *testing.T) {
	s := read(t, oneCase("requests_file: fares.csv", `{script: [echo, judged], accuracy: {labels: fare, metric: mae, at_most: 100}, latency: {requests: 1, p50: 1ns}}`))
	candidate := &farePredictor{name: "green", takes: time.Millisecond, score: func(r checks.Request) (int, string) {
		return map[bool]int{true: 200, false: 500}[r.Name == "fares.csv:2"], "[1]"
	}}
	r, err := s.Run(t.Context(), "green", candidate, nil)
	if c := r.Cases[0]; err != nil || len(c.Reasons) != 1 || len(c.Measured) != 0 || len(c.Notes) != 0 {
		t.Errorf("%v, %+v", err, c)
	}
}

func TestSingle(t *testing.T) {
	s := checks.Single([]byte(`{"data": [{"distance": 2}]}`), []byte(`{"fares": [4.01]}`), 0.02)
	r, err := s.Run(t.Context(), "green", &farePredictor{name: "green"}, nil)
	if err != nil || !r.Passed() || len(s.Requests()) != 1 || s.Names()[0] != "request" {
		t.Errorf("%v %+v", err, r)
	}
}

func TestVerdict(t *testing.T) {
	s := checks.Single([]byte(`{"data": [{"distance": 2}]}`), []byte(`{"fares": [4.01]}`), 0.02)
	r, err := s.Run(t.Context(), "green", &farePredictor{name: "green", score: times(3)}, nil)
	v := r.Verdict()
	if err != nil || v.Passed || v.Requests != 1 || v.Status != 200 || v.Deployment != "green" || v.Answered.IsZero() {
		t.Errorf("%v %+v", err, v)
	}
	if want := "request: the answer is not the expected one: $.fares[0]: 6, want 4.01 (tolerance 0.02)"; strings.Join(v.Reasons, "|") != want {
		t.Errorf("reasons %q", v.Reasons)
	}
	if len(v.Cases) != 1 || v.Cases[0].Passed || len(v.Cases[0].Reasons) != 1 {
		t.Errorf("cases %+v", v.Cases)
	}
	if v := (checks.Report{}).Verdict(); v.Passed || len(v.Reasons) == 0 {
		t.Errorf("a report without a case: %+v", v)
	}
}
