package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

// A score.py that doubles numbers, but for those that its model is off at, and by how much.
const offBy = `import json, os

def init():
    global off
    with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.json")) as f:
        off = {int(n): by for n, by in json.load(f).items()}

def twice(n):
    return 2 * n + off.get(int(n), 0)

def run(raw_data):
    asked = json.loads(raw_data)
    if "data" in asked:
        return {"twice": [twice(row["n"]) for row in asked["data"]]}
    return {"twice": twice(asked["n"])}
`

// newDoubling is a project with that score.py.
func newDoubling(t *testing.T, endpoint string) *project {
	t.Helper()
	p := newProject(t, endpoint)
	p.write(t, "src/score.py", offBy)
	return p
}

// registerOff registers a model that is off at some numbers.
func (p *project) registerOff(t *testing.T, s *server, off map[int]int) {
	t.Helper()
	model, err := json.Marshal(off)
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, "model.json", string(model))
	s.must(t, "model", "register", "-n", p.endpoint, "--path", p.path("model.json"))
}

// reportFiles are the reports of one run, each named in --report.
type reportFiles struct{ xml, md, json, svg string }

// reporting returns what has reports of every kind written, and where.
func (p *project) reporting(name string) (flags []string, w reportFiles) {
	w = reportFiles{p.path(name + ".xml"), p.path(name + ".md"), p.path(name + ".json"), p.path(name + ".svg")}
	return []string{"--report", w.xml, "--report", w.md, "--report", w.json, "--report", w.svg}, w
}

// report is what the tests look at of the JSON report.
type report struct {
	Cases []struct {
		Name     string             `json:"name"`
		Passed   bool               `json:"passed"`
		Notes    []string           `json:"notes"`
		Measured map[string]float64 `json:"measured"`
	} `json:"cases"`
	Diff *struct {
		Predictions int     `json:"predictions"`
		Disagree    int     `json:"disagree"`
		Share       float64 `json:"share"`
		NotCompared string  `json:"notCompared"`
		Passed      bool    `json:"passed"`
		Worst       []struct {
			Request    string  `json:"request"`
			Difference float64 `json:"difference"`
		} `json:"worst"`
	} `json:"diff"`
}

// junit is what the tests look at of the JUnit report.
type junit struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Suite    struct {
		Skipped int `xml:"skipped,attr"`
	} `xml:"testsuite"`
}

// read requires that all the reports are there and parse.
func (w reportFiles) read(t *testing.T) (j junit, md string, r report) {
	t.Helper()
	var picture struct {
		XMLName xml.Name `xml:"svg"`
	}
	for file, parse := range map[string]func([]byte) error{
		w.xml:  func(b []byte) error { return xml.Unmarshal(b, &j) },
		w.md:   func(b []byte) error { md = string(b); return nil },
		w.json: func(b []byte) error { return json.Unmarshal(b, &r) },
		w.svg:  func(b []byte) error { return xml.Unmarshal(b, &picture) },
	} {
		if file == "" {
			continue // it was not asked for
		}
		text, err := os.ReadFile(file)
		if err == nil {
			err = parse(text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return j, md, r
}

// The rows that the models of TestPredictionDiff disagree on: 30 of 1000, each by another number.
const rows, differing = 1000, 30

func differingRow(n int) int { return 33*n + 7 }

// comparing is a rollout with a prediction diff of the rows, and its reports.
func (p *project) comparing(bound, name string) ([]string, reportFiles) {
	flags, w := p.reporting(name)
	return p.rollout(append(flags, "--diff-requests", p.path("rows.jsonl"), "--max-disagreement", bound)...), w
}

// Two models that disagree on a known 3 % of a file: the diff finds exactly those, and the bound
// decides. A refused candidate leaves the traffic and the slot as they were.
func TestPredictionDiff(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newDoubling(t, "diffing")
	var lines strings.Builder
	for n := range rows {
		fmt.Fprintf(&lines, "{\"n\": %d}\n", n)
	}
	p.write(t, "rows.jsonl", lines.String())
	off := map[int]int{}
	for n := range differing {
		off[differingRow(n)] = n + 1
	}

	p.registerOff(t, s, map[int]int{})
	s.run(t, p.rollout("--report", "picture.svg")...).expect(t, 2, "a picture of the prediction diff, and there is none")
	s.run(t, "status", "-e", p.endpoint).expect(t, 1, "not found")
	args, w := p.comparing("0%", "first")
	s.run(t, args...).expect(t, 0, "not compared: nothing is live yet")
	if j, md, r := w.read(t); j.Suite.Skipped != 1 || j.Failures != 0 || r.Diff.NotCompared == "" || !strings.Contains(md, "not compared") {
		t.Errorf("without a live slot the reports say %+v, %+v and %s", j, r.Diff, md)
	}

	p.registerOff(t, s, off)
	args, w = p.comparing("2.9%", "refused")
	s.run(t, args...).expect(t, 5, "30 of 1000 predictions disagree (3%), at most 2.9% may")
	w.foundAll(t, false)
	p.left(t, s, "blue")

	args, w = p.comparing("3%", "passed")
	s.run(t, args...).expect(t, 0, "30 of 1000 predictions disagree (3%), at most 3% may: passed")
	w.foundAll(t, true)

	// The slot of the next candidate holds the former live one, which it is given back.
	p.registerOff(t, s, map[int]int{})
	args, _ = p.comparing("2%", "back")
	s.run(t, args...).expect(t, 5, "prediction diff")
	p.left(t, s, "green")
	if d := p.status(t, s).Deployments[0]; d.Name != "blue" || !strings.HasSuffix(d.Model, ":1") {
		t.Errorf("the slot of the refused candidate holds %+v, want version 1 in blue", d)
	}
}

// left requires that a refusal left the traffic to a slot, and no lock.
func (p *project) left(t *testing.T, s *server, live string) {
	t.Helper()
	if st := p.status(t, s); st.Live != live || st.Lock != nil {
		t.Errorf("the refusal left %+v, want %s live and no lock", st, live)
	}
}

// foundAll requires the known disagreements in the reports, and of the worst the names and sizes.
func (w reportFiles) foundAll(t *testing.T, passed bool) {
	t.Helper()
	const worst = 10
	j, md, r := w.read(t)
	failures, word := 0, "Prediction diff: passed"
	if !passed {
		failures, word = 1, "Prediction diff: failed"
	}
	if j.Tests != 2 || j.Failures != failures || r.Diff.Passed != passed || !strings.Contains(md, word) {
		t.Errorf("the reports say %+v, %+v and %s; want passed %v", j, r.Diff, md, passed)
	}
	if d := r.Diff; d.Predictions != rows || d.Disagree != differing || d.Share != 0.03 || len(d.Worst) != worst {
		t.Fatalf("the diff found %+v, want %d of %d", d, differing, rows)
	}
	for n, found := range r.Diff.Worst {
		of := differing - 1 - n
		if name := fmt.Sprintf("rows.jsonl:%d", differingRow(of)+1); found.Request != name || found.Difference != float64(of+1) {
			t.Errorf("number %d of the worst is %+v, want %s by %d", n, found, name, of+1)
		}
	}
}

// The labelled file has 500 rows. Live is right at 450 of them.
const (
	labelled = 500
	wrong    = 50
	bounded  = `cases:
- name: accuracy
  requests_file: labelled.csv
  batch: 100
  expect:
    accuracy: {labels: doubled, metric: accuracy, not_worse_than_live_by: 1%}
`
)

// wrongAt is a model that is wrong at so many of the labelled rows.
func wrongAt(many int) map[int]int {
	off := map[int]int{}
	for n := range many {
		off[n] = 1
	}
	return off
}

// A model that is 2 % less accurate than live is refused by the case that allows 1 %, one that is
// within that is not. The reports tell both numbers.
func TestLessAccurateThanLive(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newDoubling(t, "accuracy")
	labels := strings.Builder{}
	labels.WriteString("n,doubled\n")
	for n := range labelled {
		fmt.Fprintf(&labels, "%d,%d\n", n, 2*n)
	}
	p.write(t, "labelled.csv", labels.String())
	p.write(t, "tests.yml", bounded)
	deploy := p.deploy()
	test := func(name string) ([]string, reportFiles) {
		w := reportFiles{xml: p.path(name + ".xml"), md: p.path(name + ".md"), json: p.path(name + ".json")}
		return []string{"test", "-e", p.endpoint, "--tests", p.path("tests.yml"), "--report", w.xml, "--report", w.md, "--report", w.json}, w
	}

	p.registerOff(t, s, wrongAt(wrong))
	s.run(t, deploy...).expect(t, 0, "")
	args, w := test("first")
	s.run(t, args...).expect(t, 0, "not compared: no other deployment is live")
	s.run(t, "swap", "-e", p.endpoint).expect(t, 0, "")
	w.measured(t, true, 0.9, math.NaN())

	p.registerOff(t, s, wrongAt(wrong+9)) // 0.882
	s.run(t, deploy...).expect(t, 0, "")
	args, w = test("worse")
	s.run(t, args...).expect(t, 5, "accuracy is 0.882 and live's is 0.9: worse by 2%, want at most 1%")
	w.measured(t, false, 0.882, 0.9)
	s.run(t, "swap", "-e", p.endpoint).expect(t, 5, "is over")
	p.left(t, s, "blue")

	p.registerOff(t, s, wrongAt(wrong+4)) // 0.892, which is 0.9 % less
	s.run(t, deploy...).expect(t, 0, "")
	args, w = test("within")
	s.run(t, args...).expect(t, 0, "test: green passed")
	w.measured(t, true, 0.892, 0.9)
	s.run(t, "swap", "-e", p.endpoint).expect(t, 0, "")
	s.run(t, "checks", "run", "--tests", p.path("tests.yml"), "-e", p.endpoint).expect(t, 0, "")
	s.run(t, "checks", "run", "--tests", p.path("tests.yml"), "-e", p.endpoint, "--deployment", "blue").expect(t, 0, "")
}

// measured requires that the three reports tell the outcome, and the JSON one the accuracies; live
// that is no number stands for none.
func (w reportFiles) measured(t *testing.T, passed bool, candidate, live float64) {
	t.Helper()
	j, md, r := w.read(t)
	failures, mark := 0, "✅"
	if !passed {
		failures, mark = 1, "❌"
	}
	c := r.Cases[0]
	if j.Tests != 1 || j.Failures != failures || !strings.Contains(md, mark) || c.Passed != passed {
		t.Errorf("the reports say %+v, %+v and %s; want passed %v", j, c, md, passed)
	}
	got, compared := c.Measured["live_accuracy"]
	if c.Measured["accuracy"] != candidate || compared == math.IsNaN(live) || compared && got != live {
		t.Errorf("measured %v, want %v and live's %v", c.Measured, candidate, live)
	}
}
