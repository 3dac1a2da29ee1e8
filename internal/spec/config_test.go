package spec_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"hotswap/internal/online"
	"hotswap/internal/spec"
	"hotswap/schemas"
)

const settings = `# yaml-language-server: $schema=../schemas/hotswap.schema.json
$schema: ../schemas/hotswap.schema.json
tests: tests/taxi.yml
request_file: request.json
expected_file: /srv/expected.json
tolerance: 0.01
model_version: 7
update_endpoint: True
logs: ../logs
steps: [5, 25,
  50, 100]
interval:
  10m
bake: 0
pause_at: 50
retain: parked
drain_wait: 1h30m
min_requests: 250
analysis_timeout: 90s
max_error_increase: 0.5%
max_client_error_increase: 100%
max_throttled_increase: 0%
max_p50_ratio: 1.25
max_p99_ratio: 3
latency_slack: 2.5ms
diff_requests: "requests/*.jsonl"
diff_tolerance: 0.0010
diff_relative_tolerance: 250%
max_disagreement: 1%
wait: 0s
paths: ["src/**", .github/workflows/workshop_cd.yml]
webhook: https://example.com/hook?token=1
webhook_secret_env: HOOK_SECRET
`

func TestReadConfig(t *testing.T) {
	path := write(t, settings)
	got, err := spec.ReadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	want := []spec.Setting{
		{"tests", filepath.Join(dir, "tests/taxi.yml"), 3, 1},
		{"request_file", filepath.Join(dir, "request.json"), 4, 1},
		{"expected_file", "/srv/expected.json", 5, 1},
		{"tolerance", "0.01", 6, 1},
		{"model_version", "7", 7, 1},
		{"update_endpoint", "true", 8, 1},
		{"logs", filepath.Join(dir, "../logs"), 9, 1},
		{"steps", "5,25,50,100", 10, 1},
		{"interval", "10m0s", 12, 1},
		{"bake", "0s", 14, 1},
		{"pause_at", "50", 15, 1},
		{"retain", "parked", 16, 1},
		{"drain_wait", "1h30m0s", 17, 1},
		{"min_requests", "250", 18, 1},
		{"analysis_timeout", "1m30s", 19, 1},
		{"max_error_increase", "0.5%", 20, 1},
		{"max_client_error_increase", "100%", 21, 1},
		{"max_throttled_increase", "0%", 22, 1},
		{"max_p50_ratio", "1.25", 23, 1},
		{"max_p99_ratio", "3", 24, 1},
		{"latency_slack", "2.5ms", 25, 1},
		{"diff_requests", filepath.Join(dir, "requests/*.jsonl"), 26, 1},
		{"diff_tolerance", "0.001", 27, 1},
		{"diff_relative_tolerance", "250%", 28, 1},
		{"max_disagreement", "1%", 29, 1},
		{"wait", "0s", 30, 1},
		{"paths", "src/**,.github/workflows/workshop_cd.yml", 31, 1},
		{"webhook", "https://example.com/hook?token=1", 32, 1},
		{"webhook_secret_env", "HOOK_SECRET", 33, 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var keys []string
	for _, s := range got {
		keys = append(keys, s.Key)
	}
	if !slices.Equal(keys, spec.ConfigKeys()) {
		t.Errorf("the test has the keys %v, there are %v", keys, spec.ConfigKeys())
	}
}

// The reader and the schema that editors go by take the same files.
func TestConfigAndSchemaAgree(t *testing.T) {
	schema := compile(t)
	tests := map[string]struct {
		text string
		want string // what the reader says after the file's name; "" where it is fine
	}{
		"all":                    {settings, ""},
		"one":                    {"retain: warm", ""},
		"only a schema":          {"$schema: x.json", ""},
		"steps in a line":        {"steps: 5, 25,50,100", ""},
		"steps in quotes":        {`steps: "5,25,50,100"`, ""},
		"one step":               {"steps: 100", ""},
		"a version in words":     {"model_version: latest", ""},
		"a version with a point": {"model_version: 1.5", ""},
		"no time in words":       {"bake: 0s", ""},
		"no time in quotes":      {`bake: "0"`, ""},

		"unknown key":               {"retain: warm\nstepz: 100", `:2:1: configuration: unknown key "stepz"; do you mean "steps"?`},
		"a flag's name":             {"pause-at: 50", `:1:1: configuration: unknown key "pause-at"; do you mean "pause_at"?`},
		"a key of another file":     {"traffic: {}", `:1:1: configuration: unknown key "traffic"`},
		"no value":                  {"max_disagreement:", `:1:1: max_disagreement: has no value`},
		"a list":                    {"[1]", `:1:1: the file is a list`},
		"path that is none":         {"tests: [a.yml]", `:1:8: tests: want text, got a list`},
		"path that is empty":        {`tests: ""`, `:1:8: tests: is empty`},
		"number in words":           {"tolerance: wide", `:1:12: tolerance: "wide", want a number`},
		"number in quotes":          {`tolerance: "0.1"`, `:1:12: tolerance: "0.1", want a number`},
		"negative number":           {"diff_tolerance: -1", `:1:17: diff_tolerance: "-1", want a number`},
		"infinite number":           {"diff_tolerance: .inf", `:1:17: diff_tolerance: ".inf", want a number`},
		"truth in words":            {"update_endpoint: maybe", `:1:18: update_endpoint: want true or false, got text "maybe"`},
		"version that is none":      {"model_version: true", `:1:16: model_version: want text, got true or false "true"`},
		"steps in words":            {"steps: all", `:1:8: steps: "all", want percentages from 1 to 100, such as`},
		"steps with a sign":         {"steps: 5%,100%", `:1:8: steps: "5%", want percentages`},
		"steps with a hole":         {"steps: 5,,100", `:1:8: steps: "", want percentages`},
		"steps of 0":                {"steps: [0, 100]", `:1:9: steps: "0", want percentages`},
		"steps beyond all":          {"steps: [50, 101]", `:1:13: steps: "101", want percentages`},
		"steps with a point":        {"steps: [0.5, 100]", `:1:9: steps: want a whole number, got a number "0.5"`},
		"steps of steps":            {"steps: [[5], 100]", `:1:9: steps: want a whole number, got a list`},
		"steps in quotes in a list": {`steps: ["5", 100]`, `:1:9: steps: want a whole number, got text "5"`},
		"no step":                   {"steps: []", `:1:8: steps: the list is empty`},
		"time without a unit":       {"interval: 10", `:1:11: interval: "10", want a time with its unit`},
		"time of another unit":      {"interval: 1d", `:1:11: interval: "1d", want a time with its unit`},
		"negative time":             {"bake: -1m", `:1:7: bake: "-1m", want a time with its unit`},
		"pause at the end":          {"pause_at: 100", `:1:11: pause_at: 100 is out of range, want 0 to 99`},
		"pause with a sign":         {"pause_at: 50%", `:1:11: pause_at: want a whole number, got text "50%"`},
		"paths in a line":           {"paths: src/**", `:1:8: paths: want a list, got text`},
		"no paths":                  {"paths: []", `:1:8: paths: the list is empty`},
		"a path of nothing":         {`paths: [src, ""]`, `:1:14: paths: "", want patterns of files`},
		"a path that begins blank":  {`paths: [" src"]`, `:1:9: paths: " src", want patterns`},
		"a path with a comma":       {`paths: ["a,b"]`, `:1:9: paths: "a,b", want patterns of files such as src/**; without commas`},
		"a path that is left out":   {`paths: ["!docs/**"]`, `:1:9: paths: "!docs/**", want patterns`},
		"a path that is a number":   {"paths: [1]", `:1:9: paths: want text, got a whole number "1"`},
		"no request":                {"min_requests: 0", `:1:15: min_requests: 0 is out of range`},
		"another word":              {"retain: parkd", `:1:9: retain: "parkd", want warm or none or parked; do you mean "parked"?`},
		"share without its sign":    {"max_error_increase: 0.01", `:1:21: max_error_increase: "0.01", want a percentage with its sign`},
		"share of too much":         {"max_disagreement: 101%", `:1:19: max_disagreement: 101% is too much, want at most 100%`},
		"negative share":            {"diff_relative_tolerance: -1%", `:1:26: diff_relative_tolerance: "-1%", want a percentage`},
		"ratio below 1":             {"max_p99_ratio: 0.5", `:1:16: max_p99_ratio: "0.5", want a number from 1`},
		"URL without a scheme":      {"webhook: example.com", `:1:10: webhook: want a URL, such as`},
		"a secret":                  {"webhook_secret_env: s3cr$t", `:1:21: webhook_secret_env: want the name of an environment variable`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, tt.text)
			_, err := spec.ReadConfig(path)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("the reader says: %v", err)
			case tt.want != "" && (online.CodeOf(err) != online.Invalid || !strings.HasPrefix(err.Error(), path+tt.want)):
				t.Errorf("the reader says: %v, want %s", err, tt.want)
			}
			if err := schema.Validate(asJSON(t, tt.text)); (err == nil) != (tt.want == "") {
				t.Errorf("the schema says: %v", err)
			}
		})
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemas.Hotswap))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("hotswap.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("hotswap.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// asJSON is a file as an editor sees it. Infinity, which JSON has not, becomes a word.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	text = strings.ReplaceAll(text, ".inf", "infinite")
	b, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return v
}

func TestSchemaHasEveryKey(t *testing.T) {
	var schema struct {
		Properties map[string]struct {
			Description string `json:"description"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(schemas.Hotswap, &schema); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for key, property := range schema.Properties {
		if key != "$schema" {
			keys = append(keys, key)
		}
		if property.Description == "" {
			t.Errorf("%s is not described", key)
		}
	}
	slices.Sort(keys)
	want := spec.ConfigKeys()
	slices.Sort(want)
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Error(diff)
	}
}

func TestNoConfig(t *testing.T) {
	_, err := spec.ReadConfig(filepath.Join(t.TempDir(), spec.ConfigName))
	if online.CodeOf(err) != online.Invalid || !strings.Contains(err.Error(), "read the configuration's file: open") {
		t.Errorf("error %v", err)
	}
	if !os.IsNotExist(err) && !strings.Contains(err.Error(), "no such file") {
		t.Errorf("error %v", err)
	}
}
