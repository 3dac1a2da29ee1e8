package checks

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"hotswap/internal/document"
)

// accuracy measures the predictions of labelled rows, against a bound and against live's.
type accuracy struct {
	at        document.Position
	label     string  // the key or column of a row that holds its label
	labels    [][]any // of each request's rows
	metric    metric
	positive  string   // the class that f1 is of; "": all of them
	key       string   // of the answer's object that holds the predictions; "": the only list in it
	bound     *float64 // at_most or at_least, by the metric's sense
	worseThan *float64 // how much worse than live it may be, as a share of live's value
}

func readAccuracy(m *document.Mapping) *accuracy {
	a := &accuracy{at: m.Node.At}
	m.Require("labels")
	a.label = m.Text("labels")
	a.key = m.Text("predictions")
	names := make([]string, len(metrics))
	for i := range metrics {
		names[i] = metrics[i].name
	}
	m.Require("metric")
	name := m.Choice("metric", names...)
	if i := slices.Index(names, name); i >= 0 {
		a.metric = metrics[i]
	}
	if n := m.Get("positive"); n != nil {
		if a.positive = class(m.Scalar(n, "positive")); name != "" && !a.metric.hasPositive {
			m.Fail(m.Node.Field("positive").At, "positive: %s is of all classes, only f1 can be of one", name)
		}
	}
	a.bounds(m, name)
	m.Done()
	return a
}

func (a *accuracy) bounds(m *document.Mapping, name string) {
	bounds := map[string]bool{"at_most": false, "at_least": true}
	for _, key := range slices.Sorted(maps.Keys(bounds)) {
		if m.Get(key) == nil {
			continue
		}
		v := m.Number(key, -math.MaxFloat64, math.MaxFloat64, 0)
		a.bound = &v
		if name != "" && bounds[key] != a.metric.higherWins {
			m.Fail(m.Node.Field(key).At, "%s: %s is better the %s it is", key, name, map[bool]string{false: "smaller", true: "larger"}[a.metric.higherWins])
		}
	}
	if m.Get("not_worse_than_live_by") != nil {
		v := m.Percentage("not_worse_than_live_by", math.MaxFloat64, 0)
		a.worseThan = &v
	}
	if a.bound == nil && a.worseThan == nil {
		m.Missing("there is no bound, want at_most, at_least or not_worse_than_live_by")
	}
}

// measure is the metric over the answers of one deployment.
func (a *accuracy) measure(answers []Answer) (float64, error) {
	var labels, all []any
	for i, answer := range answers {
		predictions, err := predictions(answer.Body, a.key, len(a.labels[i]))
		if err != nil {
			return 0, err
		}
		labels = append(labels, a.labels[i]...)
		all = append(all, predictions...)
	}
	return a.metric.of(labels, all, a.positive)
}

// judge lists which bounds value breaks; live is nil where there is nothing to compare with.
func (a *accuracy) judge(value float64, live *float64) (reasons []string) {
	if a.bound != nil && !a.notWorse(value, *a.bound) {
		reasons = append(reasons, fmt.Sprintf("%s is %s, want at %s %v", a.metric.name, digits(value),
			map[bool]string{false: "most", true: "least"}[a.metric.higherWins], *a.bound))
	}
	if a.worseThan == nil || live == nil {
		return reasons
	}
	slack := *a.worseThan * math.Abs(*live)
	if a.metric.higherWins {
		slack = -slack
	}
	if !a.notWorse(value, *live+slack) {
		reasons = append(reasons, fmt.Sprintf("%s is %s and live's is %s: worse%s, want at most %s%%", a.metric.name, digits(value), digits(*live),
			by(value, *live), digits(100**a.worseThan)))
	}
	return reasons
}

// by is how far value is from live's, where that can be a percentage.
func by(value, live float64) string {
	if live == 0 {
		return ""
	}
	return " by " + digits(100*math.Abs((value-live)/live)) + "%"
}

func (a *accuracy) notWorse(value, bound float64) bool {
	if a.metric.higherWins {
		return value >= bound
	}
	return value <= bound
}

// digits is a number as people read it.
func digits(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// predictions finds the n predictions of an answer: the answer's list, the list under key, or
// where none is given the only list of n in the answer's object. A list of one in the place of a
// prediction is that one; for a single row a bare value will do.
func predictions(body []byte, key string, n int) ([]any, error) {
	v, err := decode(body)
	if err != nil {
		return nil, fmt.Errorf("the answer is not JSON: %s", short(string(body)))
	}
	v = unwrap(v)
	if object, is := v.(map[string]any); is {
		if v, err = predicted(object, key, n); err != nil {
			return nil, err
		}
	} else if key != "" {
		return nil, fmt.Errorf("the answer is %s, want an object with the key %q", kind(v), key)
	}
	values, isList := v.([]any)
	if !isList {
		values = []any{v}
	}
	if len(values) != n {
		return nil, fmt.Errorf("%d predictions for %d rows", len(values), n)
	}
	return scalars(values)
}

// predicted picks what holds the predictions out of an object.
func predicted(object map[string]any, key string, n int) (found any, err error) {
	if key != "" {
		v, there := object[key]
		if !there {
			return nil, fmt.Errorf("the answer has no key %q: %s", key, show(object))
		}
		return v, nil
	}
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(object)) {
		list, isList := object[key].([]any)
		if isList && len(list) == n || !isList && n == 1 && len(object) == 1 {
			keys, found = append(keys, key), object[key]
		}
	}
	if len(keys) != 1 {
		return nil, fmt.Errorf("which key of %s holds %d predictions? say it with predictions: KEY", show(object), n)
	}
	return found, nil
}

// scalars takes lists of one apart.
func scalars(values []any) ([]any, error) {
	all := make([]any, len(values))
	for i, v := range values {
		if list, is := v.([]any); is && len(list) == 1 {
			v = list[0]
		}
		switch v.(type) {
		case []any, map[string]any, nil:
			return nil, fmt.Errorf("%s is no number and no class", show(v))
		}
		all[i] = v
	}
	return all, nil
}

// labelsOf reads the label of a row: one, or a list of them where the row makes several predictions.
func labelsOf(text []byte) ([]any, error) {
	v, err := decode(text)
	if err != nil {
		return nil, err
	}
	if list, is := v.([]any); is {
		if len(list) == 0 {
			return nil, errors.New("it is empty")
		}
		return scalars(list)
	}
	return scalars([]any{v})
}
