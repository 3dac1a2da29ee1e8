package api

import (
	"slices"
	"strings"
	"time"

	"hotswap/internal/arm"
	"hotswap/internal/meter"
)

// metric is what the server can tell of an endpoint, under Azure's name (learn.microsoft.com, "Supported
// metrics for Microsoft.MachineLearningServices/workspaces/onlineEndpoints").
type metric struct {
	name, shown, text, unit string
	dimensions              []string // as Azure spells them
	aggregations            []string // the first is the one that Azure gives unless it is asked for another
	// value is what a tally comes to; false where it has none.
	value func(t *meter.Tally, aggregation string, interval time.Duration) (float64, bool)
}

// The dimensions of metrics.
const (
	byDeployment  = "deployment"
	byStatus      = "statusCode"
	byStatusClass = "statusCodeClass"
	byModelStatus = "modelStatusCode"
)

// The aggregations that there are.
const (
	average = "Average"
	total   = "Total"
)

var metrics = []metric{
	{
		name: "RequestsPerMinute", shown: "Requests Per Minute", unit: "Count",
		text:       "The number of requests sent to online endpoint within a minute",
		dimensions: []string{byDeployment, byStatus, byStatusClass, byModelStatus}, aggregations: []string{average, total},
		value: func(t *meter.Tally, aggregation string, interval time.Duration) (float64, bool) {
			if aggregation == total {
				return float64(t.Requests()), true
			}
			return float64(t.Requests()) * 60 / interval.Seconds(), true
		},
	},
	{
		name: "RequestLatency", shown: "Request Latency", unit: milliseconds,
		text:       "The average complete interval of time taken for a request to be responded in milliseconds",
		dimensions: []string{byDeployment}, aggregations: []string{average},
		value: func(t *meter.Tally, _ string, _ time.Duration) (float64, bool) { return inMilliseconds(t.Mean()) },
	},
	percentile("RequestLatency_P50", "Request Latency P50", 0.50),
	percentile("RequestLatency_P90", "Request Latency P90", 0.90),
	percentile("RequestLatency_P95", "Request Latency P95", 0.95),
	percentile("RequestLatency_P99", "Request Latency P99", 0.99),
}

const milliseconds = "MilliSeconds"

func percentile(name, shown string, q float64) metric {
	return metric{
		name: name, shown: shown, unit: milliseconds,
		text:       "The " + strings.TrimPrefix(shown, "Request Latency ") + " request latency over the selected time period",
		dimensions: []string{byDeployment}, aggregations: []string{average},
		value: func(t *meter.Tally, _ string, _ time.Duration) (float64, bool) { return inMilliseconds(t.Quantile(q)) },
	}
}

// inMilliseconds is 0 and false for no latency: no request has taken 0.
func inMilliseconds(d time.Duration) (float64, bool) {
	return float64(d) / float64(time.Millisecond), d > 0
}

func (m metric) localizable() arm.Localizable {
	return arm.Localizable{Value: m.name, LocalizedValue: m.shown}
}

// has tells whether a metric has a dimension, whose name is in lower case.
func (m metric) has(dimension string) bool {
	return slices.ContainsFunc(m.dimensions, func(d string) bool { return strings.EqualFold(d, dimension) })
}

// listMetricDefinitions says what listMetrics can be asked for.
func (s *Server) listMetricDefinitions(r *request) (reply, error) {
	e, err := s.Control.Endpoint(r.Context(), r.name("endpoint"))
	if err != nil {
		return reply{}, err
	}
	id := s.Workspace.EndpointID(e.Name)
	list := arm.List[arm.MetricDefinition]{}
	for _, m := range metrics {
		d := arm.MetricDefinition{
			ID: id + "/providers/Microsoft.Insights/metricDefinitions/" + m.name, ResourceID: id,
			Namespace: arm.MetricsNamespace, Category: "Traffic", Name: m.localizable(), DisplayDescription: m.text, Unit: m.unit,
			PrimaryAggregationType: m.aggregations[0], SupportedAggregationTypes: m.aggregations,
			Dimensions: []arm.Localizable{},
		}
		for _, grain := range s.grains() {
			d.MetricAvailabilities = append(d.MetricAvailabilities, arm.MetricAvailability{
				TimeGrain: arm.FormatDuration(grain), Retention: arm.FormatDuration(meter.Kept),
			})
		}
		for _, dimension := range m.dimensions {
			d.Dimensions = append(d.Dimensions, arm.Localizable{Value: dimension, LocalizedValue: dimension})
		}
		list.Value = append(list.Value, d)
	}
	return ok(list)
}
