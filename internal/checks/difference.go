package checks

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
)

// difference is how far apart two predictions are.
type difference struct {
	by     float64 // the largest between two numbers of theirs; finite
	beyond bool    // some number is further from live's than is allowed
	unlike string  // where they cannot be compared: other shapes, or other words
}

func (d difference) disagrees() bool { return d.beyond || d.unlike != "" }

// precision, in bits, holds whole numbers of 76 digits exactly. A float64 would take the
// difference of 2^53 and 2^53+1 for none, and that of 1.1 and 1 for more than 0.1.
const precision = 256

// maxDigits bounds the work on one number, which an answer may write with millions of digits.
const maxDigits = 1000

// tolerance is DiffOptions ready to compare with.
type tolerance struct{ absolute, relative *big.Float }

func newTolerance(o DiffOptions) tolerance {
	return tolerance{decimal(o.Absolute), decimal(o.Relative)}
}

// decimal is the number that v was written as: 0.1, not the float64 next to it.
func decimal(v float64) *big.Float {
	f, _ := number(json.Number(strconv.FormatFloat(v, 'g', -1, 64)))
	return f
}

func number(n json.Number) (f *big.Float, ok bool) {
	if len(n) > maxDigits {
		return nil, false
	}
	f, _, err := big.ParseFloat(n.String(), 10, precision, big.ToNearestEven)
	return f, err == nil && !f.IsInf()
}

// compare adds to d what differs below path.
func (t tolerance) compare(path string, live, candidate any, d *difference) {
	switch l := live.(type) {
	case map[string]any:
		if c, ok := candidate.(map[string]any); ok {
			t.compareObjects(path, l, c, d)
			return
		}
	case []any:
		if c, ok := candidate.([]any); ok {
			t.compareArrays(path, l, c, d)
			return
		}
	case json.Number:
		if c, ok := candidate.(json.Number); ok {
			t.compareNumbers(path, l, c, d)
			return
		}
	default: // a string, a truth value or null
		if live == candidate {
			return
		}
	}
	d.note("%s: live has %s, the candidate %s", path, show(live), show(candidate))
}

// note keeps the first thing that makes two predictions unlike.
func (d *difference) note(format string, args ...any) {
	if d.unlike == "" {
		d.unlike = fmt.Sprintf(format, args...)
	}
}

func (t tolerance) compareObjects(path string, live, candidate map[string]any, d *difference) {
	for _, key := range slices.Sorted(maps.Keys(live)) {
		c, there := candidate[key]
		if !there {
			d.note("%s: only live has it", member(path, key))
			continue
		}
		t.compare(member(path, key), live[key], c, d)
	}
	for _, key := range slices.Sorted(maps.Keys(candidate)) {
		if _, there := live[key]; !there {
			d.note("%s: only the candidate has it", member(path, key))
		}
	}
}

func (t tolerance) compareArrays(path string, live, candidate []any, d *difference) {
	if len(live) != len(candidate) {
		d.note("%s: live has %d elements, the candidate %d", path, len(live), len(candidate))
	}
	for i := range min(len(live), len(candidate)) {
		t.compare(fmt.Sprintf("%s[%d]", path, i), live[i], candidate[i], d)
	}
}

func (t tolerance) compareNumbers(path string, live, candidate json.Number, d *difference) {
	if live == candidate {
		return
	}
	l, okL := number(live)
	c, okC := number(candidate)
	if !okL || !okC {
		d.note("%s: live has %s, the candidate %s, too large to compare", path, short(live.String()), short(candidate.String()))
		return
	}
	by := new(big.Float).Sub(l, c)
	by.Abs(by)
	if by.Sign() == 0 {
		return
	}
	d.by = max(d.by, finite(by))
	if by.Sub(by, slack(l, c)).Cmp(t.allowed(l)) > 0 {
		d.beyond = true
	}
}

// allowed is how far a number may be from live's.
func (t tolerance) allowed(live *big.Float) *big.Float {
	relative := new(big.Float).Mul(t.relative, live)
	if relative.Abs(relative).Cmp(t.absolute) > 0 {
		return relative
	}
	return t.absolute
}

// slack is what reading a and b as binary numbers may have added to their difference.
func slack(a, b *big.Float) *big.Float {
	const lost = precision - 16
	sum := new(big.Float).Add(new(big.Float).Abs(a), new(big.Float).Abs(b))
	return sum.SetMantExp(sum, -lost)
}

// finite is v as a float64, or the largest or the smallest there is.
func finite(v *big.Float) float64 {
	f, _ := v.Float64()
	return max(min(f, math.MaxFloat64), math.SmallestNonzeroFloat64)
}
