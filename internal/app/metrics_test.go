package app_test

import (
	"slices"
	"testing"
	"time"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

// napper sleeps for as many milliseconds as it is told, and fails where it is told so.
const napper = `
import json, time

def init():
    pass

def run(raw_data):
    asked = json.loads(raw_data)
    if asked.get("fail"):
        raise ValueError("as asked")
    time.sleep(asked.get("ms", 0) / 1000)
    return "done"
`

// pipeline makes the pipeline's own client.
func (r *running) pipeline(t *testing.T) *azure.Client {
	t.Helper()
	c, err := azure.Dial(t.Context(), azure.Options{CredentialsFile: r.CredentialsFile(), Getenv: func(name string) string {
		return map[string]string{"SSL_CERT_FILE": r.CAFile()}[name]
	}, Dir: t.TempDir()})
	return must(t, c, err)
}

// napping starts a server with the deployment blue of taxi, which has no traffic and is asked by name.
func napping(t *testing.T, azureLike bool, lag time.Duration) (pipeline *azure.Client, score func(body string) int) {
	t.Helper()
	o := options(stateDir(t))
	o.AzureLike, o.MetricsLag = azureLike, lag
	r, _ := start(t, o)
	c := r.client(t, r.made.ClientSecret)
	url := *c.putEndpoint(t, "taxi", nil).Properties.ScoringURI
	must(t, 0, c.putDeployment(t, "taxi", "blue", "", c.uploadCode(t, napper)))
	keys, err := c.NewOnlineEndpointsClient().ListKeys(t.Context(), c.group, c.workspace, "taxi", nil)
	key := *must(t, keys, err).PrimaryKey
	return r.pipeline(t), func(body string) int {
		status, _, _ := r.score(t, url, key, body, "azureml-model-deployment", "blue")
		return status
	}
}

// nextSecond waits for the service's next whole second, and returns it.
func nextSecond(c *azure.Client) time.Time {
	next := c.Now().Truncate(time.Second).Add(time.Second)
	time.Sleep(next.Sub(c.Now()))
	return next
}

// What the gateway counts comes out of the pipeline's client, through Microsoft's SDK, exactly.
func TestMetrics(t *testing.T) {
	t.Parallel()
	pipeline, score := napping(t, false, 0)
	if e, err := pipeline.Endpoint(t.Context(), "taxi"); err != nil || e.Properties[online.MetricsAtOnce] != "PT1S" {
		t.Fatalf("%v, %v: it does not say that its metrics are final", e.Properties, err)
	}
	score(`{"ms": 0}`) // before the window
	from := nextSecond(pipeline)
	var took []time.Duration
	for range 40 {
		began := time.Now()
		if status := score(`{"ms": 50}`); status != 200 {
			t.Fatal(status)
		}
		took = append(took, time.Since(began))
	}
	began := time.Now()
	score(`{"ms": 700}`)
	slowest := time.Since(began)
	for range 3 {
		score(`{"fail": true}`)
	}
	to := nextSecond(pipeline)
	score(`{"ms": 0}`) // after it

	q := azure.MetricsQuery{Endpoint: "taxi", Deployment: "blue", From: from, To: to}
	points, err := pipeline.Metrics(t.Context(), q)
	if err != nil || len(points) != 1 {
		t.Fatal(points, err)
	}
	p := points[0]
	if !p.Known || p.Requests != 44 || len(p.ByStatus) != 2 || p.ByStatus[200] != 41 || p.ByStatus[424] != 3 || !p.At.Equal(from) {
		t.Errorf("%+v, want 41 answers 200 and 3 424", p)
	}
	slices.Sort(took)
	within(t, "P50", p.P50, 50*time.Millisecond, took[len(took)/2+5])
	within(t, "P99", p.P99, 700*time.Millisecond, slowest)
	bySecond(t, pipeline, q, 44)
	unknown(t, pipeline, q)
}

// within checks a percentile against what the model and the client took, by the 5 % that it may be off.
func within(t *testing.T, name string, got, least, most time.Duration) {
	t.Helper()
	if got < least*95/100 || got > most*105/100 {
		t.Errorf("%s is %v, want %v to %v", name, got, least, most)
	}
}

// bySecond checks that the seconds of a query add up.
func bySecond(t *testing.T, pipeline *azure.Client, q azure.MetricsQuery, want float64) {
	t.Helper()
	q.Interval = time.Second
	points, err := pipeline.Metrics(t.Context(), q)
	sum := 0.0
	for _, p := range points {
		sum += p.Requests
		if !p.Known {
			t.Errorf("second %v is not known", p.At)
		}
	}
	if err != nil || len(points) != int(q.To.Sub(q.From)/time.Second) || sum != want {
		t.Errorf("by seconds: %v requests in %d points, %v", sum, len(points), err)
	}
}

// unknown asks for what there is no count of.
func unknown(t *testing.T, pipeline *azure.Client, q azure.MetricsQuery) {
	t.Helper()
	for name, tt := range map[string]struct {
		change func(q *azure.MetricsQuery)
		known  bool
	}{
		"before the server's start": {func(q *azure.MetricsQuery) { q.From = q.From.Add(-time.Hour) }, false},
		"not over yet":              {func(q *azure.MetricsQuery) { q.To = q.To.Add(time.Hour) }, false},
		"another deployment":        {func(q *azure.MetricsQuery) { q.Deployment = "green" }, true},
	} {
		q := q
		tt.change(&q)
		if points, err := pipeline.Metrics(t.Context(), q); err != nil || len(points) != 1 || points[0].Known != tt.known || points[0].Requests != 0 {
			t.Errorf("%s: %+v, %v", name, points, err)
		}
	}
	q.Endpoint = "bus"
	if _, err := pipeline.Metrics(t.Context(), q); online.CodeOf(err) != online.NotFound {
		t.Errorf("no endpoint: %v", err)
	}
}

// As on Azure, the newest metrics read zero and come to be what they are.
func TestMetricsLag(t *testing.T) {
	t.Parallel()
	const lag = 6 * time.Second
	pipeline, score := napping(t, true, lag)
	if e, err := pipeline.Endpoint(t.Context(), "taxi"); err != nil || e.Properties[online.MetricsAtOnce] != "" {
		t.Fatalf("%v, %v: it says that its metrics are final", e.Properties, err)
	}
	from := pipeline.Now().Truncate(lag)
	for range 5 {
		score(`{}`)
	}
	q := azure.MetricsQuery{Endpoint: "taxi", Deployment: "blue", From: from, To: from.Add(2 * lag), Interval: lag}
	sum := func() (requests float64, known bool) {
		points, err := pipeline.Metrics(t.Context(), q)
		if err != nil || len(points) != 2 {
			t.Fatal(points, err)
		}
		return points[0].Requests + points[1].Requests, points[0].Known && points[1].Known
	}
	if requests, known := sum(); requests != 0 || known {
		t.Errorf("%v requests at once (known: %v), want none, without a series", requests, known)
	}
	eventually(t, func() string {
		if requests, known := sum(); requests != 5 || !known {
			return "the requests don't show"
		}
		return ""
	})
}
