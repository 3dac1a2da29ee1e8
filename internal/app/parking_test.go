package app_test

import (
	"strings"
	"testing"
	"time"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

// park writes a deployment as it is, but for its instances, as the pipeline does.
func park(t *testing.T, c *azure.Client, d azure.Deployment, instances int) (azure.Deployment, error) {
	t.Helper()
	d.InstanceCount = instances
	return c.PutDeployment(t.Context(), d.Deployment)
}

// parkGreen parks green, and returns what it was before.
func parkGreen(t *testing.T, c *azure.Client) azure.Deployment {
	t.Helper()
	before, err := c.Deployment(t.Context(), "taxi", "green")
	if err != nil {
		t.Fatal(err)
	}
	parked, err := park(t, c, before, 0)
	if err != nil || !parked.Parked() || parked.State != online.Succeeded || parked.Fingerprint == before.Fingerprint {
		t.Fatalf("%+v, %v; want it parked, with another fingerprint", parked, err)
	}
	_, err = c.PutEndpoint(t.Context(), online.Endpoint{Name: "taxi", Traffic: online.AllTo("green")})
	if online.CodeOf(err) != online.Invalid || !strings.Contains(err.Error(), "parked") {
		t.Errorf("traffic to it: %v", err)
	}
	return before
}

// The processes of a parked deployment are gone, also after a restart; then it is back, as what it was.
func TestParking(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	server, stop := start(t, options(dir))
	c, pipeline := server.client(t, server.made.ClientSecret), server.pipeline(t)
	endpoint := c.putEndpoint(t, "taxi", nil)
	if *endpoint.Properties.Properties[online.Parking] != "yes" {
		t.Error("the server does not say that it can park")
	}
	code := c.uploadCode(t, script)
	must(t, 0, c.putDeployment(t, "taxi", "blue", c.registerModel(t, "fare", "1", "one"), code))
	alone := len(processesOf(t, dir))
	must(t, 0, c.putDeployment(t, "taxi", "green", c.registerModel(t, "price", "2", "two"), code))
	c.putEndpoint(t, "taxi", map[string]*int32{"blue": new(int32(100))})
	keys, err := c.NewOnlineEndpointsClient().ListKeys(t.Context(), c.group, c.workspace, "taxi", nil)
	key, url := *must(t, keys, err).PrimaryKey, *endpoint.Properties.ScoringURI
	green := func(r *running) int {
		status, _, _ := r.score(t, url, key, `{"data":[1]}`, "azureml-model-deployment", "green")
		return status
	}
	if n := len(processesOf(t, dir)); n <= alone || green(server) != 200 {
		t.Fatalf("%d processes, %d without green", n, alone)
	}

	before := parkGreen(t, pipeline)
	if left := processesOf(t, dir); len(left) != alone || green(server) != 503 {
		t.Errorf("parked: %q, want %d processes; status %d, want 503", left, alone, green(server))
	}

	stop()
	o := options(dir)
	o.Addr = strings.TrimPrefix(server.URL(), "https://")
	o.Addr = strings.Replace(o.Addr, "localhost", "127.0.0.1", 1)
	server, _ = start(t, o)
	eventually(t, func() string {
		if status, _, _ := server.score(t, url, key, `{"data":[1]}`); status != 200 {
			return "blue is not up"
		}
		return ""
	})
	if left := processesOf(t, dir); len(left) != alone || green(server) != 503 {
		t.Errorf("after a restart: %q, status %d", left, green(server))
	}

	began := time.Now()
	back, err := park(t, server.pipeline(t), before, 1)
	if err != nil || back.Fingerprint != before.Fingerprint || green(server) != 200 {
		t.Errorf("back as %+v, %v, was %+v", back, err, before)
	}
	t.Logf("back in %v", time.Since(began))
}
