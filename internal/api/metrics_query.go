package api

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"hotswap/internal/arm"
)

const (
	oneMinute       = time.Minute
	defaultTimespan = time.Hour
	maxMetrics      = 20 // in one query
	maxIntervals    = 24 * 60
	defaultSeries   = 10
)

// azureGrains are the intervals of Azure Monitor (learn.microsoft.com, "Azure Monitor Metrics
// aggregation and display explained", on granularity).
var azureGrains = []time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// grain is the finest interval, at whose multiples timespans begin and end: a minute as on Azure, or
// the second that metrics are exact to. Where they lag for less than a minute, which is for tests,
// minutes would hide the lag.
func (s *Server) grain() time.Duration {
	if s.MetricsLag == 0 {
		return time.Second
	}
	return max(min(oneMinute, s.MetricsLag).Truncate(time.Second), time.Second)
}

func (s *Server) grains() []time.Duration {
	if s.grain() == oneMinute {
		return azureGrains
	}
	return append([]time.Duration{s.grain()}, azureGrains...)
}

// metricsQuery is what is asked of the metrics of an endpoint.
type metricsQuery struct {
	metrics      []metric
	from, to     time.Time
	interval     time.Duration
	aggregations []string // none: each metric's first
	filters      []*dimensionFilter
	top          int
	ascending    bool
	metadata     bool // no data, only which series there are
}

func (s *Server) parseMetricsQuery(raw url.Values, now time.Time) (q metricsQuery, err error) {
	v := map[string]string{} // names compare case-insensitively
	for key := range raw {
		v[strings.ToLower(key)] = raw.Get(key)
	}
	if namespace := v["metricnamespace"]; namespace != "" && !strings.EqualFold(namespace, arm.MetricsNamespace) {
		return q, badMetrics("Invalid metric namespace %s, the supported one is: %s", namespace, arm.MetricsNamespace)
	}
	if q.metrics, err = parseMetricNames(v["metricnames"]); err != nil {
		return q, err
	}
	if q.from, q.to, err = s.parseTimespan(v["timespan"], now); err != nil {
		return q, err
	}
	if q.interval, err = s.parseInterval(v["interval"], q.to.Sub(q.from)); err != nil {
		return q, err
	}
	if q.aggregations, err = parseAggregations(v["aggregation"]); err != nil {
		return q, err
	}
	if q.filters, err = parseFilter(v["$filter"]); err != nil {
		return q, err
	}
	if q.filters, err = q.dimensions(!strings.EqualFold(v["validatedimensions"], "false")); err != nil {
		return q, err
	}
	q.metadata = strings.EqualFold(v["resulttype"], "metadata")
	q.top, q.ascending, err = parseOrder(v["top"], v["orderby"])
	return q, err
}

func parseMetricNames(text string) (found []metric, err error) {
	names := strings.Split(text, ",")
	if len(names) > maxMetrics {
		return nil, badMetrics("The query asks for %d metrics, want at most %d", len(names), maxMetrics)
	}
	for _, name := range names {
		at := slices.IndexFunc(metrics, func(m metric) bool { return strings.EqualFold(m.name, strings.TrimSpace(name)) })
		if at < 0 {
			var valid []string
			for _, m := range metrics {
				valid = append(valid, m.name)
			}
			return nil, badMetrics("Failed to find metric configuration for provider: Microsoft.MachineLearningServices, resource Type: workspaces/onlineEndpoints, metric: %s, Valid metrics: %s",
				name, strings.Join(valid, ","))
		}
		found = append(found, metrics[at])
	}
	return found, nil
}

// parseTimespan reads START/END, or a duration up to now; without either it is the last hour.
func (s *Server) parseTimespan(text string, now time.Time) (from, to time.Time, err error) {
	first, last, both := strings.Cut(text, "/")
	switch {
	case both:
		if from, err = time.Parse(time.RFC3339, first); err == nil {
			to, err = time.Parse(time.RFC3339, last)
		}
	case text == "":
		from, to = now.Add(-defaultTimespan), now
	default:
		var length time.Duration
		length, err = arm.ParseDuration(text)
		from, to = now.Add(-length), now
	}
	if err != nil || !from.Before(to) {
		return from, to, badMetrics("Invalid time range %q: want START/END in ISO 8601, the end after the start", text)
	}
	from, to = from.Truncate(s.grain()).UTC(), to.Truncate(s.grain()).UTC()
	if !from.Before(to) {
		to = from.Add(s.grain())
	}
	return from, to, nil
}

// parseInterval reads the length of the points of a timespan. FULL is one point for all of it.
func (s *Server) parseInterval(text string, span time.Duration) (time.Duration, error) {
	switch {
	case strings.EqualFold(text, "FULL"):
		return span, nil
	case text == "":
		text = "PT1M"
	}
	interval, err := arm.ParseDuration(text)
	if err != nil || !slices.Contains(s.grains(), interval) {
		var supported []string
		for _, grain := range s.grains() {
			supported = append(supported, arm.FormatDuration(grain))
		}
		return 0, badMetrics("Detected invalid time grain input: %s, supported ones are: %s,FULL", text, strings.Join(supported, ","))
	}
	if span/interval > maxIntervals {
		return 0, badMetrics("The timespan has more than %d intervals of %s: ask for a shorter timespan or a longer interval", maxIntervals, text)
	}
	return interval, nil
}

func parseAggregations(text string) (found []string, err error) {
	for name := range strings.SplitSeq(text, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		switch name {
		case "":
		case "average", "total", "count", "minimum", "maximum", "none":
			found = append(found, strings.ToUpper(name[:1])+name[1:])
		default:
			return nil, badMetrics("Invalid aggregation type: %s, supported ones are: Average,Total,Count,Minimum,Maximum", name)
		}
	}
	return found, nil
}

// parseOrder reads how many series are wanted, and whether those of the smallest values.
func parseOrder(top, order string) (n int, ascending bool, err error) {
	n = defaultSeries
	if top != "" {
		if n, err = strconv.Atoi(top); err != nil || n < 1 {
			return 0, false, badMetrics("Invalid top %q: want a number of at least 1", top)
		}
	}
	words := strings.Fields(strings.ToLower(order))
	switch {
	case len(words) == 0, len(words) == 1, words[1] == "desc":
		return n, false, nil
	case words[1] == "asc":
		return n, true, nil
	}
	return 0, false, badMetrics("Invalid orderby %q: want an aggregation, then asc or desc", order)
}

// dimensions returns the filters that every metric has the dimension of. Where they are to be
// valid, there may be no others.
func (q metricsQuery) dimensions(validate bool) (known []*dimensionFilter, err error) {
	for _, f := range q.filters {
		every := true
		for _, m := range q.metrics {
			if m.has(f.name) {
				continue
			}
			if every = false; validate {
				return nil, badMetrics("Metric: %s does not support requested dimension combination: %s, supported ones are: %s", m.name, f.name, strings.Join(m.dimensions, ","))
			}
		}
		if every {
			known = append(known, f)
		}
	}
	return known, nil
}
