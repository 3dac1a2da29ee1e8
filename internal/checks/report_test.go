package checks_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/checks"
)

// hostileText is what a model could answer with to be more than text in a report.
const hostileText = "| `x` <img src=x onerror=alert(1)> ]]> & @everyone #1 [a](http://b) \x1b[31m\x00 ::error::no\nnext"

func report() checks.Report {
	return checks.Report{
		Suite: "tests.yml", Deployment: "green", Fingerprint: "f", Started: time.Date(2026, 11, 22, 22, 0, 0, 0, time.FixedZone("x", 3600)), Took: 3200 * time.Millisecond,
		Cases: []checks.Result{
			{Name: "a known trip", Passed: true, Requests: 1, Status: 200, P50: 12 * time.Millisecond, P99: 12 * time.Millisecond, Took: 15 * time.Millisecond, File: "tests.yml", Line: 3},
			{
				Name: "fares", Requests: 200, Status: 200, P50: 12345 * time.Microsecond, P99: 2 * time.Second, Took: 3 * time.Second, File: "tests.yml", Line: 9,
				Reasons: []string{"mae is 3, want at most 2.5", "first\nsecond"}, Notes: []string{"judge.py printed:\n::warning::x\nfine"},
				Measured: map[string]float64{"mae": 3, "live_mae": 2.41},
			},
			{Name: hostileText, Reasons: []string{hostileText}},
		},
	}
}

func TestWriteText(t *testing.T) {
	var out bytes.Buffer
	if err := report().WriteText(&out); err != nil {
		t.Fatal(err)
	}
	want := `passed  a known trip  (1 request, p50 12ms)
FAILED  fares  (200 requests, p50 12.3ms, p99 2s, mae 3, live 2.41)
        mae is 3, want at most 2.5
        first second
      | judge.py printed:
      | ::warning::x
      | fine
FAILED  | ` + "`x`" + ` <img src=x onerror=alert(1)> ]]> & @everyone #1 [a](http://b) ?[31m? ::error::no next  (0 requests)
        | ` + "`x`" + ` <img src=x onerror=alert(1)> ]]> & @everyone #1 [a](http://b) ?[31m? ::error::no next
green: 2 of 3 cases failed, 3.2s
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestWriteJUnit(t *testing.T) {
	var out bytes.Buffer
	if err := report().WriteJUnit(&out); err != nil {
		t.Fatal(err)
	}
	type testCase struct {
		Name     string   `xml:"name,attr"`
		Class    string   `xml:"classname,attr"`
		Time     float64  `xml:"time,attr"`
		File     string   `xml:"file,attr"`
		Line     int      `xml:"line,attr"`
		Failures []string `xml:"failure"`
		Output   string   `xml:"system-out"`
	}
	var got struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []struct {
			Name      string     `xml:"name,attr"`
			Tests     int        `xml:"tests,attr"`
			Failures  int        `xml:"failures,attr"`
			Errors    int        `xml:"errors,attr"`
			Skipped   int        `xml:"skipped,attr"`
			Time      float64    `xml:"time,attr"`
			Timestamp string     `xml:"timestamp,attr"`
			Cases     []testCase `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if len(got.Suites) != 1 {
		t.Fatalf("%d suites", len(got.Suites))
	}
	s := got.Suites[0]
	if s.Tests != 3 || s.Failures != 2 || s.Errors != 0 || s.Time != 3.2 || s.Timestamp != "2026-11-22T21:00:00" || s.Name != "hotswap green" {
		t.Errorf("suite %+v", s)
	}
	want := []testCase{
		{Name: "a known trip", Class: "hotswap green", Time: 0.015, File: "tests.yml", Line: 3, Output: "1 request, p50 12ms"},
		{
			Name: "fares", Class: "hotswap green", Time: 3, File: "tests.yml", Line: 9, Failures: []string{"mae is 3, want at most 2.5\nfirst\nsecond"},
			Output: "200 requests, p50 12.3ms, p99 2s, mae 3, live 2.41\njudge.py printed:\n::warning::x\nfine",
		},
	}
	if diff := cmp.Diff(want, s.Cases[:2]); diff != "" {
		t.Error(diff)
	}
	if len(s.Cases[2].Failures) != 1 || !strings.Contains(s.Cases[2].Failures[0], "]]> & @everyone") {
		t.Errorf("hostile text: %+v", s.Cases[2])
	}
	// expat, by which many readers parse, is stricter than Go is
	c := exec.Command("python3", "-c", "import sys, xml.etree.ElementTree as e; print(len(e.fromstring(sys.stdin.buffer.read()).findall('.//testcase/failure')))")
	c.Stdin = &out
	if text, err := c.CombinedOutput(); err != nil || string(text) != "2\n" {
		t.Errorf("%v: %s", err, text)
	}
}

func TestWriteMarkdown(t *testing.T) {
	var out bytes.Buffer
	if err := report().WriteMarkdown(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		"### ❌ Tests of <code>green</code>\n",
		"| ✅ | <code>a known trip</code> | 1 | 12ms | 12ms |  |\n",
		"| ❌ | <code>fares</code> | 200 | 12.3ms | 2s | mae 3, live 2.41 |\n",
		"- <code>mae is 3, want at most 2.5</code>\n",
		"<br><code>::warning::x</code><br>",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report has no %q:\n%s", want, text)
		}
	}
	for row := range strings.Lines(text) {
		if strings.HasPrefix(row, "|") && strings.Count(row, "|") != 7 {
			t.Errorf("a row has other columns: %s", row)
		}
		if strings.ContainsAny(row, "`@\x1b") || strings.Contains(row, "<img") || strings.Contains(row, "](") {
			t.Errorf("text is more than text: %s", row)
		}
	}
}

func TestMarkdownIsBounded(t *testing.T) {
	r := report()
	for range 100 {
		r.Cases = append(r.Cases, checks.Result{Name: strings.Repeat("|", 5000), Reasons: []string{strings.Repeat("`", 5000)}})
	}
	var out bytes.Buffer
	if err := r.WriteMarkdown(&out); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 1<<20 || !strings.Contains(out.String(), "parts are left out") || !strings.Contains(out.String(), "mae is 3") {
		t.Errorf("%d bytes", out.Len())
	}
}

func TestWriteJSON(t *testing.T) {
	var out bytes.Buffer
	want := report()
	if err := want.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got checks.Report
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A diff that fails fails a report whose cases all pass, in each of its forms.
func TestReportWithDiff(t *testing.T) {
	r := report()
	r.Cases = r.Cases[:1]
	s := checks.Single([]byte(`{"data": [{"distance": 2}]}`), nil, 0)
	diff, err := checks.RunDiff(t.Context(), s.Requests(), &farePredictor{name: "blue"}, &farePredictor{name: "green", score: times(3)}, "blue", "green", checks.DiffOptions{})
	if err != nil || diff.Passed {
		t.Fatalf("passed %v, %v", diff.Passed, err)
	}
	if !r.Passed() {
		t.Error("the report fails without a diff")
	}
	r.Diff = &diff
	v := r.Verdict()
	if r.Passed() || v.Passed || len(v.Reasons) != 1 || !strings.HasPrefix(v.Reasons[0], "prediction diff: 1 of 1 predictions disagree") {
		t.Errorf("passed %v, verdict %+v", r.Passed(), v)
	}
	for name, want := range map[string]string{
		"text": "green: 1 case passed, the prediction diff failed, 3.2s\n", "markdown": "### Prediction diff: failed", "junit": `tests="2" failures="1"`,
	} {
		var out bytes.Buffer
		write := map[string]func(io.Writer) error{"text": r.WriteText, "markdown": r.WriteMarkdown, "junit": r.WriteJUnit}[name]
		if err := write(&out); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %v, no %q in\n%s", name, err, want, &out)
		}
	}
}
