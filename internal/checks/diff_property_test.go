package checks_test

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hotswap/internal/checks"
)

// decimals are numbers as models write them, and as none should.
var decimals = rapid.Custom(func(t *rapid.T) string {
	digits := rapid.StringMatching(`-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,20})?`).Draw(t, "digits")
	if rapid.Bool().Draw(t, "exponent") {
		digits += "e" + strconv.Itoa(rapid.IntRange(-400, 400).Draw(t, "power"))
	}
	return digits
})

var anyAnswer = rapid.Custom(func(t *rapid.T) string {
	element := rapid.OneOf(decimals, rapid.SampledFrom([]string{`"setosa"`, `true`, `null`, `{"a": [1, {"b": 2.5}]}`, `[]`, `1e99999999999`}))
	return "[" + strings.Join(rapid.SliceOfN(element, 0, 6).Draw(t, "elements"), ",") + "]"
})

func TestDiffWithItselfIsNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		answers := rapid.SliceOfN(anyAnswer, 1, 20).Draw(rt, "answers")
		answers = append(answers, "[1]")
		d := diff(t, trips(len(answers)), says("blue", answers...), says("green", answers...), checks.DiffOptions{})
		if d.Disagree != 0 || !d.Passed || d.Histogram[0].Count != d.Predictions || len(d.Histogram) != 2 {
			rt.Fatalf("%+v", d)
		}
	})
}

// Of n predictions, spread over some requests, a known set differs by more than the tolerance and
// the others by up to it: exactly the set is found.
func TestDiffFindsExactlyWhatDiffers(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(1, 9), 1, 30).Draw(rt, "predictions a request")
		tolerance := rapid.SampledFrom([]float64{0, 0.1, 0.3, 2}).Draw(rt, "tolerance")
		var live, candidate, differ []string
		n := 0
		for request, size := range sizes {
			var l, c []string
			for index := range size {
				n++
				value := rapid.IntRange(-1_000_000, 1_000_000).Draw(rt, "value")
				tenths := int(10 * tolerance)
				if rapid.Float64Range(0, 1).Draw(rt, "luck") < 0.1 {
					differ = append(differ, fmt.Sprintf("trips.jsonl:%d %d", request+1, index))
					tenths++
				}
				sign := rapid.SampledFrom([]int{-1, 1}).Draw(rt, "sign")
				l, c = append(l, tenth(10*value)), append(c, tenth(10*value+sign*tenths))
			}
			live, candidate = append(live, "["+strings.Join(l, ",")+"]"), append(candidate, "["+strings.Join(c, ",")+"]")
		}
		d := diff(t, trips(len(sizes)), says("blue", live...), says("green", candidate...), checks.DiffOptions{Absolute: tolerance})
		if d.Disagree != len(differ) || d.Predictions != n || d.Passed != (len(differ) == 0) {
			rt.Fatalf("%d of %d disagree, want %d of %d", d.Disagree, d.Predictions, len(differ), n)
		}
		if len(d.Worst) != min(10, len(differ)) {
			rt.Fatalf("%d are told of %d", len(d.Worst), len(differ))
		}
		for _, w := range d.Worst {
			if !slices.Contains(differ, fmt.Sprintf("%s %d", w.Request, w.Index)) {
				rt.Fatalf("%+v is none of %v", w, differ)
			}
		}
	})
}

func tenth(n int) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%d", sign, n/10, n%10)
}

func TestDiffIsSymmetric(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		one := rapid.SliceOfN(anyAnswer, 1, 10).Draw(rt, "one")
		other := rapid.SliceOfN(anyAnswer, 1, 10).Draw(rt, "other")
		n := max(len(one), len(other))
		o := checks.DiffOptions{Absolute: rapid.Float64Range(0, 1e9).Draw(rt, "tolerance"), MaxDisagreement: -1}
		there := diff(t, trips(n), says("blue", one...), says("green", other...), o)
		back := diff(t, trips(n), says("blue", other...), says("green", one...), o)
		if there.Disagree != back.Disagree || !cmp.Equal(there.Histogram, back.Histogram) {
			rt.Fatalf("%+v\n%+v", there, back)
		}
	})
}

// Numbers of a usual size agree exactly when they do in exact arithmetic, and their difference
// lies in its bin.
func TestDiffAgreesWithExactArithmetic(t *testing.T) {
	usual := rapid.Custom(func(t *rapid.T) string {
		text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,12})(\.[0-9]{1,8})?`).Draw(t, "digits")
		return text + "e" + strconv.Itoa(rapid.IntRange(-9, 9).Draw(t, "power"))
	})
	rapid.Check(t, func(rt *rapid.T) {
		live, candidate := usual.Draw(rt, "live"), usual.Draw(rt, "candidate")
		absolute := rapid.SampledFrom([]string{"0", "0.1", "0.3", "7", "1e9"}).Draw(rt, "absolute")
		relative := rapid.SampledFrom([]string{"0", "0.001", "0.3", "1"}).Draw(rt, "relative")
		l, by := rational(live), new(big.Rat).Sub(rational(live), rational(candidate))
		by.Abs(by)
		allowed := new(big.Rat).Mul(rational(relative), l)
		if allowed.Abs(allowed).Cmp(rational(absolute)) < 0 {
			allowed = rational(absolute)
		}
		a, _ := strconv.ParseFloat(absolute, 64)
		r, _ := strconv.ParseFloat(relative, 64)
		d := diff(t, trips(1), says("blue", "["+live+"]"), says("green", "["+candidate+"]"), checks.DiffOptions{Absolute: a, Relative: r})
		if want := by.Cmp(allowed) > 0; (d.Disagree == 1) != want {
			rt.Fatalf("%s and %s differ by %s, allowed %s: disagree %d", live, candidate, by.RatString(), allowed.RatString(), d.Disagree)
		}
		for _, bin := range d.Histogram[2:] {
			if v := d.Worst[0].Difference; bin.Count != 1 || v < bin.Low || v >= bin.High {
				rt.Fatalf("%v is counted in %+v", v, bin)
			}
		}
	})
}

func rational(text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		panic("not a number: " + text)
	}
	return r
}
