package api

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"hotswap/internal/arm"
	"hotswap/internal/meter"
)

// Meter tells what deployments have answered.
type Meter interface {
	Deployments(endpoint string) []string
	Tally(endpoint, deployment string, from, to time.Time) (_ meter.Tally, known bool)
}

// listMetrics answers a query of Azure Monitor for the metrics of an endpoint. Without a lag they are
// final: what is not over yet is missing, as what was before the server's start is. With a lag, the
// newest of them read zero, and there are series only of what has counted something.
func (s *Server) listMetrics(r *request) (reply, error) {
	e, err := s.Control.Endpoint(r.Context(), r.name("endpoint"))
	if err != nil {
		return reply{}, err
	}
	now := time.Now()
	q, err := s.parseMetricsQuery(r.URL.Query(), now)
	if err != nil {
		return reply{}, err
	}
	all := s.answerMetrics(e.Name, q, now)
	id := s.Workspace.EndpointID(e.Name) + "/providers/Microsoft.Insights/metrics/"
	answer := arm.Metrics{
		Cost: int(q.to.Sub(q.from)/oneMinute) * len(q.metrics), Timespan: arm.MetricTime(q.from) + "/" + arm.MetricTime(q.to),
		Interval: arm.FormatDuration(q.interval), Namespace: arm.MetricsNamespace, ResourceRegion: s.Workspace.Location,
	}
	for n, m := range q.metrics {
		of := arm.Metric{
			ID: id + m.name, Type: "Microsoft.Insights/metrics", Name: m.localizable(), DisplayDescription: m.text, Unit: m.unit,
			Timeseries: []arm.MetricSeries{}, ErrorCode: "Success",
		}
		if wrong := q.unsupported(m); wrong != "" {
			of.ErrorCode = "InvalidSamplingType" // as the example "Get Metric with error" of armmonitor v0.13.0 has it
			of.ErrorMessage = "Sampling type is not found. Metric: " + m.name + ", SamplingType: " + wrong
		} else {
			of.Timeseries = append(of.Timeseries, q.encode(m, all[n])...)
		}
		answer.Value = append(answer.Value, of)
	}
	return ok(answer)
}

// unsupported is what is asked for of m where m has none of it; "" where it has any.
func (q metricsQuery) unsupported(m metric) string {
	for _, a := range q.aggregations {
		if slices.Contains(m.aggregations, a) {
			return ""
		}
	}
	return strings.Join(q.aggregations, ",")
}

// series is a combination of the dimensions that a query names, with a tally for each interval.
type series struct {
	values  []string // of the query's filters
	tallies map[int]*meter.Tally
	known   []bool // of each interval
}

// requests is how many the series has in all, by which series are put in order.
func (s *series) requests() (n uint64) {
	for _, t := range s.tallies {
		n += t.Requests()
	}
	return n
}

// answerMetrics adds up the series of each metric.
func (s *Server) answerMetrics(endpoint string, q metricsQuery, now time.Time) []map[string]*series {
	all := make([]map[string]*series, len(q.metrics))
	var known []bool
	deployments := s.Meter.Deployments(endpoint)
	for from, n := q.from, 0; from.Before(q.to); from, n = from.Add(q.interval), n+1 {
		to := from.Add(q.interval)
		if to.After(q.to) {
			to = q.to
		}
		sure := s.MetricsLag > 0 || !to.After(now)
		visible := to
		if newest := now.Add(-s.MetricsLag); s.MetricsLag > 0 && visible.After(newest) {
			visible = newest
		}
		_, begun := s.Meter.Tally(endpoint, "", from, to) // the same for all deployments, of which there may be none
		if known = append(known, sure && begun); !known[n] {
			continue
		}
		for _, deployment := range deployments {
			tally, _ := s.Meter.Tally(endpoint, deployment, from, visible)
			for i, m := range q.metrics {
				all[i] = q.add(all[i], m, n, deployment, &tally)
			}
		}
	}
	for i := range all {
		all[i] = q.withListed(all[i], s.MetricsLag == 0)
		for _, of := range all[i] {
			of.known = known
		}
	}
	return all
}

// add adds what a deployment answered in interval n to the series that it is in.
func (q metricsQuery) add(to map[string]*series, m metric, n int, deployment string, tally *meter.Tally) map[string]*series {
	if !m.has(byStatus) {
		return q.addTo(to, n, dimensions{byDeployment: deployment}, tally)
	}
	for _, s := range tally.Statuses {
		to = q.addTo(to, n, dimensionsOf(deployment, s.Status), &meter.Tally{Statuses: []meter.StatusCount{s}})
	}
	return to
}

// dimensions are those of a count, by their names as they are spelled here.
type dimensions map[string]string

// dimensionsOf names the dimensions of an answer. Azure does not say what it shows for a model that
// was not asked; here it is Unknown.
func dimensionsOf(deployment string, s meter.Status) dimensions {
	model := "Unknown"
	if s.Model != 0 {
		model = strconv.Itoa(s.Model)
	}
	return dimensions{
		byDeployment: deployment, byStatus: strconv.Itoa(s.Client), byStatusClass: strconv.Itoa(s.Client/100) + "xx", byModelStatus: model,
	}
}

func (d dimensions) value(name string) string {
	for key, value := range d {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

func (q metricsQuery) addTo(to map[string]*series, n int, of dimensions, tally *meter.Tally) map[string]*series {
	if tally.Requests() == 0 {
		return to
	}
	var values []string
	for _, f := range q.filters {
		value := of.value(f.name)
		if !f.passes(value) {
			return to
		}
		values = append(values, value)
	}
	to = withSeries(to, values)
	in := to[seriesKey(values)]
	if in.tallies[n] == nil {
		in.tallies[n] = new(meter.Tally)
	}
	in.tallies[n].Add(tally)
	return to
}

func seriesKey(values []string) string { return strings.ToLower(strings.Join(values, "\x00")) }

// withSeries makes sure that there is a series of values.
func withSeries(to map[string]*series, values []string) map[string]*series {
	if to == nil {
		to = map[string]*series{}
	}
	if key := seriesKey(values); to[key] == nil {
		to[key] = &series{values: values, tallies: map[int]*meter.Tally{}}
	}
	return to
}

// withListed adds the series that a query lists by name and that have counted nothing: zero is an
// answer where metrics are final. A query without a filter always has its one series.
func (q metricsQuery) withListed(to map[string]*series, final bool) map[string]*series {
	if len(q.filters) > 0 && !final {
		return to
	}
	combinations := [][]string{nil}
	for _, f := range q.filters {
		if !f.listed() {
			return to
		}
		var longer [][]string
		for _, c := range combinations {
			for _, value := range f.values {
				longer = append(longer, append(slices.Clone(c), value))
			}
		}
		combinations = longer
	}
	for _, values := range combinations {
		to = withSeries(to, values)
	}
	return to
}

// encode writes the series of a metric, those with the most requests first unless they are asked for
// the other way round.
func (q metricsQuery) encode(m metric, all map[string]*series) (encoded []arm.MetricSeries) {
	var sorted []*series
	for _, of := range all {
		sorted = append(sorted, of)
	}
	slices.SortFunc(sorted, func(a, b *series) int {
		order := cmp.Compare(b.requests(), a.requests())
		if q.ascending {
			order = -order
		}
		return cmp.Or(order, slices.Compare(a.values, b.values))
	})
	if len(q.filters) > 0 {
		sorted = sorted[:min(q.top, len(sorted))]
	}
	for _, of := range sorted {
		next := arm.MetricSeries{MetadataValues: []arm.MetadataValue{}}
		for n, f := range q.filters {
			next.MetadataValues = append(next.MetadataValues, arm.MetadataValue{Name: arm.Localizable{Value: f.name, LocalizedValue: f.name}, Value: of.values[n]})
		}
		if !q.metadata {
			next.Data = q.points(m, of)
		}
		encoded = append(encoded, next)
	}
	return encoded
}

// points are those of a series, one for each interval. What is not known has no value.
func (q metricsQuery) points(m metric, of *series) (points []arm.MetricPoint) {
	aggregations := q.aggregations
	if len(aggregations) == 0 {
		aggregations = m.aggregations[:1]
	}
	for n, known := range of.known {
		from := q.from.Add(time.Duration(n) * q.interval)
		p := arm.MetricPoint{TimeStamp: arm.MetricTime(from)}
		tally := of.tallies[n]
		if tally == nil {
			tally = new(meter.Tally)
		}
		for _, aggregation := range aggregations {
			value, has := m.value(tally, aggregation, min(q.interval, q.to.Sub(from)))
			switch {
			case !known || !has || !slices.Contains(m.aggregations, aggregation):
			case aggregation == total:
				p.Total = &value
			default:
				p.Average = &value
			}
		}
		points = append(points, p)
	}
	return points
}
