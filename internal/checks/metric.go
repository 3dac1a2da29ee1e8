package checks

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// metric is a measure of predictions against labels, defined as scikit-learn's sklearn.metrics
// has it.
type metric struct {
	name        string
	higherWins  bool
	ofNumbers   func(labels, predictions []float64) (float64, error)
	ofClasses   func(labels, predictions []string, positive string) (float64, error)
	hasPositive bool
}

var metrics = []metric{
	{name: "mae", ofNumbers: meanAbsoluteError},
	{name: "rmse", ofNumbers: rootMeanSquaredError},
	{name: "mape", ofNumbers: meanAbsolutePercentageError},
	{name: "r2", ofNumbers: determination, higherWins: true},
	{name: "accuracy", ofClasses: shareOfHits, higherWins: true},
	{name: "f1", ofClasses: f1, higherWins: true, hasPositive: true},
}

func meanAbsoluteError(labels, predictions []float64) (float64, error) {
	sum := 0.0
	for i := range labels {
		sum += math.Abs(predictions[i] - labels[i])
	}
	return sum / float64(len(labels)), nil
}

func rootMeanSquaredError(labels, predictions []float64) (float64, error) {
	return math.Sqrt(squares(labels, predictions) / float64(len(labels))), nil
}

// squares is the sum of the squared differences.
func squares(a, b []float64) (sum float64) {
	for i := range a {
		sum += (b[i] - a[i]) * (b[i] - a[i])
	}
	return sum
}

// meanAbsolutePercentageError is a share: 0.05 is 5 %.
func meanAbsolutePercentageError(labels, predictions []float64) (float64, error) {
	sum := 0.0
	for i := range labels {
		if labels[i] == 0 {
			return 0, errors.New("mape is not defined for a label that is 0")
		}
		sum += math.Abs((predictions[i] - labels[i]) / labels[i])
	}
	return sum / float64(len(labels)), nil
}

// determination is R², the share of the labels' variance that the predictions explain.
func determination(labels, predictions []float64) (float64, error) {
	mean := 0.0
	for _, label := range labels {
		mean += label / float64(len(labels))
	}
	total := 0.0
	for _, label := range labels {
		total += (label - mean) * (label - mean)
	}
	if total == 0 {
		return 0, errors.New("r2 is not defined where all labels are the same")
	}
	return 1 - squares(labels, predictions)/total, nil
}

func shareOfHits(labels, predictions []string, _ string) (float64, error) {
	hits := 0
	for i := range labels {
		if labels[i] == predictions[i] {
			hits++
		}
	}
	return float64(hits) / float64(len(labels)), nil
}

// f1 is the F1 score of the positive class, or where that is "" the mean of the scores of all
// classes that occur (macro), 0 for one that is never hit.
func f1(labels, predictions []string, positive string) (float64, error) {
	type counts struct{ hits, labelled, predicted int }
	classes := map[string]*counts{}
	class := func(name string) *counts {
		if classes[name] == nil {
			classes[name] = &counts{}
		}
		return classes[name]
	}
	for i := range labels {
		class(labels[i]).labelled++
		class(predictions[i]).predicted++
		if labels[i] == predictions[i] {
			class(labels[i]).hits++
		}
	}
	score := func(c *counts) float64 { return 2 * float64(c.hits) / float64(c.labelled+c.predicted) }
	if positive != "" {
		if c := classes[positive]; c != nil {
			return score(c), nil
		}
		return 0, fmt.Errorf("f1: the positive class %q is neither a label nor predicted", positive)
	}
	sum := 0.0
	for _, c := range classes {
		sum += score(c)
	}
	return sum / float64(len(classes)), nil
}

// of measures predictions; both lists hold scalars and are equally long.
func (m metric) of(labels, predictions []any, positive string) (value float64, err error) {
	if m.ofNumbers != nil {
		a, err := numbers(labels, "label")
		if err != nil {
			return 0, err
		}
		b, err := numbers(predictions, "prediction")
		if err != nil {
			return 0, err
		}
		value, err = m.ofNumbers(a, b)
		if err != nil {
			return 0, err
		}
	} else if value, err = m.ofClasses(classesOf(labels), classesOf(predictions), positive); err != nil {
		return 0, err
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return 0, fmt.Errorf("%s is too large to be a number", m.name)
	}
	return value, nil
}

func numbers(values []any, what string) ([]float64, error) {
	all := make([]float64, len(values))
	for i, v := range values {
		number, ok := v.(json.Number)
		if !ok {
			return nil, fmt.Errorf("the %s %s is no number", what, show(v))
		}
		f, err := number.Float64()
		if err != nil {
			return nil, fmt.Errorf("the %s %s is too large", what, number)
		}
		all[i] = f
	}
	return all, nil
}

func classesOf(values []any) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = class(v)
	}
	return all
}

// class is the name of a class: 1, 1.0 and "1" are the same one, and so are true and "True",
// since a table has no types.
func class(v any) string {
	text := fmt.Sprint(v)
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	if lower := strings.ToLower(text); lower == "true" || lower == "false" {
		return lower
	}
	return text
}
