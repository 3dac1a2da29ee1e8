package app_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"
)

// script answers with what its model file holds.
const script = `
import json, os

def init():
    global text
    with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model", "model.txt")) as f:
        text = f.read()
    print("loaded", text)

def run(raw_data):
    return {"model": text, "sum": sum(json.loads(raw_data)["data"])}
`

// The main job, by Microsoft's own SDK over TLS.
func TestFlow(t *testing.T) {
	t.Parallel()
	server, _ := start(t, options(stateDir(t)))
	c := server.client(t, server.made.ClientSecret)

	endpoint := c.putEndpoint(t, "taxi-fare", nil)
	if got := *endpoint.Properties.ProvisioningState; got != ml.EndpointProvisioningStateSucceeded {
		t.Fatalf("endpoint is %s", got)
	}
	code := c.uploadCode(t, script)
	must(t, 0, c.putDeployment(t, "taxi-fare", "blue", c.registerModel(t, "taxi", "1", "one"), code))
	must(t, 0, c.putDeployment(t, "taxi-fare", "green", c.registerModel(t, "taxi", "2", "two"), code))

	keys, err := c.NewOnlineEndpointsClient().ListKeys(t.Context(), c.group, c.workspace, "taxi-fare", nil)
	key, url := *must(t, keys, err).PrimaryKey, *endpoint.Properties.ScoringURI
	if status, answer, _ := c.score(t, url, key, `{"data":[1,2]}`); status != 404 {
		t.Errorf("without traffic: %d %s, want 404", status, answer)
	}
	if status, answer, by := c.score(t, url, key, `{"data":[1,2]}`, "azureml-model-deployment", "green"); status != 200 || by != "green" || answer != `{"model": "two", "sum": 3}` {
		t.Errorf("green by name: %d %s from %s", status, answer, by)
	}
	for _, live := range []string{"blue", "green", "blue"} {
		c.putEndpoint(t, "taxi-fare", map[string]*int32{live: new(int32(100))})
		want := map[string]string{"blue": `{"model": "one", "sum": 6}`, "green": `{"model": "two", "sum": 6}`}[live]
		if status, answer, by := c.score(t, url, key, `{"data":[1,2,3]}`); status != 200 || by != live || answer != want {
			t.Errorf("traffic to %s: %d %s from %s", live, status, answer, by)
		}
	}
	if status, answer, _ := c.score(t, url, "wrong", `{}`); status != 401 {
		t.Errorf("wrong key: %d %s, want 401", status, answer)
	}
	c.updateAndRead(t)
	c.removeAll(t, url, key)
}

// updateAndRead writes a deployment back that it has read, with more instances, and reads its log.
func (c client) updateAndRead(t *testing.T) {
	t.Helper()
	deployments := c.NewOnlineDeploymentsClient()
	read, err := deployments.Get(t.Context(), c.group, c.workspace, "taxi-fare", "blue", nil)
	blue := must(t, read, err).OnlineDeployment
	blue.SKU.Capacity = new(int32(2))
	poller, err := deployments.BeginCreateOrUpdate(t.Context(), c.group, c.workspace, "taxi-fare", "blue", blue, nil)
	updated, err := wait(t, poller, err)
	if got := *must(t, updated, err).SKU.Capacity; got != 2 {
		t.Errorf("capacity %d, want 2", got)
	}
	patch, err := deployments.BeginUpdate(t.Context(), c.group, c.workspace, "taxi-fare", "blue",
		ml.PartialMinimalTrackedResourceWithSKU{SKU: &ml.PartialSKU{Capacity: new(int32(1))}, Tags: map[string]*string{"a": new("b")}}, nil)
	patched, err := wait(t, patch, err)
	if got := must(t, patched, err); *got.SKU.Capacity != 1 || *got.Tags["a"] != "b" {
		t.Errorf("patched: %d instances, tags %v", *got.SKU.Capacity, got.Tags)
	}
	logs, err := deployments.GetLogs(t.Context(), c.group, c.workspace, "taxi-fare", "blue", ml.DeploymentLogsRequest{Tail: new(int32(100))}, nil)
	if got := *must(t, logs, err).Content; !strings.Contains(got, "loaded one") {
		t.Errorf("no output of init in the log:\n%s", got)
	}
	pager := c.NewOnlineEndpointsClient().NewListPager(c.group, c.workspace, nil)
	page, err := pager.NextPage(t.Context())
	if got := must(t, page, err).Value; len(got) != 1 || *got[0].Name != "taxi-fare" {
		t.Errorf("endpoints: %v", got)
	}
}

func (c client) removeAll(t *testing.T, url, key string) {
	t.Helper()
	green, err := c.NewOnlineDeploymentsClient().BeginDelete(t.Context(), c.group, c.workspace, "taxi-fare", "green", nil)
	if _, err := wait(t, green, err); err != nil {
		t.Errorf("delete green: %v", err)
	}
	if status, _, _ := c.score(t, url, key, `{}`, "azureml-model-deployment", "green"); status != 404 {
		t.Errorf("green, deleted: %d, want 404", status)
	}
	regenerate, err := c.NewOnlineEndpointsClient().BeginRegenerateKeys(t.Context(), c.group, c.workspace, "taxi-fare",
		ml.RegenerateEndpointKeysRequest{KeyType: new(ml.KeyTypePrimary)}, nil)
	if _, err := wait(t, regenerate, err); err != nil {
		t.Errorf("regenerate: %v", err)
	}
	if status, _, _ := c.score(t, url, key, `{"data":[]}`); status != 401 {
		t.Errorf("the old key: %d, want 401", status)
	}
	for range 2 { // the second finds nothing to delete
		all, err := c.NewOnlineEndpointsClient().BeginDelete(t.Context(), c.group, c.workspace, "taxi-fare", nil)
		if _, err := wait(t, all, err); err != nil {
			t.Errorf("delete the endpoint: %v", err)
		}
	}
	_, err = c.NewOnlineEndpointsClient().Get(t.Context(), c.group, c.workspace, "taxi-fare", nil)
	wantCode(t, err, 404, "ResourceNotFound")
}

func wantCode(t *testing.T, err error, status int, code string) {
	t.Helper()
	var response *azcore.ResponseError
	if !errors.As(err, &response) || response.StatusCode != status || response.ErrorCode != code {
		t.Errorf("got %v, want %d %s", err, status, code)
	}
}

func TestWrongSecret(t *testing.T) {
	t.Parallel()
	server, _ := start(t, options(stateDir(t)))
	_, err := server.client(t, "wrong").NewWorkspacesClient().Get(t.Context(), "hotswap", "local", nil)
	var refused *azidentity.AuthenticationFailedError
	if !errors.As(err, &refused) || refused.RawResponse.StatusCode != 401 {
		t.Errorf("got %v, want 401 at the login", err)
	}
}

func TestFailingScript(t *testing.T) {
	t.Parallel()
	server, _ := start(t, options(stateDir(t)))
	c := server.client(t, server.made.ClientSecret)
	c.putEndpoint(t, "broken", nil)
	err := c.putDeployment(t, "broken", "blue", "", c.uploadCode(t, "def init():\n    raise ValueError('no such fare')\n\ndef run(data):\n    pass\n"))
	wantCode(t, err, 200, "BadArgument")
	if err == nil || !strings.Contains(err.Error(), "no such fare") {
		t.Errorf("the error does not tell the reason: %v", err)
	}
	err = c.putDeployment(t, "broken", "green", c.registerModel(t, "taxi", "1", "one")+"23", c.uploadCode(t, script))
	wantCode(t, err, 400, "BadRequest")
}
