package arm

import "time"

// Metrics is the reply of Azure Monitor to a query (learn.microsoft.com, "Metrics - List", api-version
// 2024-02-01; the shapes are those of armmonitor v0.13.0).
type Metrics struct {
	Cost           int      `json:"cost"`
	Timespan       string   `json:"timespan"`
	Interval       string   `json:"interval"`
	Namespace      string   `json:"namespace"`
	ResourceRegion string   `json:"resourceregion"`
	Value          []Metric `json:"value"`
}

// Metric is one metric with its time series. The error is of this metric alone: the others have theirs.
type Metric struct {
	ID                 string         `json:"id"`
	Type               string         `json:"type"`
	Name               Localizable    `json:"name"`
	DisplayDescription string         `json:"displayDescription"`
	Unit               string         `json:"unit"`
	Timeseries         []MetricSeries `json:"timeseries"`
	ErrorCode          string         `json:"errorCode"`
	ErrorMessage       string         `json:"errorMessage,omitempty"`
}

// Localizable is a name and how it is shown.
type Localizable struct {
	Value          string `json:"value"`
	LocalizedValue string `json:"localizedValue"`
}

// MetricSeries is the points of one combination of dimensions, of those that the query has named.
type MetricSeries struct {
	MetadataValues []MetadataValue `json:"metadatavalues"`
	Data           []MetricPoint   `json:"data,omitempty"`
}

// MetadataValue is one dimension of a series; its name is in lower case, as Azure gives it back.
type MetadataValue struct {
	Name  Localizable `json:"name"`
	Value string      `json:"value"`
}

// MetricPoint is one interval. What is not known, or was not asked for, is left out.
type MetricPoint struct {
	TimeStamp string   `json:"timeStamp"`
	Total     *float64 `json:"total,omitempty"`
	Average   *float64 `json:"average,omitempty"`
}

// MetricDefinition says what can be asked of a metric ("Metric Definitions - List").
type MetricDefinition struct {
	ID                        string               `json:"id"`
	ResourceID                string               `json:"resourceId"`
	Namespace                 string               `json:"namespace"`
	Category                  string               `json:"category"`
	Name                      Localizable          `json:"name"`
	DisplayDescription        string               `json:"displayDescription"`
	IsDimensionRequired       bool                 `json:"isDimensionRequired"`
	Unit                      string               `json:"unit"`
	PrimaryAggregationType    string               `json:"primaryAggregationType"`
	SupportedAggregationTypes []string             `json:"supportedAggregationTypes"`
	MetricAvailabilities      []MetricAvailability `json:"metricAvailabilities"`
	Dimensions                []Localizable        `json:"dimensions"`
}

// MetricAvailability is an interval that can be asked for, and how long its points are kept.
type MetricAvailability struct {
	TimeGrain string `json:"timeGrain"`
	Retention string `json:"retention"`
}

// MetricsNamespace is that of the metrics of an online endpoint.
const MetricsNamespace = provider + "/workspaces/onlineEndpoints"

// MetricTime writes a moment as Azure Monitor does, to the second.
func MetricTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
