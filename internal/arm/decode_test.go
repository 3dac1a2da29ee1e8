package arm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/arm"
	"hotswap/internal/online"
)

func TestBadBodies(t *testing.T) {
	endpoint := func(body string) error { _, err := arm.DecodeEndpoint("taxi", []byte(body)); return err }
	deployment := func(body string) error {
		_, err := arm.DecodeDeployment(scope, "taxi", "blue", []byte(body))
		return err
	}
	model := func(body string) error { _, err := arm.DecodeModel(online.Ref{}, []byte(body)); return err }
	tests := map[string]struct {
		read func(string) error
		body string
		want string
	}{
		"empty":               {endpoint, "", "the body is empty"},
		"not JSON":            {endpoint, "{", "the body is not JSON: unexpected end of JSON input"},
		"two values":          {endpoint, "{}{}", "the body is not JSON"},
		"a list":              {endpoint, "[]", "the body is a JSON array, want an object"},
		"no properties":       {endpoint, `{"identity":{}}`, "it has no properties"},
		"no identity":         {endpoint, `{"properties":{}}`, "it has no identity"},
		"traffic of a word":   {endpoint, `{"properties":{"traffic":{"blue":"all"}}}`, `properties.traffic.blue is a JSON "all", want a whole number`},
		"traffic of a half":   {endpoint, `{"properties":{"traffic":{"blue":0.5}}}`, "properties.traffic.blue is a JSON 0.5, want a whole number"},
		"traffic of a list":   {endpoint, `{"properties":{"traffic":[]}}`, "properties.traffic is a JSON array, want an object"},
		"traffic of nothing":  {endpoint, `{"properties":{"traffic":{"blue":""}}}`, `properties.traffic.blue is a JSON "", want a whole number`},
		"traffic of 90":       {endpoint, `{"identity":{},"properties":{"traffic":{"blue":90}}}`, "traffic adds up to 90, want 0 or 100"},
		"mirror of 60":        {endpoint, `{"identity":{},"properties":{"mirrorTraffic":{"blue":60}}}`, "want 0 to 50"},
		"authMode":            {endpoint, `{"identity":{},"properties":{"authMode":"none"}}`, `properties.authMode is "none", want Key or AMLToken or AADToken`},
		"identity":            {endpoint, `{"identity":{"type":"Mine"},"properties":{}}`, `identity.type is "Mine"`},
		"tag of an object":    {endpoint, `{"tags":{"a":{}}}`, "tags"},
		"tags of a list":      {endpoint, `{"tags":[]}`, "tags is a JSON array, want an object"},
		"network":             {endpoint, `{"identity":{},"properties":{"publicNetworkAccess":"Maybe"}}`, "properties.publicNetworkAccess"},
		"capacity":            {deployment, `{"sku":{"capacity":"2"}}`, "sku.capacity is a JSON string, want a whole number"},
		"duration of seconds": {deployment, `{"properties":{"requestSettings":{"requestTimeout":5}}}`, "properties.requestSettings.requestTimeout is a JSON 5, want an ISO 8601 duration"},
		"duration":            {deployment, `{"properties":{"livenessProbe":{"period":"10s"}}}`, `properties.livenessProbe.period is a JSON "10s", want an ISO 8601 duration`},
		"kubernetes":          {deployment, `{"properties":{"endpointComputeType":"Kubernetes"}}`, `properties.endpointComputeType is "Kubernetes", want Managed`},
		"autoscale":           {deployment, `{"properties":{"scaleSettings":{"scaleType":"TargetUtilization"}}}`, "properties.scaleSettings.scaleType"},
		"model":               {deployment, `{"properties":{"model":"taxi"}}`, `properties.model: "taxi" names no version of models`},
		"collector":           {deployment, `{"properties":{"dataCollector":"on"}}`, "properties.dataCollector is a JSON value, want an object"},
		"flavors":             {model, `{"properties":{"flavors":[]}}`, "properties.flavors is a JSON value, want an object"},
		"model without any":   {model, `{}`, "read the model: it has no properties"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.read(tt.body)
			if online.CodeOf(err) != online.Invalid || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want Invalid with %q", err, tt.want)
			}
		})
	}
}

// The body that azure-ai-ml 1.34.0 sends for an endpoint that it has read.
func TestDecodeEndpointOfPythonSDK(t *testing.T) {
	got, err := arm.DecodeEndpoint("taxi", []byte(`{"tags":{"n":1,"gone":null},"location":"local","identity":{"type":"systemAssigned"},
		"properties":{"authMode":"aadtoken","properties":{"createdBy":"me","createdAt":"2026","lastModifiedAt":"2026","own":"x"},
		"mirrorTraffic":{"Blue":"10"},"provisioningState":7,"traffic":{"Green":"100","blue":0},"keys":{"primaryKey":"PK"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := online.Endpoint{
		Name: "taxi", Location: "local", Tags: map[string]string{"n": "1"}, Properties: map[string]string{"own": "x"},
		AuthMode: online.AADTokenAuth, Identity: online.Identity{Type: "SystemAssigned"}, PublicNetworkAccess: "Enabled",
		Traffic: online.AllTo("green"), Mirror: online.Mirror{Deployment: "blue", Percent: 10}, Keys: online.Keys{Primary: "PK"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestDecodeDeploymentLeavesOutWhatTheServerSets(t *testing.T) {
	got, err := arm.DecodeDeployment(scope, "taxi", "blue", []byte(`{"sku":{"capacity":1},"properties":{
		"environmentVariables":{"AML_APP_ROOT":"/etc","AZUREML_MODEL_DIR":"/etc","AZUREML_ENTRY_SCRIPT":"/etc","A":"1"},
		"properties":{"AzureAsyncOperationUri":"https://x"},"readinessProbe":{"initialDelay":"PT0S"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"A": "1"}, got.Variables); diff != "" {
		t.Errorf("variables: -want +got\n%s", diff)
	}
	if len(got.Properties) != 0 {
		t.Errorf("properties %v, want none", got.Properties)
	}
	probe := online.DefaultProbe()
	probe.InitialDelay = 0
	if got.Readiness != probe || got.Liveness != (online.Probe{}) {
		t.Errorf("readiness %+v, liveness %+v", got.Readiness, got.Liveness)
	}
}

func TestDecodePatch(t *testing.T) {
	two := 2
	tests := map[string]struct {
		body string
		want arm.Patch
	}{
		"nothing":  {`{}`, arm.Patch{}},
		"tags":     {`{"tags":{"a":"b"}}`, arm.Patch{Tags: map[string]string{"a": "b"}}},
		"no tags":  {`{"tags":{}}`, arm.Patch{Tags: map[string]string{}}},
		"capacity": {`{"sku":{"name":"Default","capacity":2}}`, arm.Patch{Capacity: &two}},
		"identity": {`{"identity":{"type":"None"}}`, arm.Patch{Identity: &online.Identity{Type: "None"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := arm.DecodePatch([]byte(tt.body))
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("%v, -want +got\n%s", err, diff)
			}
		})
	}
}

func TestDurations(t *testing.T) {
	tests := map[string]struct {
		d    time.Duration
		text string
	}{
		"none":    {0, "PT0S"},
		"seconds": {5 * time.Second, "PT5S"},
		"half":    {500 * time.Millisecond, "PT0.5S"},
		"minutes": {20 * time.Minute, "PT20M"},
		"mixed":   {time.Hour + 30*time.Second, "PT1H0M30S"},
		"hours":   {10 * time.Hour, "PT10H"},
		"both":    {90*time.Minute + 1500*time.Millisecond, "PT1H30M1.5S"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := arm.FormatDuration(tt.d); got != tt.text {
				t.Errorf("format %v: %s, want %s", tt.d, got, tt.text)
			}
			if got, err := arm.ParseDuration(tt.text); got != tt.d || err != nil {
				t.Errorf("parse %s: %v %v, want %v", tt.text, got, err, tt.d)
			}
		})
	}
	if got, err := arm.ParseDuration("P1W2DT3H"); got != 9*24*time.Hour+3*time.Hour || err != nil {
		t.Errorf("weeks and days: %v %v", got, err)
	}
	for _, bad := range []string{"", "P", "PT", "5", "PT5", "P1Y", "P1M", "PT1.2.3S", "-PT5S", "PT99999999999999H"} {
		if got, err := arm.ParseDuration(bad); err == nil {
			t.Errorf("parse %q: %v, want an error", bad, got)
		}
	}
}

func TestParseRef(t *testing.T) {
	const id = "/subscriptions/5b1f6a0e/resourceGroups/hotswap/providers/Microsoft.MachineLearningServices/workspaces/local/models/taxi/"
	model := online.Ref{Kind: online.Models, Name: "taxi", Version: "3"}
	latest := online.Ref{Kind: online.Models, Name: "taxi", Version: "@latest"}
	tests := map[string]struct {
		text string
		want online.Ref
		bad  bool
	}{
		"none":               {text: ""},
		"id":                 {text: id + "versions/3", want: model},
		"id in other case":   {text: strings.ToUpper(strings.TrimSuffix(id, "taxi/")) + "taxi/Versions/3", want: model},
		"id of a label":      {text: id + "labels/latest", want: latest},
		"id after azureml:":  {text: "azureml:" + id + "versions/3", want: model},
		"short":              {text: "azureml:taxi:3", want: model},
		"short label":        {text: "azureml:taxi@latest", want: latest},
		"registry":           {text: "azureml://registries/azureml/models/taxi/versions/3", want: online.Ref{Kind: online.Models, Name: "taxi", Version: "3", Registry: "azureml"}},
		"registry label":     {text: "azureml://registries/azureml/models/taxi/labels/latest", want: online.Ref{Kind: online.Models, Name: "taxi", Version: "@latest", Registry: "azureml"}},
		"asset id":           {text: "azureml://locations/local/workspaces/guid/models/taxi/versions/3", want: model},
		"other workspace":    {text: strings.Replace(id, "local", "other", 1) + "versions/3", bad: true},
		"other kind":         {text: strings.Replace(id, "models", "codes", 1) + "versions/3", bad: true},
		"no version":         {text: strings.TrimSuffix(id, "/"), bad: true},
		"empty version":      {text: id + "versions/", bad: true},
		"name only":          {text: "taxi", bad: true},
		"short name only":    {text: "azureml:taxi", bad: true},
		"a path":             {text: "azureml://datastores/x/paths/y", bad: true},
		"unknown owner":      {text: "azureml://planets/x/models/taxi/versions/3", bad: true},
		"registry, no asset": {text: "azureml://registries/azureml", bad: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := scope.ParseRef(online.Models, tt.text)
			if got != tt.want || (err != nil) != tt.bad {
				t.Fatalf("ParseRef(%q) = %+v, %v; want %+v", tt.text, got, err, tt.want)
			}
			if got.Registry != "" && scope.RefID(got) != got.String() {
				t.Errorf("written as %q and as %q", scope.RefID(got), got.String())
			}
			for _, written := range []string{scope.RefID(got), got.String()} {
				if back, again := scope.ParseRef(online.Models, written); err == nil && (back != got || again != nil) {
					t.Errorf("read back from %q: %+v, %v", written, back, again)
				}
			}
		})
	}
}

func TestActions(t *testing.T) {
	type result struct {
		text  string
		n     int
		yes   bool
		value string
	}
	regenerate := func(b []byte) (r result, err error) { r.text, r.value, err = arm.DecodeRegenerate(b); return r, err }
	logs := func(b []byte) (r result, err error) { r.text, r.n, err = arm.DecodeGetLogs(b); return r, err }
	secrets := func(b []byte) (r result, err error) { r.yes, r.n, err = arm.DecodeListSecrets(b); return r, err }
	tests := map[string]struct {
		read func([]byte) (result, error)
		body string
		want result
		bad  bool
	}{
		"regenerate":         {read: regenerate, body: `{"keyType":"secondary","keyValue":"SK"}`, want: result{text: "Secondary", value: "SK"}},
		"regenerate none":    {read: regenerate, body: `{}`, bad: true},
		"regenerate nothing": {read: regenerate, body: ``, bad: true},
		"regenerate third":   {read: regenerate, body: `{"keyType":"Third"}`, bad: true},
		"regenerate number":  {read: regenerate, body: `{"keyType":1}`, bad: true},
		"logs":               {read: logs, body: `{"tail":50,"containerType":"storageinitializer"}`, want: result{text: "StorageInitializer", n: 50}},
		"logs, no body":      {read: logs, want: result{text: "InferenceServer", n: 5000}},
		"logs, no lines":     {read: logs, body: `{"tail":0}`, bad: true},
		"logs of another":    {read: logs, body: `{"containerType":"Sidecar"}`, bad: true},
		"secrets":            {read: secrets, body: `{"expirableSecret":true}`, want: result{yes: true, n: 1}},
		"secrets, no body":   {read: secrets},
		"secrets for ever":   {read: secrets, body: `{"expireAfterHours":9999}`, bad: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.read([]byte(tt.body))
			if tt.bad && online.CodeOf(err) != online.Invalid || !tt.bad && (err != nil || got != tt.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}
