package checks_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"hotswap/internal/checks"
	"hotswap/internal/online"
	"hotswap/schemas"
)

// beside is what stands beside the suites of these tests.
var beside = map[string]string{
	"request.json":       `{"data": [{"distance": 1}]}`,
	"answer.json":        `[11.5]`,
	"answer.schema.json": `{"type": "array", "items": {"$ref": "number.json"}}`,
	"number.json":        `{"type": "number"}`,
	"broken.json":        `[`,
	"many.jsonl":         "[1]\n[2]\n",
	"labelled.jsonl":     "{\"data\": [1], \"fare\": 2}\n",
	"void.jsonl":         "\n",
	"trips.csv":          "distance,fare\n1,2\n3,4\n",
	"fares.csv":          "distance,fare\n1,2\n2,4\n",
	"unlabelled.csv":     "distance,fare\n1,2\n3,\n",
	"glob/a.json":        "1",
	"glob/b.json":        "2",
}

// suiteFile writes a suite and what stands beside it, and returns its path.
func suiteFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(folder(t, beside), "tests.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// oneCase is a suite of one case with that request and that expectation.
func oneCase(request, expect string) string {
	return "cases:\n- name: a\n  " + request + "\n  expect: " + expect + "\n"
}

func TestReadGood(t *testing.T) {
	for name, text := range good {
		t.Run(name, func(t *testing.T) {
			s, err := checks.Read(suiteFile(t, text))
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Names()) == 0 {
				t.Error("the suite has no case")
			}
			if err := bySchema(t, text); err != nil {
				t.Errorf("the schema refuses it: %v", err)
			}
		})
	}
}

var good = map[string]string{
	"status alone":        oneCase("request: [1]", "{status: 422}"),
	"a schema's name":     "$schema: ../schemas/tests.schema.json\n" + oneCase("request: {file: x}", "{status: 200}"),
	"an answer":           oneCase("request_file: request.json", "{answer: [11.5], absolute_tolerance: 0.01, relative_tolerance: 0.1%}"),
	"an answer's file":    oneCase("requests_glob: glob/*.json", "{answer_file: answer.json}"),
	"a schema":            oneCase("requests_file: many.jsonl", "{schema: {type: array}, error_text: {allowed: labels are text}}"),
	"a schema's file":     oneCase("requests_file: trips.csv", "{schema_file: answer.schema.json}"),
	"latency":             oneCase("request: 1", "{latency: {concurrency: 8, requests: 200, p50: 20ms, p99: 1m0.5s}}"),
	"accuracy":            oneCase("requests_file: trips.csv\n  batch: 2\n  body: {data: $values}", "{accuracy: {labels: fare, metric: mae, at_most: 2.5, not_worse_than_live_by: 2%}}"),
	"accuracy of classes": oneCase("requests_file: labelled.jsonl", "{accuracy: {labels: fare, metric: f1, positive: 2, predictions: fares, at_least: 0.9}}"),
	"a script":            oneCase("request: null_is_text", "{script: [python3, -c, 1]}"),
	"defaults":            "defaults: {timeout: 10s, headers: {x-team: fares, x-n: 1}, absolute_tolerance: 1, relative_tolerance: 1%}\n" + oneCase("request: [1]\n  timeout: 0\n  headers: {x-a: b}", "{status: 200}"),
}

func TestReadFaults(t *testing.T) {
	tests := map[string]struct {
		text, want string
		schemaToo  bool // that the schema sees it, too
	}{
		"no case":                    {"cases: []\n", "1:8: cases: the suite has no case", true},
		"cases are missing":          {"defaults: {timeout: 1s}\n", `1:1: suite: "cases" is missing`, true},
		"a misspelt key":             {"cases:\n- name: a\n  reqest: [1]\n  expect: {status: 200}\n", `3:3: case: unknown key "reqest"; do you mean "request"?`, true},
		"a misspelt expectation":     {oneCase("request: [1]", "{statuss: 200}"), `unknown key "statuss"; do you mean "status"?`, true},
		"no name":                    {"cases:\n- request: 1\n  expect: {status: 200}\n", `2:3: case: "name" is missing`, true},
		"a name twice":               {oneCase("request: 1", "{status: 200}") + "- {name: a, request: 1, expect: {status: 200}}\n", `5:10: name: there is a case "a" already`, false},
		"no request":                 {oneCase("timeout: 1s", "{status: 200}"), "2:3: case: there is no request, want request, request_file, requests_file or requests_glob", true},
		"two requests":               {oneCase("request: 1\n  request_file: request.json", "{status: 200}"), "4:3: request_file: there is request already", true},
		"no expectation at all":      {"cases:\n- name: a\n  request: 1\n", `2:3: case: "expect" is missing`, true},
		"an empty expectation":       {oneCase("request: 1", "{}"), "4:11: expect: nothing is expected", true},
		"allowed text alone":         {oneCase("request: 1", "{error_text: {allowed: why}}"), "4:11: expect: nothing is expected", true},
		"no reason":                  {oneCase("request: 1", "{status: 200, error_text: {}}"), `"allowed" is missing`, true},
		"an empty reason":            {oneCase("request: 1", "{status: 200, error_text: {allowed: ''}}"), "allowed: is empty", true},
		"a tolerance for nothing":    {oneCase("request: 1", "{status: 200, absolute_tolerance: 1}"), "4:25: absolute_tolerance: there is no answer to compare with", true},
		"a tolerance without a sign": {oneCase("request: 1", "{answer: 1, relative_tolerance: 0.01}"), `relative_tolerance: "0.01", want a percentage with its sign`, true},
		"a negative tolerance":       {oneCase("request: 1", "{answer: 1, absolute_tolerance: -1}"), `absolute_tolerance: "-1", want a number, 0 or more`, true},
		"two answers":                {oneCase("request: 1", "{answer: 1, answer_file: answer.json}"), "4:23: answer_file: there is answer already", true},
		"an answer that is not JSON": {oneCase("request: 1", "{answer_file: broken.json}"), "4:25: answer_file: broken.json is not JSON", false},
		"no such answer":             {oneCase("request: 1", "{answer_file: nowhere.json}"), "4:25: nowhere.json: no such file", false},
		"no such request":            {oneCase("request_file: nowhere.json", "{status: 200}"), "3:17: nowhere.json: no such file", false},
		"many as one":                {oneCase("request_file: many.jsonl", "{status: 200}"), "3:17: request_file: many.jsonl has many requests, want requests_file", false},
		"one as many":                {oneCase("requests_file: request.json", "{status: 200}"), "3:18: requests_file: request.json: want a file that ends in .jsonl or .csv", true},
		"an empty file":              {oneCase("requests_file: void.jsonl", "{status: 200}"), "3:18: requests_file: void.jsonl: the file has no request", false},
		"a glob of nothing":          {oneCase("requests_glob: glob/*.yml", "{status: 200}"), "*.yml: no such file", false},
		"a status of nothing":        {oneCase("request: 1", "{status: 99}"), "4:20: status: 99 is out of range", true},
		"a broken schema":            {oneCase("request: 1", "{schema: {type: nothing}}"), "4:20: schema: ", false},
		"a schema elsewhere":         {oneCase("request: 1", `{schema: {$ref: "http://127.0.0.1/s.json"}}`), "4:20: schema: ", false},
		"latency without a bound":    {oneCase("request: 1", "{latency: {requests: 10}}"), "latency: there is no bound", true},
		"a bound of no time":         {oneCase("request: 1", "{latency: {p50: 0s, p99: 1s}}"), `p50: "0s", want more than no time`, true},
		"a time without a unit":      {oneCase("request: 1\n  timeout: 10", "{status: 200}"), `4:12: timeout: "10", want a time with its unit`, true},
		"accuracy without rows":      {oneCase("request: 1", "{accuracy: {labels: a, metric: mae, at_most: 1}}"), "accuracy: there are no labelled rows", false},
		"accuracy without a bound":   {oneCase("requests_file: trips.csv", "{accuracy: {labels: fare, metric: mae}}"), "accuracy: there is no bound", true},
		"a bound of the wrong sense": {oneCase("requests_file: trips.csv", "{accuracy: {labels: fare, metric: mae, at_least: 1}}"), "at_least: mae is better the smaller it is", true},
		"the other wrong sense":      {oneCase("requests_file: trips.csv", "{accuracy: {labels: fare, metric: r2, at_most: 1}}"), "at_most: r2 is better the larger it is", true},
		"an unknown metric":          {oneCase("requests_file: trips.csv", "{accuracy: {labels: fare, metric: rmsse, at_most: 1}}"), `metric: "rmsse", want mae or rmse or mape or r2 or accuracy or f1; do you mean "rmse"?`, true},
		"no such label":              {oneCase("requests_file: trips.csv", "{accuracy: {labels: fares, metric: mae, at_most: 1}}"), `trips.csv:2: no label: there is no "fares"`, false},
		"an empty label":             {oneCase("requests_file: unlabelled.csv", "{accuracy: {labels: fare, metric: mae, at_most: 1}}"), `unlabelled.csv:3: the label null: null is no number and no class`, false},
		"labels of no object":        {oneCase("requests_file: many.jsonl", "{accuracy: {labels: fare, metric: mae, at_most: 1}}"), `many.jsonl:1: no label: [1] is not an object`, false},
		"a class of mae":             {oneCase("requests_file: trips.csv", "{accuracy: {labels: fare, metric: mae, positive: 1, at_most: 1}}"), "positive: mae is of all classes", false},
		"a body without a place":     {oneCase("requests_file: trips.csv\n  body: {data: rows}", "{status: 200}"), "4:9: body: there is no place for the rows", false},
		"a body for one request":     {oneCase("request: 1\n  body: {data: $rows}", "{status: 200}"), "4:3: body: there are no rows", true},
		"a batch of lines":           {oneCase("requests_file: many.jsonl\n  batch: 2", "{status: 200}"), "4:10: batch: each line is a request of its own", false},
		"a script of nothing":        {oneCase("request: 1", "{script: []}"), "script: is empty", true},
		"a script as text":           {oneCase("request: 1", "{script: judge.py}"), `script: want a list, got text "judge.py"`, true},
		"no header's name":           {oneCase("request: 1\n  headers: {'a b': c}", "{status: 200}"), `4:13: headers: "a b" is no header's name`, true},
		"a header of ours":           {oneCase("request: 1\n  headers: {azureml-model-deployment: blue}", "{status: 200}"), "headers: azureml-model-deployment is set by the test itself", false},
		"a header's line break":      {oneCase("request: 1\n  headers: {x-a: \"b\\r\\nc: d\"}", "{status: 200}"), "4:18: headers: x-a has a line break", false},
		"infinity":                   {oneCase("request: [.inf]", "{status: 200}"), "3:12: request: JSON has no such number", false},
		"a case is text":             {"cases: [a]\n", "1:9: cases: want a mapping", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := suiteFile(t, tt.text)
			_, err := checks.Read(path)
			if online.CodeOf(err) != online.Invalid {
				t.Fatalf("error %v, want an invalid file", err)
			}
			message, ok := strings.CutPrefix(err.Error(), path+":")
			if !ok || !strings.Contains(message, tt.want) || strings.Contains(message, "\n") {
				t.Errorf("error %q\nwant  %q after the path, in one line", message, tt.want)
			}
			if at := tt.want[:1]; at >= "0" && at <= "9" && !strings.HasPrefix(message, tt.want) {
				t.Errorf("error %q, want it to begin with %q", message, tt.want)
			}
			if err := bySchema(t, tt.text); (err != nil) != tt.schemaToo {
				t.Errorf("by the schema: %v", err)
			}
		})
	}
}

// bySchema is what the published schema says of a suite.
func bySchema(t *testing.T, text string) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemas.Tests))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("tests.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("tests.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return nil // infinity: no JSON, no schema
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		return nil
	}
	return schema.Validate(value)
}

func TestRequestsOfSuite(t *testing.T) {
	s, err := checks.Read(suiteFile(t, `
defaults: {headers: {x-team: fares, x-a: default}}
cases:
- name: labelled
  requests_file: trips.csv
  batch: 2
  body: {data: $values, rows: $rows}
  headers: {x-a: own}
  expect: {accuracy: {labels: fare, metric: mae, at_most: 1}}
- name: refused
  request: {bad: 1}
  expect: {status: 422}
- name: text
  request: {bad: 1}
  expect: {status: 200, error_text: {allowed: labels}}
- name: inline
  request: {b: 1.50, a: 1e-3}
  expect: {status: 200}
`))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"labelled", "refused", "text", "inline"}; !slices.Equal(s.Names(), want) {
		t.Errorf("names %q", s.Names())
	}
	requests := s.Requests()
	if len(requests) != 2 {
		t.Fatalf("%d requests, want those that a prediction is expected for", len(requests))
	}
	if got := string(requests[0].Body); got != `{"data":[[1],[3]],"rows":[{"distance":1},{"distance":3}]}` {
		t.Errorf("body %s", got)
	}
	if h := requests[0].Header; h.Get("X-Team") != "fares" || h.Get("X-A") != "own" || requests[0].Name != "trips.csv:2" {
		t.Errorf("request %q with %v", requests[0].Name, h)
	}
	if got := string(requests[1].Body); got != `{"b":1.50,"a":1e-3}` {
		t.Errorf("body %s", got)
	}
}

func FuzzRead(f *testing.F) {
	for _, text := range good {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "tests.yml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := checks.Read(path); err == nil && len(s.Names()) == 0 {
			t.Error("a suite without a case")
		}
	})
}
