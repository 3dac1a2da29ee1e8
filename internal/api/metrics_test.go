package api_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hotswap/internal/api"
	"hotswap/internal/arm"
	"hotswap/internal/meter"
)

const metricsPath = scope + "/onlineEndpoints/taxi/providers/Microsoft.Insights/metrics"

// measured is a server whose meter began 10 minutes ago; 5 minutes ago blue has answered three requests each
// second for a minute, of which one failed each 10 seconds, and green one each 2 seconds.
func measured(t *testing.T, lag time.Duration, f func(s *server, then time.Time)) {
	synctest.Test(t, func(t *testing.T) {
		m := meter.New()
		s := newServer(t, func(o *api.Options) { o.Meter, o.MetricsLag = m, lag })
		time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(5 * time.Minute)))
		then := time.Now()
		blue, green := m.Counter("taxi", "blue"), m.Counter("taxi", "green")
		for n := range 60 {
			for range 3 {
				blue.Count(time.Now().Add(-20*time.Millisecond), meter.Status{Client: 200, Model: 200})
			}
			if n%10 == 0 {
				blue.Count(time.Now().Add(-2*time.Second), meter.Status{Client: 424, Model: 500})
			}
			if n%2 == 0 {
				green.Count(time.Now().Add(-40*time.Millisecond), meter.Status{Client: 200, Model: 200})
			}
			if n == 59 {
				green.Count(time.Now().Add(-40*time.Millisecond), meter.Status{Client: 429})
			}
			time.Sleep(time.Second)
		}
		time.Sleep(4 * time.Minute)
		f(s, then)
	})
}

// ask makes a query for a timespan that begins and ends so long after then.
func (s *server) ask(t *testing.T, then time.Time, from, to time.Duration, parameters string) arm.Metrics {
	t.Helper()
	q, err := url.ParseQuery(parameters)
	if err != nil {
		t.Fatal(err)
	}
	q.Set("timespan", then.Add(from).UTC().Format(time.RFC3339)+"/"+then.Add(to).UTC().Format(time.RFC3339))
	w := s.call("GET", metricsPath+"?"+q.Encode(), "")
	var m arm.Metrics
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil || w.Code != http.StatusOK {
		t.Fatal(w.Code, w.Body, err)
	}
	return m
}

// shown is a metric's series, one a line: its dimensions, then its points.
func shown(m arm.Metric) string {
	var lines []string
	for _, s := range m.Timeseries {
		words := []string{}
		for _, v := range s.MetadataValues {
			words = append(words, v.Value)
		}
		for _, p := range s.Data {
			word := "?"
			if p.Total != nil {
				word = fmt.Sprint(*p.Total)
			} else if p.Average != nil {
				word = fmt.Sprint("~", math.Round(*p.Average))
			}
			words = append(words, word)
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return strings.Join(lines, "\n")
}

func TestMetrics(t *testing.T) {
	const requests, latency = "metricnames=RequestsPerMinute&interval=FULL&aggregation=total", "metricnames=requestlatency_p99&interval=FULL"
	measured(t, 0, func(s *server, then time.Time) {
		for name, tt := range map[string]struct {
			from, to time.Duration
			query    string
			want     string
		}{
			"all together":               {0, time.Minute, requests, "217"},
			"one deployment":             {0, time.Minute, requests + "&$filter=deployment eq 'blue'", "blue 186"},
			"its case":                   {0, time.Minute, requests + "&$filter=DEPLOYMENT EQ 'Blue'", "blue 186"},
			"any deployment":             {0, time.Minute, requests + "&$filter=deployment eq '*'", "blue 186\ngreen 31"},
			"to the second":              {10 * time.Second, 17 * time.Second, requests + "&$filter=deployment eq 'blue'", "blue 22"},
			"by status":                  {0, time.Minute, requests + "&$filter=deployment eq 'blue' and statusCode eq '*'", "blue 200 180\nblue 424 6"},
			"by class":                   {0, time.Minute, requests + "&$filter=deployment eq 'green' and statusCodeClass eq '*'", "green 2xx 30\ngreen 4xx 1"},
			"all but a class":            {0, time.Minute, requests + "&$filter=statusCodeClass ne '2xx'", "4xx 7"},
			"by model status":            {0, time.Minute, requests + "&$filter=modelStatusCode eq '*'", "200 210\n500 6\nUnknown 1"},
			"one or another":             {0, time.Minute, requests + "&$filter=statusCode eq '429' or statusCode eq '424' and deployment eq '*'", "424 blue 6\n429 green 1"},
			"the most only":              {0, time.Minute, requests + "&$filter=statusCode eq '*'&top=1", "200 210"},
			"the fewest only":            {0, time.Minute, requests + "&$filter=statusCode eq '*'&top=1&orderby=total asc", "429 1"},
			"no requests are zero":       {2 * time.Minute, 3 * time.Minute, requests + "&$filter=deployment eq 'blue'", "blue 0"},
			"no deployment is zero":      {0, time.Minute, requests + "&$filter=deployment eq 'red'", "red 0"},
			"no status is no series":     {2 * time.Minute, 3 * time.Minute, requests + "&$filter=deployment eq 'blue' and statusCode eq '*'", ""},
			"before the start":           {-10 * time.Minute, time.Minute, requests, "?"},
			"not over yet":               {4 * time.Minute, 6 * time.Minute, requests, "?"},
			"each minute":                {0, 2*time.Minute + 30*time.Second, "metricnames=RequestsPerMinute&aggregation=total", "217 0 0"},
			"minutes from any second":    {-30 * time.Second, 90 * time.Second, "metricnames=RequestsPerMinute&aggregation=total", "108 109"},
			"each second":                {0, 3 * time.Second, "metricnames=RequestsPerMinute&aggregation=total&interval=PT1S", "5 3 4"},
			"as a rate":                  {0, 30 * time.Second, "metricnames=RequestsPerMinute&interval=FULL", "~216"},
			"a percentile":               {0, time.Minute, latency + "&$filter=deployment eq '*'", "blue ~2084\ngreen ~42"},
			"a percentile of all":        {0, time.Minute, latency, "~2084"},
			"a percentile of nothing":    {2 * time.Minute, 3 * time.Minute, latency + "&$filter=deployment eq 'blue'", "blue ?"},
			"a mean":                     {0, time.Minute, "metricnames=RequestLatency&interval=FULL&$filter=deployment eq 'blue'", "blue ~84"},
			"unknown dimensions ignored": {0, time.Minute, latency + "&$filter=deployment eq 'blue' and statusCode eq '*'&ValidateDimensions=false", "blue ~2084"},
			"which there are":            {0, time.Minute, requests + "&$filter=deployment eq '*'&resultType=metadata", "blue\ngreen"},
		} {
			if got := shown(s.ask(t, then, tt.from, tt.to, tt.query).Value[0]); got != tt.want {
				t.Errorf("%s:\n%s\nwant\n%s", name, got, tt.want)
			}
		}
	})
}

func TestMetricsThatLag(t *testing.T) {
	const each = "metricnames=RequestsPerMinute&aggregation=total"
	for name, tt := range map[string]struct {
		lag      time.Duration
		from, to time.Duration
		query    string
		want     string
	}{
		"as old as the lag":       {4 * time.Minute, 0, 2 * time.Minute, each, "217 0"},
		"newer than the lag":      {5 * time.Minute, 0, 2 * time.Minute, each, "0 0"},
		"partly newer":            {4*time.Minute + 30*time.Second, 0, time.Minute, each, "108"},
		"minutes only":            {4 * time.Minute, 45 * time.Second, 90 * time.Second, each, "217"},
		"before the start":        {4 * time.Minute, -10 * time.Minute, -9 * time.Minute, each, "?"},
		"zero is no series":       {4 * time.Minute, time.Minute, 2 * time.Minute, each + "&$filter=deployment eq 'blue'", ""},
		"grains of a short lag":   {2 * time.Second, time.Second, 5 * time.Second, each + "&interval=PT2S", "8 7"},
		"a short lag, to the end": {2 * time.Second, 0, time.Minute, each + "&interval=FULL&$filter=deployment eq 'blue'", "blue 186"},
	} {
		measured(t, tt.lag, func(s *server, then time.Time) {
			if got := shown(s.ask(t, then, tt.from, tt.to, tt.query).Value[0]); got != tt.want {
				t.Errorf("%s: %s, want %s", name, got, tt.want)
			}
		})
	}
}

func TestMetricsReply(t *testing.T) {
	measured(t, 0, func(s *server, then time.Time) {
		m := s.ask(t, then, 0, time.Minute, "metricnames=RequestsPerMinute,RequestLatency_P50&aggregation=average&$filter=deployment eq 'blue'")
		body, _ := json.Marshal(m)
		golden(t, "metrics", body)
		w := s.call("GET", metricsPath[:len(metricsPath)-1]+"Definitions", "")
		golden(t, "metric-definitions", w.Body.Bytes())
	})
}

func TestMetricsRefused(t *testing.T) {
	measured(t, 0, func(s *server, _ time.Time) {
		for name, tt := range map[string]struct{ query, want string }{
			"no metric":            {"", "Failed to find metric configuration"},
			"an unknown metric":    {"metricnames=Cpu", "Valid metrics: RequestsPerMinute,RequestLatency,"},
			"another namespace":    {"metricnames=RequestsPerMinute&metricnamespace=Microsoft.Web/sites", "Invalid metric namespace"},
			"a dimension it lacks": {"metricnames=RequestLatency&$filter=statusCode eq '*'", "Metric: RequestLatency does not support requested dimension combination: statuscode, supported ones are: deployment"},
			"an odd interval":      {"metricnames=RequestsPerMinute&interval=PT20S", "Detected invalid time grain input: PT20S"},
			"an odd aggregation":   {"metricnames=RequestsPerMinute&aggregation=median", "Invalid aggregation type"},
			"an odd timespan":      {"metricnames=RequestsPerMinute&timespan=yesterday", "Invalid time range"},
			"a timespan backwards": {"metricnames=RequestsPerMinute&timespan=2026-01-02T00:00:00Z/2026-01-01T00:00:00Z", "Invalid time range"},
			"too many points":      {"metricnames=RequestsPerMinute&timespan=PT1H&interval=PT1S", "more than 1440 intervals"},
			"half a filter":        {"metricnames=RequestsPerMinute&$filter=deployment eq 'blue' and", "Invalid $filter"},
			"no quotes":            {"metricnames=RequestsPerMinute&$filter=deployment eq blue", "Invalid $filter"},
			"or between two":       {"metricnames=RequestsPerMinute&$filter=deployment eq 'a' or statusCode eq '200'", "cannot separate"},
			"or back to the first": {"metricnames=RequestsPerMinute&$filter=deployment eq 'a' and statusCode eq '200' or deployment eq 'b'", "cannot separate"},
			"no series":            {"metricnames=RequestsPerMinute&top=0", "Invalid top"},
			"an odd order":         {"metricnames=RequestsPerMinute&orderby=total up", "Invalid orderby"},
		} {
			q, err := url.ParseQuery(tt.query)
			if err != nil {
				t.Fatal(err)
			}
			w := s.call("GET", metricsPath+"?"+q.Encode(), "")
			var flat arm.Error
			if json.Unmarshal(w.Body.Bytes(), &flat); w.Code != http.StatusBadRequest || flat.Code != "BadRequest" || !strings.Contains(flat.Message, tt.want) {
				t.Errorf("%s: %d %s, want a bare BadRequest with %q", name, w.Code, w.Body, tt.want)
			}
		}
		m := s.ask(t, time.Now(), -time.Minute, 0, "metricnames=RequestsPerMinute,RequestLatency&aggregation=total")
		if m.Value[0].ErrorCode != "Success" || m.Value[1].ErrorCode != "InvalidSamplingType" || len(m.Value[1].Timeseries) != 0 {
			t.Errorf("an aggregation that one metric lacks: %+v", m.Value)
		}
		for path, want := range map[string]int{
			strings.Replace(metricsPath, "taxi", "bus", 1):       http.StatusNotFound,
			strings.ToUpper(metricsPath[:30]) + metricsPath[30:]: http.StatusBadRequest,
			strings.Replace(metricsPath, "Insights", "Other", 1): http.StatusNotFound,
		} {
			if w := s.call("GET", path, ""); w.Code != want {
				t.Errorf("%s: %d, want %d", path, w.Code, want)
			}
		}
		s.token = "wrong"
		if w := s.call("GET", metricsPath+"?metricnames=RequestsPerMinute", ""); w.Code != http.StatusUnauthorized {
			t.Errorf("without a token: %d", w.Code)
		}
	})
}
