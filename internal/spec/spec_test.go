package spec_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/online"
	"hotswap/internal/spec"
)

// folder is what stands beside the files of the tests.
var folder = map[string]string{
	"src/score.py":     "def run(raw_data): pass\n",
	"src/lib/inner.py": "",
	"conda.yml":        "dependencies:\n- python=3.12\n",
	"broken.yml":       "a: [\n",
	"model/model.json": "{}",
	"secret.py":        "",
}

// write lays out the folder with the file text in it and returns the file's path.
func write(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range folder {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../secret.py", filepath.Join(dir, "src", "link.py")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "specs"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "specs", "file.yml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const deployment = `$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json
name: Blue
endpoint_name: taxi-fare
model: azureml:taxi-fare@latest
code_configuration:
  code: ../src
  scoring_script: score.py
environment:
  image: mcr.microsoft.com/azureml/minimal-ubuntu22.04-py39-cpu-inference
  conda_file: ../conda.yml
environment_variables:
  WORKER_COUNT: 2
  DEBUG: false
instance_type: Standard_DS3_v2
instance_count: 2
request_settings:
  max_concurrent_requests_per_instance: 32
readiness_probe:
  period: 1
  initial_delay: 0
data_collector:
  sampling_rate: 0.5
  collections:
    inputs: {enabled: 'True'}
    outputs:
      data: {name: out, version: 3}
`

func TestReadDeployment(t *testing.T) {
	path := write(t, deployment)
	got, err := spec.ReadDeployment(path)
	if err != nil {
		t.Fatal(err)
	}
	ready := online.DefaultProbe()
	ready.Period, ready.InitialDelay = time.Second, 0
	want := spec.Deployment{
		Deployment: online.Deployment{
			Endpoint: "taxi-fare", Name: "blue",
			Model:        online.Ref{Kind: online.Models, Name: "taxi-fare", Version: "@latest"},
			Code:         online.CodeConfiguration{Script: "score.py"},
			Variables:    map[string]string{"WORKER_COUNT": "2", "DEBUG": "false"},
			InstanceType: "Standard_DS3_v2", InstanceCount: 2,
			Request:  online.RequestSettings{MaxConcurrentRequestsPerInstance: 32, Timeout: 5 * time.Second, MaxQueueWait: 500 * time.Millisecond},
			Liveness: online.DefaultProbe(), Readiness: ready, Egress: "Enabled",
			DataCollector: []byte(`{"collections":{"inputs":{"dataCollectionMode":"Enabled","samplingRate":0.5},` +
				`"outputs":{"dataCollectionMode":"Disabled","dataId":"azureml:out:3","samplingRate":0.5}},"rollingRate":"Hour"}`),
		},
		CodeDir: filepath.Join(filepath.Dir(path), "..", "src"),
		LocalEnvironment: &online.Environment{
			Asset:     online.Asset{Ref: online.Ref{Kind: online.Environments}, Anonymous: true},
			Image:     "mcr.microsoft.com/azureml/minimal-ubuntu22.04-py39-cpu-inference",
			CondaFile: folder["conda.yml"], OSType: "Linux",
		},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(online.Traffic{})); diff != "" {
		t.Error(diff)
	}
	if err := got.Check(); err != nil {
		t.Error(err)
	}
}

func TestReadLocalParts(t *testing.T) {
	path := write(t, `
name: green
endpoint_name: taxi-fare
instance_type: &size Standard_DS3_v2
instance_count: 1
tags: {size: *size, n: 3}
model:
  path: ../model
  type: mlflow_model
environment:
  name: taxi-env
  version: 7
  conda_file:
    channels: [conda-forge]
    dependencies:
    - python=3.12
    - pip: [numpy]
  inference_config:
    scoring_route: {path: /score, port: 5001}
`)
	got, err := spec.ReadDeployment(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(filepath.Dir(path))
	if m := got.LocalModel; m == nil || m.Path != filepath.Join(dir, "model") || m.Type != "mlflow_model" || !got.Model.IsZero() {
		t.Errorf("model %+v", m)
	}
	if !cmp.Equal(got.Tags, map[string]string{"size": "Standard_DS3_v2", "n": "3"}) {
		t.Errorf("tags %v", got.Tags)
	}
	want := &online.Environment{
		Asset:           online.Asset{Ref: online.Ref{Kind: online.Environments, Name: "taxi-env", Version: "7"}},
		CondaFile:       "channels:\n- conda-forge\ndependencies:\n- python=3.12\n- pip:\n  - numpy\n",
		InferenceConfig: []byte(`{"scoringRoute":{"path":"/score","port":5001}}`), OSType: "Linux",
	}
	if diff := cmp.Diff(want, got.LocalEnvironment); diff != "" {
		t.Error(diff)
	}
}

func TestReadEndpoint(t *testing.T) {
	got, err := spec.ReadEndpoint(write(t, `
name: Taxi-Fare
auth_mode: aml_token
identity: {type: user_assigned, user_assigned_identities: [{resource_id: /subscriptions/s/x}]}
traffic: {Blue: 90, green: 10}
mirror_traffic: {purple: 5}
properties: &b {a: x, b: y}
tags:
  <<: *b
  b: mine
`))
	if err != nil {
		t.Fatal(err)
	}
	traffic, _ := online.NewTraffic(map[string]int{"blue": 90, "green": 10})
	want := spec.Endpoint{
		Endpoint: online.Endpoint{
			Name: "taxi-fare", AuthMode: online.AMLTokenAuth, PublicNetworkAccess: "Enabled",
			Identity: online.Identity{Type: "UserAssigned", UserAssigned: []string{"/subscriptions/s/x"}},
			Traffic:  traffic, Mirror: online.Mirror{Deployment: "purple", Percent: 5},
			Properties: map[string]string{"a": "x", "b": "y"}, Tags: map[string]string{"a": "x", "b": "mine"},
		},
		Keys: map[string]bool{"name": true, "auth_mode": true, "identity": true, "traffic": true, "mirror_traffic": true, "properties": true, "tags": true},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(online.Traffic{})); diff != "" {
		t.Error(diff)
	}
}

func TestReadModel(t *testing.T) {
	path := write(t, "name: taxi-fare\nversion: 3\npath: ../model/model.json\ndescription: fares\ntags: {rmse: 2.1}\n")
	got, err := spec.ReadModel(path)
	want := spec.LocalModel{
		Name: "taxi-fare", Version: "3", Path: filepath.Join(filepath.Dir(filepath.Dir(path)), "model", "model.json"),
		Type: "custom_model", Description: "fares", Tags: map[string]string{"rmse": "2.1"},
	}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
}

func TestEndpointFaults(t *testing.T) {
	faults(t, func(path string) error { _, err := spec.ReadEndpoint(path); return err }, map[string][2]string{
		"empty file":                {"# nothing\n", "1:1: the file is empty"},
		"list":                      {"- name: x\n", "1:1: the file is a list"},
		"syntax error":              {"name: taxi\ntags: [a\n", "2:7: sequence end token"},
		"tab":                       {"name: taxi\ntags:\n\ta: b\n", "3:1: "},
		"duplicate key":             {"name: taxi\nname: fare\n", `2:1: mapping key "name" already defined at [1:1]`},
		"second document":           {"name: taxi\n---\nname: fare\n", "3:1: a second document"},
		"unknown key":               {"name: taxi\ntrafic: {blue: 100}\n", `2:1: endpoint: unknown key "trafic"; do you mean "traffic"?`},
		"unknown key, nothing near": {"name: taxi\nflavour: vanilla\n", `2:1: endpoint: unknown key "flavour"` + "\n"},
		"no name":                   {"auth_mode: key\n", `1:1: endpoint: "name" is missing`},
		"empty name":                {"auth_mode: key\nname:\n", `1:1: endpoint: "name" is missing`},
		"underscore":                {"name: taxi_fare\n", `1:7: endpoint name "taxi_fare"`},
		"name is a list":            {"name: [taxi]\n", "1:7: name: want text, got a list"},
		"name is a number":          {"name: 12\n", `1:7: name: want text, got a whole number "12"`},
		"sum of 90":                 {"name: taxi\ntraffic:\n  blue: 90\n", "2:1: traffic adds up to 90, want 0 or 100"},
		"share is text":             {"name: taxi\ntraffic:\n  blue: 90%\n", `3:9: blue: want a whole number, got text "90%"`},
		"share above 100":           {"name: taxi\ntraffic: {blue: 101}\n", "2:17: blue: 101 is out of range, want 0 to 100"},
		"mirror above 50":           {"name: taxi\nmirror_traffic: {blue: 51}\n", `2:1: mirror traffic of deployment "blue" is 51`},
		"live and mirrored":         {"name: taxi\ntraffic: {blue: 100}\nmirror_traffic: {blue: 5}\n", `3:1: deployment "blue" gets live traffic`},
		"auth mode":                 {"name: taxi\nauth_mode: keys\n", `2:12: auth_mode: "keys", want key or aml_token or aad_token; do you mean "key"?`},
		"unknown anchor":            {"name: *n\n", "1:7: no anchor &n comes before this"},
		"identity without type":     {"name: taxi\nidentity: {}\n", `2:11: identity: "type" is missing`},
		"first of two":              {"name: taxi\ntrafic: {}\nauth_mode: x\n", `2:1: endpoint: unknown key "trafic"`},
	})
}

func TestDeploymentFaults(t *testing.T) {
	// each case replaces a line of the good file, or adds one at its end
	cases := map[string]struct{ old, new, want string }{
		"no instance type":       {"instance_type: Standard_DS3_v2\n", "", `1:1: deployment: "instance_type" is missing`},
		"misspelt instance type": {"instance_type:", "instance_typ:", `14:1: deployment: unknown key "instance_typ"; do you mean "instance_type"?`},
		"no instance count":      {"instance_count: 2\n", "", `1:1: deployment: "instance_count" is missing`},
		"no name":                {"name: Blue\n", "", `1:1: deployment: "name" is missing`},
		"no endpoint":            {"endpoint_name: taxi-fare\n", "", `1:1: deployment: "endpoint_name" is missing`},
		"no instance":            {"instance_count: 2", "instance_count: 0", "15:17: instance_count: 0 is out of range, want 1 to 50"},
		"instances are text":     {"instance_count: 2", "instance_count: two", `15:17: instance_count: want a whole number, got text "two"`},
		"huge number":            {"instance_count: 2", "instance_count: 99999999999999999999", "15:17: instance_count: "},
		"kubernetes":             {"", "type: kubernetes", `want managed`},
		"code does not exist":    {"code: ../src", "code: ../nowhere", "6:9: ../nowhere: no such file or folder"},
		"code is a file":         {"code: ../src", "code: ../src/score.py", "6:9: code: ../src/score.py is a file, want a folder"},
		"script is missing":      {"scoring_script: score.py", "scoring_script: scores.py", "7:19: scoring_script: no file scores.py"},
		"script is a folder":     {"scoring_script: score.py", "scoring_script: lib", "7:19: scoring_script: no file lib"},
		"script climbs out":      {"scoring_script: score.py", "scoring_script: ../secret.py", "7:19: scoring_script: ../secret.py is outside"},
		"script is absolute":     {"scoring_script: score.py", "scoring_script: /etc/passwd", "7:19: scoring_script: /etc/passwd is outside"},
		"script links out":       {"scoring_script: score.py", "scoring_script: link.py", "7:19: scoring_script: no file link.py"},
		"no script":              {"  scoring_script: score.py\n", "", `6:3: code_configuration: "scoring_script" is missing`},
		"conda file is missing":  {"../conda.yml", "conda.yml", "10:15: conda.yml: no such file"},
		"conda file is broken":   {"../conda.yml", "../broken.yml", "10:15: conda_file: "},
		"model is a path":        {"azureml:taxi-fare@latest", "./model.json", `4:8: model: "./model.json" is no reference`},
		"model without version":  {"azureml:taxi-fare@latest", "azureml:taxi-fare", `4:8: model: "azureml:taxi-fare" is no reference`},
		"unknown label":          {"azureml:taxi-fare@latest", "azureml:taxi-fare@best", "4:8: model: "},
		"model without path":     {"azureml:taxi-fare@latest", "{name: x}", `4:8: model: "path" is missing`},
		"remote model":           {"azureml:taxi-fare@latest", "{path: azureml://x}", "4:15: path: azureml://x is not on this machine"},
		"timeout above 180 s":    {"  max_concurrent", "  request_timeout_ms: 180001\n  max_concurrent", "17:23: request_timeout_ms: 180001 is out of range"},
		"nested unknown key":     {"  period: 1", "  periode: 1", `19:3: readiness_probe: unknown key "periode"; do you mean "period"?`},
		"liveness threshold":     {"", "liveness_probe: {success_threshold: 2}", "success_threshold: 2 is out of range, want 1 to 1"},
		"sampling rate":          {"0.5", "1.5", `22:18: sampling_rate: "1.5", want a number from 0 to 1`},
		"variable is a list":     {"DEBUG: false", "DEBUG: [1]", "13:10: environment_variables.DEBUG: want text, got a list"},
	}
	all := map[string][2]string{}
	for name, tt := range cases {
		text := strings.Replace(deployment, tt.old, tt.new, 1)
		if tt.old == "" {
			text = deployment + tt.new + "\n"
		}
		if text == deployment {
			t.Fatalf("%s: the good file has no %q", name, tt.old)
		}
		all[name] = [2]string{text, tt.want}
	}
	faults(t, func(path string) error { _, err := spec.ReadDeployment(path); return err }, all)
}

// faults reads each text and wants an error that names the file and then has the wanted text;
// one that ends in a line break must end there.
func faults(t *testing.T, read func(string) error, cases map[string][2]string) {
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			path := write(t, tt[0])
			err := read(path)
			if online.CodeOf(err) != online.Invalid {
				t.Fatalf("error %v, want an invalid file", err)
			}
			message, ok := strings.CutPrefix(err.Error()+"\n", path+":")
			if !ok || !strings.Contains(message, tt[1]) || strings.Count(message, "\n") != 1 {
				t.Errorf("error %q\nwant   %q after the path, in one line", message, tt[1])
			}
			if tt[1][0] >= '0' && tt[1][0] <= '9' && !strings.HasPrefix(message, tt[1]) {
				t.Errorf("error %q\nwant it to begin with %q", message, tt[1])
			}
		})
	}
}

func TestMissingFile(t *testing.T) {
	_, err := spec.ReadEndpoint(filepath.Join(t.TempDir(), "endpoint.yml"))
	if online.CodeOf(err) != online.Invalid || !strings.Contains(err.Error(), "endpoint.yml: no such file") {
		t.Errorf("error %v", err)
	}
}

func TestParseRef(t *testing.T) {
	tests := map[string]online.Ref{
		"azureml:m:1":      {Kind: online.Models, Name: "m", Version: "1"},
		"azureml:m@latest": {Kind: online.Models, Name: "m", Version: "@latest"},
		"azureml://registries/r/models/m/versions/1":    {Kind: online.Models, Name: "m", Version: "1", Registry: "r"},
		"azureml://registries/r/models/m/labels/latest": {Kind: online.Models, Name: "m", Version: "@latest", Registry: "r"},
		"azureml:m":     {},
		"azureml:m:":    {},
		"azureml::1":    {},
		"m:1":           {},
		"azureml:a/b:1": {},
		"azureml:m:1:2": {},
		"azureml://registries/r/codes/m/versions/1": {},
		"azureml://registries/r/models/m":           {},
	}
	for text, want := range tests {
		got, err := spec.ParseRef(online.Models, text)
		if got != want || (err == nil) == want.IsZero() {
			t.Errorf("ParseRef(%q) = %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(deployment)
	f.Add("a: &a [*a]\n<<: *b\n")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "f.yml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		spec.ReadEndpoint(path)
		spec.ReadDeployment(path)
		spec.ReadModel(path)
	})
}
