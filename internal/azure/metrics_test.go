package azure_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

const metricsCall = "GET /onlineendpoints/taxi/providers/microsoft.insights/metrics"

// series is a time series as Azure Monitor writes it; a value of "" is none.
func series(status, field string, values ...string) string {
	meta := `{"name":{"value":"deployment","localizedValue":"deployment"},"value":"blue"}`
	if status != "" {
		meta += `,{"name":{"value":"statuscode","localizedValue":"statuscode"},"value":"` + status + `"}`
	}
	var data []string
	for n, v := range values {
		point := fmt.Sprintf(`{"timeStamp":"2026-01-01T12:%02d:00Z"`, n)
		if v != "" {
			point += `,"` + field + `":` + v
		}
		data = append(data, point+"}")
	}
	return `{"metadatavalues":[` + meta + `],"data":[` + strings.Join(data, ",") + `]}`
}

func metric(name string, series ...string) string {
	return `{"id":"i","type":"Microsoft.Insights/metrics","name":{"value":"` + name + `"},"unit":"Count","timeseries":[` + strings.Join(series, ",") + `],"errorCode":"Success"}`
}

func monitored(metrics ...string) string {
	return `{"cost":1,"timespan":"x/y","interval":"PT1M","value":[` + strings.Join(metrics, ",") + `]}`
}

// monitor answers the query for all requests, and the one by status, and keeps what it was asked.
func monitor(f *fakeAzure, all, byStatus string) *[]url.Values {
	asked := new([]url.Values)
	f.hooks[metricsCall] = func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.Query())
		if strings.Contains(r.URL.Query().Get("$filter"), "statusCode") {
			reply(w, 200, byStatus)
			return
		}
		reply(w, 200, all)
	}
	return asked
}

func TestMetricsOfIntervals(t *testing.T) {
	f, o := newFakeAzure(t)
	asked := monitor(f,
		monitored(metric("RequestsPerMinute", series("", "average", "12", "0", "", "5")), metric("RequestLatency_P50", series("", "average", "20.5", "0", "")),
			metric("RequestLatency_P99", series("", "average", "100"))),
		monitored(metric("RequestsPerMinute", series("200", "average", "10", "0", ""), series("424", "average", "2", "0", ""))))
	from := time.Date(2026, 1, 1, 12, 0, 20, 0, time.UTC)
	got, err := connect(t, o).Metrics(t.Context(), azure.MetricsQuery{Endpoint: "taxi", Deployment: "blue", From: from, To: from.Add(5*time.Minute + 30*time.Second), Interval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	at := func(n int) time.Time { return from.Truncate(time.Minute).Add(time.Duration(n) * time.Minute) }
	none := map[int]float64{}
	want := []azure.MetricsPoint{
		{At: at(0), Known: true, Requests: 12, ByStatus: map[int]float64{200: 10, 424: 2}, P50: 20500 * time.Microsecond, P99: 100 * time.Millisecond},
		{At: at(1), Known: true, ByStatus: none},
		{At: at(2), ByStatus: none}, // no values
		{At: at(3), ByStatus: none}, // requests without a status
		{At: at(4), ByStatus: none}, // no points
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	wantQuery := func(filter, names string) url.Values {
		return url.Values{
			"api-version": {"2024-02-01"}, "metricnames": {names}, "interval": {"PT1M"}, "aggregation": {"average"}, "top": {"1000"},
			"timespan": {"2026-01-01T12:00:00Z/2026-01-01T12:05:00Z"}, "$filter": {filter},
		}
	}
	if diff := cmp.Diff([]url.Values{
		wantQuery("deployment eq 'blue'", "RequestsPerMinute,RequestLatency_P50,RequestLatency_P99"),
		wantQuery("deployment eq 'blue' and statusCode eq '*'", "RequestsPerMinute"),
	}, *asked); diff != "" {
		t.Errorf("asked: -want +got\n%s", diff)
	}
}

func TestMetricsOfAllTheTime(t *testing.T) {
	from := time.Date(2026, 1, 1, 12, 0, 20, 0, time.UTC)
	none := map[int]float64{}
	for name, tt := range map[string]struct {
		all, byStatus string
		want          azure.MetricsPoint
	}{
		"requests": {
			monitored(metric("RequestsPerMinute", series("", "total", "30")), metric("RequestLatency_P50", series("", "average", "7"))),
			monitored(metric("RequestsPerMinute", series("200", "total", "29"), series("", "total"), series("odd", "total", "1"))),
			azure.MetricsPoint{Known: true, Requests: 30, ByStatus: map[int]float64{200: 29, 0: 1}, P50: 7 * time.Millisecond},
		},
		"none":            {monitored(metric("RequestsPerMinute", series("", "total", "0"))), monitored(metric("RequestsPerMinute")), azure.MetricsPoint{Known: true, ByStatus: none}},
		"not known":       {monitored(metric("RequestsPerMinute", series("", "total", ""))), monitored(metric("RequestsPerMinute")), azure.MetricsPoint{ByStatus: none}},
		"no series":       {monitored(metric("RequestsPerMinute")), monitored(metric("RequestsPerMinute")), azure.MetricsPoint{ByStatus: none}},
		"only an average": {monitored(metric("RequestsPerMinute", series("", "average", "3"))), monitored(), azure.MetricsPoint{ByStatus: none}},
	} {
		f, o := newFakeAzure(t)
		asked := monitor(f, tt.all, tt.byStatus)
		got, err := connect(t, o).Metrics(t.Context(), azure.MetricsQuery{Endpoint: "taxi", Deployment: "blue", From: from.Add(-time.Millisecond), To: from.Add(77*time.Second + time.Millisecond)})
		tt.want.At = from
		if diff := cmp.Diff([]azure.MetricsPoint{tt.want}, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
		if q := (*asked)[0]; q.Get("interval") != "FULL" || q.Get("aggregation") != "total,average" || q.Get("timespan") != "2026-01-01T12:00:20Z/2026-01-01T12:01:37Z" {
			t.Errorf("%s: asked %v", name, q)
		}
	}
}

func TestMetricsOfNoWholeSecond(t *testing.T) {
	_, o := newFakeAzure(t)
	from := time.Date(2026, 1, 1, 12, 0, 0, 1, time.UTC)
	for name, q := range map[string]azure.MetricsQuery{
		"of a second": {From: from, To: from.Add(1500 * time.Millisecond)}, "of a minute": {From: from, To: from.Add(50 * time.Second), Interval: time.Minute},
		"backwards": {From: from, To: from.Add(-time.Hour)},
	} {
		if points, err := connect(t, o).Metrics(t.Context(), q); err != nil || len(points) != 0 {
			t.Errorf("%s: %v, %v; want no points", name, points, err)
		}
	}
}

// Counts that are rates on the wire come back whole.
func TestMetricsOfOddIntervals(t *testing.T) {
	f, o := newFakeAzure(t)
	rate := fmt.Sprint(13.0 * 60 / 7)
	from := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).Truncate(7 * time.Second)
	body := monitored(metric("RequestsPerMinute", series("200", "average", rate)))
	monitor(f, monitored(), strings.ReplaceAll(body, "2026-01-01T12:00:00Z", from.Format(time.RFC3339)))
	got, err := connect(t, o).Metrics(t.Context(), azure.MetricsQuery{Endpoint: "taxi", Deployment: "blue", From: from, To: from.Add(15 * time.Second), Interval: 7 * time.Second})
	if err != nil || len(got) != 2 || got[0].Requests != 13 || got[1].Known {
		t.Errorf("%v, %v; want 13 requests, and a point that is not known", got, err)
	}
}

func TestMetricsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		code   online.Code
		want   string
	}{
		"no role":          {403, `{"error":{"code":"AuthorizationFailed","message":"no action"}}`, online.Forbidden, `ask for the role "Monitoring Reader"`},
		"a bare error":     {400, `{"code":"BadRequest","message":"Detected invalid time grain input"}`, online.Invalid, "Detected invalid time grain input"},
		"of one metric":    {200, `{"value":[{"name":{"value":"M"},"errorCode":"InvalidSamplingType","errorMessage":"no such"}]}`, online.Unavailable, "M: no such (InvalidSamplingType)"},
		"an absent target": {404, `{"error":{"code":"ResourceNotFound","message":"not there"}}`, online.NotFound, "not there"},
	} {
		f, o := newFakeAzure(t)
		f.hooks[metricsCall] = func(w http.ResponseWriter, _ *http.Request) { reply(w, tt.status, tt.body) }
		_, err := connect(t, o).Metrics(t.Context(), azure.MetricsQuery{Endpoint: "taxi", Deployment: "blue", From: time.Now(), To: time.Now().Add(time.Minute)})
		if online.CodeOf(err) != tt.code || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v (%s), want %q (%s)", name, err, online.CodeOf(err), tt.want, tt.code)
		}
	}
}

func TestNowIsTheServices(t *testing.T) {
	f, o := newFakeAzure(t)
	f.hooks["GET /onlineendpoints/taxi"] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		reply(w, 404, `{}`)
	}
	c := connect(t, o)
	if off := time.Until(c.Now()); off.Abs() > time.Second {
		t.Errorf("before any answer it is off by %v", off)
	}
	c.Endpoint(t.Context(), "taxi")
	if off := time.Until(c.Now()) - time.Hour; off > 0 || off < -1500*time.Millisecond {
		t.Errorf("it is off by %v", off)
	}
}
