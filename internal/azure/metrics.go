package azure

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/monitor/armmonitor"

	"hotswap/internal/online"
)

// The metrics of an endpoint that tell how a deployment does (learn.microsoft.com, "Supported metrics
// for Microsoft.MachineLearningServices/workspaces/onlineEndpoints").
const (
	requestsMetric = "RequestsPerMinute"
	p50Metric      = "RequestLatency_P50"
	p99Metric      = "RequestLatency_P99"
)

// maxStatuses is how many series are asked for: the default is 10, and the rest would be missing.
const maxStatuses = 1000

// MetricsQuery asks what one deployment of an endpoint answered from From to To.
type MetricsQuery struct {
	Endpoint, Deployment string
	From, To             time.Time
	Interval             time.Duration // 0: one point for all of it
}

// MetricsPoint is one interval. Known is false where the service gave no count for it.
type MetricsPoint struct {
	At       time.Time
	Known    bool
	Requests float64
	ByStatus map[int]float64 // requests by the status that the client saw
	P50, P99 time.Duration   // 0 where there were no requests or none is known
}

// Metrics reads the points of a query, the oldest first, those that the service left out included. Where
// there is an interval, From and To are cut to multiples of it, as Azure's points are; else only the whole
// seconds between them count. Where none is left, there are no points.
//
// One point for all of the time is exact only where the service says so (online.MetricsAtOnce). It
// is asked for by Total; points of an interval are asked for by Average, which alone Azure documents
// for these metrics, and which is a rate: requests a minute.
func (c *Client) Metrics(ctx context.Context, q MetricsQuery) ([]MetricsPoint, error) {
	if q.Interval > 0 {
		q.From, q.To = q.From.Truncate(q.Interval), q.To.Truncate(q.Interval)
	} else {
		q.From, q.To = q.From.Add(time.Second-1).Truncate(time.Second), q.To.Truncate(time.Second)
	}
	points := newPoints(q)
	if len(points.list) == 0 {
		return nil, nil
	}
	of := "deployment eq '" + strings.ReplaceAll(q.Deployment, "'", "''") + "'"
	all, err := c.listMetrics(ctx, q, of, requestsMetric, p50Metric, p99Metric)
	if err != nil {
		return nil, err
	}
	byStatus, err := c.listMetrics(ctx, q, of+" and statusCode eq '*'", requestsMetric)
	if err != nil {
		return nil, err
	}
	points.add(all)
	points.addStatuses(byStatus)
	return points.settle(), nil
}

// String is for errors.
func (q MetricsQuery) String() string {
	return fmt.Sprintf("read the metrics of deployment %q of endpoint %q", q.Deployment, q.Endpoint)
}

// interval and aggregation are as the API has them.
func (q MetricsQuery) interval() (interval, aggregation string) {
	switch {
	case q.Interval == 0:
		return "FULL", "total,average"
	case q.Interval%time.Minute == 0:
		return "PT" + strconv.Itoa(int(q.Interval/time.Minute)) + "M", "average"
	}
	return *formatDuration(q.Interval), "average"
}

// listMetrics asks for some metrics at once.
func (c *Client) listMetrics(ctx context.Context, q MetricsQuery, filter string, names ...string) ([]*armmonitor.Metric, error) {
	interval, aggregation := q.interval()
	resp, err := c.metrics.List(ctx, strings.TrimPrefix(c.workspaceID(), "/")+"/onlineEndpoints/"+url.PathEscape(q.Endpoint), &armmonitor.MetricsClientListOptions{
		Metricnames: new(strings.Join(names, ",")), Timespan: new(stamp(q.From) + "/" + stamp(q.To)),
		Interval: &interval, Aggregation: &aggregation, Filter: &filter, Top: new(int32(maxStatuses)),
	})
	if err != nil {
		return nil, classify(err, MetricsRole, q.String())
	}
	for _, m := range resp.Value {
		if code := value(m.ErrorCode); code != "" && code != "Success" {
			return nil, online.Errorf(online.Unavailable, "%s: %s: %s (%s)", q, nameOf(m.Name), line(value(m.ErrorMessage)), code)
		}
	}
	return resp.Value, nil
}

// stamp writes a moment to the second, which is as fine as the API is.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func nameOf(n *armmonitor.LocalizableString) string {
	if n == nil {
		return ""
	}
	return value(n.Value)
}

// points are those of a query while its answers are put together.
type points struct {
	q        MetricsQuery
	list     []MetricsPoint
	statuses []bool // the service gave a count by status
}

func newPoints(q MetricsQuery) *points {
	p := &points{q: q}
	step := q.Interval
	if step == 0 {
		step = q.To.Sub(q.From)
	}
	for at := q.From; step > 0 && at.Before(q.To); at = at.Add(step) {
		p.list = append(p.list, MetricsPoint{At: at, ByStatus: map[int]float64{}})
	}
	p.statuses = make([]bool, len(p.list))
	return p
}

// index is which point a value is of; -1 for none.
func (p *points) index(v *armmonitor.MetricValue) int {
	if p.q.Interval == 0 {
		return 0
	}
	n := int(value(v.TimeStamp).Sub(p.q.From) / p.q.Interval)
	if n < 0 || n >= len(p.list) || !p.list[n].At.Equal(value(v.TimeStamp)) {
		return -1
	}
	return n
}

// count is how many requests a value stands for.
func (p *points) count(v *armmonitor.MetricValue) (requests float64, known bool) {
	switch {
	case p.q.Interval == 0:
		return value(v.Total), v.Total != nil
	case v.Average == nil:
		return 0, false
	}
	exact := *v.Average * p.q.Interval.Seconds() / 60
	if whole := math.Round(exact); math.Abs(exact-whole) < 1e-6*max(whole, 1) { // a rate may be a fraction that floats round
		exact = whole
	}
	return exact, true
}

// each calls f for each value that is of a point.
func (p *points) each(all []*armmonitor.Metric, f func(m *armmonitor.Metric, s *armmonitor.TimeSeriesElement, n int, v *armmonitor.MetricValue)) {
	for _, m := range all {
		for _, s := range m.Timeseries {
			for _, v := range s.Data {
				if n := p.index(v); n >= 0 {
					f(m, s, n, v)
				}
			}
		}
	}
}

// add takes in the requests and latencies of the deployment.
func (p *points) add(all []*armmonitor.Metric) {
	p.each(all, func(m *armmonitor.Metric, _ *armmonitor.TimeSeriesElement, n int, v *armmonitor.MetricValue) {
		at := &p.list[n]
		switch nameOf(m.Name) {
		case requestsMetric:
			if requests, known := p.count(v); known {
				at.Requests, at.Known = at.Requests+requests, true
			}
		case p50Metric:
			at.P50 = latency(v)
		case p99Metric:
			at.P99 = latency(v)
		}
	})
}

func latency(v *armmonitor.MetricValue) time.Duration {
	return time.Duration(value(v.Average) * float64(time.Millisecond))
}

// addStatuses takes in the requests by their status.
func (p *points) addStatuses(all []*armmonitor.Metric) {
	p.each(all, func(_ *armmonitor.Metric, s *armmonitor.TimeSeriesElement, n int, v *armmonitor.MetricValue) {
		requests, known := p.count(v)
		if !known {
			return
		}
		p.statuses[n] = true
		if requests > 0 {
			p.list[n].ByStatus[statusOf(s)] += requests
		}
	})
}

// statusOf is the status that a series is of; 0 where it is no number, which is no good one.
func statusOf(s *armmonitor.TimeSeriesElement) int {
	for _, m := range s.Metadatavalues {
		if strings.EqualFold(nameOf(m.Name), "statusCode") {
			status, _ := strconv.Atoi(value(m.Value))
			return status
		}
	}
	return 0
}

// settle makes the two answers agree, which a service that is late may have given of different moments: the
// counts by status say how many there were. Requests without any status are not known.
func (p *points) settle() []MetricsPoint {
	for n := range p.list {
		at := &p.list[n]
		switch {
		case p.statuses[n]:
			at.Known, at.Requests = true, 0
			for _, requests := range at.ByStatus {
				at.Requests += requests
			}
		case at.Requests > 0:
			at.Known, at.Requests = false, 0
		}
	}
	return p.list
}
