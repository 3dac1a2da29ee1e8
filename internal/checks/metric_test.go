package checks

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func metricOf(name string) metric {
	for _, m := range metrics {
		if m.name == name {
			return m
		}
	}
	panic(name)
}

func asNumbers(values []float64) []any {
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = json.Number(strconv.FormatFloat(v, 'g', -1, 64))
	}
	return all
}

// pairs draws labels and predictions of the same length.
func pairs(t *rapid.T) (labels, predictions []float64) {
	one := rapid.Custom(func(t *rapid.T) float64 {
		return float64(rapid.IntRange(-1000, 1000).Draw(t, "v")) / 8
	})
	n := rapid.IntRange(1, 30).Draw(t, "n")
	return rapid.SliceOfN(one, n, n).Draw(t, "labels"), rapid.SliceOfN(one, n, n).Draw(t, "predictions")
}

// The definitions as the documentation of sklearn.metrics writes them, one sum at a time.
var naive = map[string]func(y, p []float64) float64{
	"mae": func(y, p []float64) float64 {
		return mean(len(y), func(i int) float64 { return math.Abs(y[i] - p[i]) })
	},
	"rmse": func(y, p []float64) float64 {
		return math.Sqrt(mean(len(y), func(i int) float64 { return (y[i] - p[i]) * (y[i] - p[i]) }))
	},
	"mape": func(y, p []float64) float64 {
		return mean(len(y), func(i int) float64 { return math.Abs(y[i]-p[i]) / math.Abs(y[i]) })
	},
	"r2": func(y, p []float64) float64 {
		middle := mean(len(y), func(i int) float64 { return y[i] })
		return 1 - mean(len(y), func(i int) float64 { return (y[i] - p[i]) * (y[i] - p[i]) })/
			mean(len(y), func(i int) float64 { return (y[i] - middle) * (y[i] - middle) })
	},
}

func mean(n int, of func(int) float64) float64 {
	sum := 0.0
	for i := range n {
		sum += of(i)
	}
	return sum / float64(n)
}

func TestRegressionMetrics(t *testing.T) {
	for name, by := range naive {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			labels, predictions := pairs(t)
			got, err := metricOf(name).of(asNumbers(labels), asNumbers(predictions), "")
			want := by(labels, predictions)
			switch defined := !math.IsNaN(want) && !math.IsInf(want, 0); {
			case defined != (err == nil):
				t.Fatalf("%v, %v; want %v", got, err, want)
			case defined && math.Abs(got-want) > 1e-9*max(1, math.Abs(want)):
				t.Fatalf("%v, want %v", got, want)
			}
		}))
	}
}

// A class metric knows nothing but which class each row has, so classes of few rows show it all.
func TestClassMetrics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one := rapid.SampledFrom([]string{"a", "b", "c"})
		n := rapid.IntRange(1, 20).Draw(t, "n")
		labels, predictions := rapid.SliceOfN(one, n, n).Draw(t, "labels"), rapid.SliceOfN(one, n, n).Draw(t, "predictions")
		y, p := make([]any, n), make([]any, n)
		hits := 0
		for i := range n {
			y[i], p[i] = labels[i], predictions[i]
			if labels[i] == predictions[i] {
				hits++
			}
		}
		if got, err := metricOf("accuracy").of(y, p, ""); err != nil || got != float64(hits)/float64(n) {
			t.Fatalf("accuracy %v, %v; want %d/%d", got, err, hits, n)
		}
		sum, classes := 0.0, 0
		for _, class := range []string{"a", "b", "c"} {
			score, occurs := naiveF1(labels, predictions, class)
			got, err := metricOf("f1").of(y, p, class)
			if (err == nil) != occurs || occurs && math.Abs(got-score) > 1e-12 {
				t.Fatalf("f1 of %s %v, %v; want %v", class, got, err, score)
			}
			if occurs {
				sum, classes = sum+score, classes+1
			}
		}
		if got, err := metricOf("f1").of(y, p, ""); err != nil || math.Abs(got-sum/float64(classes)) > 1e-12 {
			t.Fatalf("f1 %v, %v; want %v", got, err, sum/float64(classes))
		}
	})
}

// naiveF1 is the harmonic mean of precision and recall.
func naiveF1(labels, predictions []string, class string) (score float64, occurs bool) {
	var hit, labelled, predicted float64
	for i := range labels {
		if labels[i] == class {
			labelled++
		}
		if predictions[i] == class {
			predicted++
		}
		if labels[i] == class && predictions[i] == class {
			hit++
		}
	}
	if hit == 0 {
		return 0, labelled+predicted > 0
	}
	precision, recall := hit/predicted, hit/labelled
	return 2 * precision * recall / (precision + recall), true
}

func TestClassesAreTheSame(t *testing.T) {
	same := [][]any{
		{json.Number("1"), json.Number("1.0"), "1", json.Number("1e0")},
		{true, "True", "true", "TRUE"},
		{"setosa"},
		{json.Number("0"), "0"},
		{"Setosa"},
	}
	for i, group := range same {
		for _, v := range group {
			for j, other := range same {
				if (class(v) == class(other[0])) != (i == j) {
					t.Errorf("class(%#v) = %q, class(%#v) = %q", v, class(v), other[0], class(other[0]))
				}
			}
		}
	}
}

// A difference between two numbers is within an absolute tolerance whichever of them is wanted;
// a relative one goes by the wanted number alone, and the larger of both counts.
func TestToleranceIsSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := func(name string) json.Number {
			if rapid.Bool().Draw(t, name+" is whole") {
				return json.Number(fmt.Sprint(rapid.Int64().Draw(t, name)))
			}
			return json.Number(strconv.FormatFloat(rapid.Float64Range(-1e6, 1e6).Draw(t, name), 'g', -1, 64))
		}
		a, b := number("a"), number("b")
		absolute := rapid.Float64Range(0, 1e6).Draw(t, "absolute")
		if near(a, b, Tolerance{Absolute: absolute}) != near(b, a, Tolerance{Absolute: absolute}) {
			t.Fatalf("near(%s, %s, %v) is not near(%[2]s, %[1]s)", a, b, absolute)
		}
		relative := rapid.Float64Range(0, 2).Draw(t, "relative")
		both := near(a, b, Tolerance{absolute, relative})
		if either := near(a, b, Tolerance{Absolute: absolute}) || near(a, b, Tolerance{Relative: relative}); both != either {
			t.Fatalf("near(%s, %s) by both tolerances %v, by either %v", a, b, both, either)
		}
		if !near(a, a, Tolerance{}) {
			t.Fatalf("%s is not near itself", a)
		}
	})
}

func TestUndefinedMetrics(t *testing.T) {
	tests := map[string]struct {
		labels, predictions []any
		want                string
	}{
		"r2":   {asNumbers([]float64{2, 2}), asNumbers([]float64{1, 2}), "r2 is not defined where all labels are the same"},
		"mape": {asNumbers([]float64{1, 0}), asNumbers([]float64{1, 2}), "mape is not defined for a label that is 0"},
		"mae":  {asNumbers([]float64{1}), []any{json.Number("1e999")}, "the prediction 1e999 is too large"},
		"rmse": {asNumbers([]float64{1}), asNumbers([]float64{1e200}), "rmse is too large to be a number"},
	}
	for name, tt := range tests {
		if v, err := metricOf(name).of(tt.labels, tt.predictions, ""); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, %v; want %q", name, v, err, tt.want)
		}
	}
}
