package checks

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bin is one row of a histogram of differences: how many are at least Low and less than High.
type Bin struct {
	Label     string  `json:"label"`
	Low       float64 `json:"low,omitempty"`
	High      float64 `json:"high,omitempty"` // 0 where the bin has no limits
	Count     int     `json:"count"`
	Disagrees bool    `json:"disagrees"` // the predictions in it disagree
}

// maxBins is how many sizes of differences a histogram tells apart.
const maxBins = 12

// histogram counts differences: first the equal ones, then those within the tolerance, then the
// others by size, and at last what has no size.
//
// The sizes grow as 1, 2, 5, 10 …, or by tenfold and more where that would be too many rows. The
// differences of two models lie decades apart: rounding beside an outlier. Rows of one width would
// put everything but the outlier into the first.
func histogram(differences []difference) []Bin {
	equal, within, unlike := Bin{Label: "equal"}, Bin{Label: "within tolerance"}, Bin{Label: "not comparable", Disagrees: true}
	var sizes []int
	for _, d := range differences {
		switch {
		case d.unlike != "":
			unlike.Count++
		case d.beyond:
			sizes = append(sizes, rung(d.by))
		case d.by > 0:
			within.Count++
		default:
			equal.Count++
		}
	}
	bins := append([]Bin{equal, within}, sized(sizes)...)
	if unlike.Count > 0 {
		bins = append(bins, unlike)
	}
	return bins
}

// rungs are the numbers 1, 2 and 5 of each decade; rung 0 is 1, rung 3 is 10, rung -1 is 0.5.
var rungs = [3]float64{1, 2, 5}

// rung is the highest that is at most v, which is more than 0. It goes by v's digits, since 0.1
// as a float64 has no exact logarithm.
func rung(v float64) int {
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
	decade, _ := strconv.Atoi(exponent)
	switch digit := mantissa[0]; {
	case digit >= '5':
		return 3*decade + 2
	case digit >= '2':
		return 3*decade + 1
	}
	return 3 * decade
}

// value of a rung. Beyond what a float64 holds, it is 0 or the largest.
func value(rung int) float64 {
	decade := floor(rung, 3)
	v, _ := strconv.ParseFloat(fmt.Sprintf("%ve%d", rungs[rung-3*decade], decade), 64)
	return min(v, math.MaxFloat64)
}

// floor divides and rounds down.
func floor(a, b int) int { return int(math.Floor(float64(a) / float64(b))) }

func sized(sizes []int) []Bin {
	if len(sizes) == 0 {
		return nil
	}
	low, high := sizes[0], sizes[0]
	for _, r := range sizes {
		low, high = min(low, r), max(high, r)
	}
	width := 1
	for decades := 1; floor(high, width)-floor(low, width) >= maxBins; decades++ {
		width = 3 * decades
	}
	bins := make([]Bin, floor(high, width)-floor(low, width)+1)
	for i := range bins {
		from := (floor(low, width) + i) * width
		bins[i] = Bin{Low: value(from), High: value(from + width), Disagrees: true}
		bins[i].Label = significant(bins[i].Low) + " to " + significant(bins[i].High)
	}
	for _, r := range sizes {
		bins[floor(r, width)-floor(low, width)].Count++
	}
	return bins
}
