package arm_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	sdk "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"
	"github.com/google/go-cmp/cmp"

	"hotswap/internal/arm"
	"hotswap/internal/online"
)

var (
	scope = arm.Scope{Subscription: "5b1f6a0e", ResourceGroup: "hotswap", Workspace: "local"}
	when  = time.Date(2026, 1, 2, 3, 4, 5, 678900000, time.UTC)
)

func traffic(t *testing.T, shares map[string]int) online.Traffic {
	t.Helper()
	made, err := online.NewTraffic(shares)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func endpoint(t *testing.T) online.Endpoint {
	return online.Endpoint{
		Name: "taxi-fare", Location: "local", Description: "fares",
		Tags: map[string]string{"team": "a"}, Properties: map[string]string{"own": "1"},
		AuthMode: online.KeyAuth, Identity: online.Identity{Type: "SystemAssigned,UserAssigned", UserAssigned: []string{"/subscriptions/x/id"}},
		PublicNetworkAccess: "Disabled", Traffic: traffic(t, map[string]int{"blue": 90, "green": 10}),
		Mirror: online.Mirror{Deployment: "red", Percent: 20},
	}
}

func deployment() online.Deployment {
	return online.Deployment{
		Endpoint: "taxi-fare", Name: "blue", Location: "local", Description: "v3",
		Tags: map[string]string{"commit": "abc"}, Properties: map[string]string{"own": "1"},
		Model:       online.Ref{Kind: online.Models, Name: "taxi-fare", Version: "3"},
		Code:        online.CodeConfiguration{Code: online.Ref{Kind: online.Codes, Name: "c0de", Version: "1"}, Script: "score.py"},
		Environment: online.Ref{Kind: online.Environments, Name: "sklearn-1.5", Version: "@latest", Registry: "azureml"},
		Variables:   map[string]string{"WORKER_COUNT": "2"}, InstanceType: "Standard_DS3_v2", InstanceCount: 2,
		Request: online.RequestSettings{MaxConcurrentRequestsPerInstance: 32, Timeout: 90 * time.Second, MaxQueueWait: 500 * time.Millisecond},
		Liveness: online.Probe{
			InitialDelay: 0, Period: time.Second, Timeout: 2 * time.Second, SuccessThreshold: 1, FailureThreshold: 3,
		},
		Readiness: online.DefaultProbe(), AppInsights: true, Egress: "Disabled",
		DataCollector: []byte(`{"collections":{"model_inputs":{"dataCollectionMode":"Enabled"}},"rollingRate":"Hour"}`),
	}
}

// stamped is what the server adds before it answers.
func stamped(e online.Endpoint) online.Endpoint {
	e.State, e.ScoringURI = online.Succeeded, "https://localhost:8443/endpoints/taxi-fare/score"
	e.CreatedAt, e.ModifiedAt, e.CreatedBy = when, when, "hotswap"
	return e
}

// through sends a reply through the Go SDK's model of it, as a client that reads a resource and
// writes it back whole.
func through[T any](t *testing.T, reply any) []byte {
	t.Helper()
	var model T
	b, err := json.Marshal(reply)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &model); err != nil {
		t.Fatalf("the SDK cannot read %s: %v", b, err)
	}
	back, err := json.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestEndpointRoundTrip(t *testing.T) {
	want := endpoint(t)
	reply := arm.NewEndpoint(scope, "tenant", "https://localhost:8443/operation", stamped(want))
	got, err := arm.DecodeEndpoint("taxi-fare", through[sdk.OnlineEndpoint](t, reply))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("GET, then PUT of the same: -want +got\n%s", diff)
	}
}

func TestDeploymentRoundTrip(t *testing.T) {
	want := deployment()
	answered := want
	answered.State, answered.CreatedAt, answered.ModifiedAt = online.Succeeded, when, when
	reply := arm.NewDeployment(scope, "https://localhost:8443/operation", answered)
	got, err := arm.DecodeDeployment(scope, "taxi-fare", "blue", through[sdk.OnlineDeployment](t, reply))
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if json.Unmarshal(want.DataCollector, &a) != nil || json.Unmarshal(got.DataCollector, &b) != nil || !cmp.Equal(a, b) {
		t.Errorf("data collector %s became %s", want.DataCollector, got.DataCollector)
	}
	got.DataCollector = want.DataCollector
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("GET, then PUT of the same: -want +got\n%s", diff)
	}
}

func TestAssetRoundTrip(t *testing.T) {
	asset := func(kind online.AssetKind) online.Asset {
		return online.Asset{
			Ref: online.Ref{Kind: kind, Name: "taxi", Version: "3"}, Description: "d",
			Tags: map[string]string{"a": "b"}, Properties: map[string]string{"hash_sha256": "aa"}, Anonymous: true,
		}
	}
	t.Run("model", func(t *testing.T) {
		want := online.Model{Asset: asset(online.Models), URI: "azureml://x", Type: "mlflow_model", JobName: "job", Flavors: []byte(`{"python_function":{"data":{"a":"b"}}}`)}
		got, err := arm.DecodeModel(want.Ref, through[sdk.ModelVersion](t, arm.NewModel(scope, want)))
		check(t, want, got, err)
	})
	t.Run("code", func(t *testing.T) {
		want := online.CodeFolder{Asset: asset(online.Codes), URI: "https://x/y"}
		got, err := arm.DecodeCode(want.Ref, through[sdk.CodeVersion](t, arm.NewCode(scope, want)))
		check(t, want, got, err)
	})
	t.Run("environment", func(t *testing.T) {
		want := online.Environment{
			Asset: asset(online.Environments), Image: "mcr/x", CondaFile: "name: x\n", BuildContext: "https://x", Dockerfile: "Dockerfile",
			OSType: "Linux", InferenceConfig: []byte(`{"livenessRoute":{"path":"/","port":5001}}`),
		}
		got, err := arm.DecodeEnvironment(want.Ref, through[sdk.EnvironmentVersion](t, arm.NewEnvironment(scope, want)))
		check(t, want, got, err)
	})
}

func check(t *testing.T, want, got any, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("GET, then PUT of the same: -want +got\n%s", diff)
	}
}

// What azure-ai-ml 1.34.0 fails on if it is missing or null.
func TestRepliesHaveWhatClientsNeed(t *testing.T) {
	bare := online.Deployment{Endpoint: "taxi", Name: "blue"}.WithDefaults()
	tests := map[string]struct {
		reply any
		want  []string
	}{
		"endpoint": {arm.NewEndpoint(scope, "tenant", "", online.Endpoint{Name: "taxi"}), []string{
			`"traffic":{}`, `"mirrorTraffic":{}`, `"tags":{}`, `"keys":null`, `"compute":null`, `"description":null`, `"createdAt":"0001`, `"lastModifiedAt":"0001`,
			`"properties":{"azureml.onlineendpointid":"/subscriptions/5b1f6a0e/resourcegroups/hotswap/providers/microsoft.machinelearningservices/workspaces/local/onlineendpoints/taxi"}`,
		}},
		"deployment": {arm.NewDeployment(scope, "", bare), []string{
			`"scaleSettings":{"scaleType":"Default"}`, `"endpointComputeType":"Managed"`, `"capacity":0`, `"environmentVariables":{}`,
			`"requestTimeout":"PT5S"`, `"maxQueueWait":"PT0.5S"`, `"initialDelay":"PT10S"`, `"model":null`, `"codeConfiguration":null`, `"dataCollector":null`,
		}},
		"model":     {arm.NewModel(scope, online.Model{}), []string{`"flavors":{}`, `"tags":{}`, `"properties":{}`, `"provisioningState":"Succeeded"`}},
		"container": {arm.NewContainer(scope, arm.Container{Next: "1"}), []string{`"latestVersion":null`, `"nextVersion":"1"`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b, err := json.Marshal(tt.reply)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				if !strings.Contains(string(b), want) {
					t.Errorf("no %s in %s", want, b)
				}
			}
		})
	}
}

func TestReservedVariables(t *testing.T) {
	b, err := json.Marshal(arm.NewDeployment(scope, "", deployment()))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"AML_APP_ROOT":"/var/azureml-app"`, `"AZUREML_ENTRY_SCRIPT":"score.py"`,
		`"AZUREML_MODEL_DIR":"/var/azureml-app/azureml-models/taxi-fare/3"`, `"WORKER_COUNT":"2"`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
}
