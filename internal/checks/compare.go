package checks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"hotswap/internal/online"
)

// Compare tells where got first differs from want, both JSON, or returns nil.
//
// They are compared by value: the order of an object's keys, white space and the way a number
// or a string is written don't count. Two numbers are equal when they differ by at most
// tolerance, which is absolute: 0.01 lets 12.5 pass for 12.51, however large the numbers are.
// Where want is not a string and got is a string that holds JSON, what it holds is compared: a
// score.py that returns json.dumps(…) has its answer encoded twice.
func Compare(want, got []byte, tolerance float64) error {
	return CompareWithin(want, got, Tolerance{Absolute: tolerance})
}

// Tolerance is how far a number may be from the wanted one: the larger of both counts.
type Tolerance struct {
	Absolute float64
	Relative float64 // a share of the wanted number's size: 0.01 is 1%
}

func (t Tolerance) String() string {
	relative := strconv.FormatFloat(100*t.Relative, 'g', 6, 64) + "%"
	switch {
	case t.Relative == 0:
		return fmt.Sprint(t.Absolute)
	case t.Absolute == 0:
		return relative
	}
	return fmt.Sprintf("%v or %s", t.Absolute, relative)
}

// allowed is the largest difference from want.
func (t Tolerance) allowed(want float64) float64 {
	return max(t.Absolute, t.Relative*math.Abs(want))
}

// CompareWithin is Compare with a tolerance that may be relative.
func CompareWithin(want, got []byte, tolerance Tolerance) error {
	w, err := decode(want)
	if err != nil {
		return online.Errorf(online.Invalid, "read the expected answer: %w", err)
	}
	g, err := decode(got)
	if err != nil {
		return online.Errorf(online.Refused, "the answer %s is not JSON: %w", short(string(got)), err)
	}
	if _, isString := w.(string); !isString {
		g = unwrap(g)
	}
	if difference := compare("$", w, g, tolerance); difference != "" {
		return online.Errorf(online.Refused, "%s", difference)
	}
	return nil
}

// decode reads exactly one JSON value, with its numbers as they are written.
func decode(b []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the value")
	}
	return v, nil
}

// unwrap returns what v holds where it is a string that holds JSON, and v otherwise.
func unwrap(v any) any {
	for {
		text, isString := v.(string)
		if !isString {
			return v
		}
		inner, err := decode([]byte(text))
		if err != nil {
			return v
		}
		v = inner
	}
}

// compare describes the first difference below path, or returns "".
func compare(path string, want, got any, tolerance Tolerance) string {
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			return compareObjects(path, w, g, tolerance)
		}
	case []any:
		if g, ok := got.([]any); ok {
			return compareArrays(path, w, g, tolerance)
		}
	case json.Number:
		if g, ok := got.(json.Number); ok {
			return compareNumbers(path, w, g, tolerance)
		}
	default: // a string, a bool or null
		if want == got {
			return ""
		}
		if kind(want) == kind(got) {
			return fmt.Sprintf("%s: %s, want %s", path, show(got), show(want))
		}
	}
	return fmt.Sprintf("%s: %s %s, want %s %s", path, kind(got), show(got), kind(want), show(want))
}

func compareObjects(path string, want, got map[string]any, tolerance Tolerance) string {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		g, there := got[key]
		if !there {
			return fmt.Sprintf("%s: missing, want %s", member(path, key), show(want[key]))
		}
		if difference := compare(member(path, key), want[key], g, tolerance); difference != "" {
			return difference
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, there := want[key]; !there {
			return fmt.Sprintf("%s: %s, want no such key", member(path, key), show(got[key]))
		}
	}
	return ""
}

func compareArrays(path string, want, got []any, tolerance Tolerance) string {
	for i := range min(len(want), len(got)) {
		if difference := compare(fmt.Sprintf("%s[%d]", path, i), want[i], got[i], tolerance); difference != "" {
			return difference
		}
	}
	if len(want) != len(got) {
		return fmt.Sprintf("%s: %d elements, want %d", path, len(got), len(want))
	}
	return ""
}

func compareNumbers(path string, want, got json.Number, tolerance Tolerance) string {
	if want == got || near(want, got, tolerance) {
		return ""
	}
	return fmt.Sprintf("%s: %s, want %s (tolerance %v)", path, short(got.String()), short(want.String()), tolerance)
}

// near reports whether got differs from want by at most tolerance. Integers are compared as
// such, since a float64 can't tell large ones apart.
func near(want, got json.Number, tolerance Tolerance) bool {
	x, errX := want.Float64()
	y, errY := got.Float64()
	if errX != nil || errY != nil {
		return false
	}
	allowed := tolerance.allowed(x)
	m, errM := strconv.ParseInt(want.String(), 10, 64)
	n, errN := strconv.ParseInt(got.String(), 10, 64)
	if errM == nil && errN == nil && allowed < 1 {
		return m == n
	}
	return math.Abs(x-y) <= allowed
}

// member is the path of an object's key, quoted where it is not a plain word.
func member(path, key string) string {
	plain := key != "" && !strings.ContainsFunc(key, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	if plain {
		return path + "." + key
	}
	return path + "[" + strconv.Quote(key) + "]"
}

func kind(v any) string {
	switch v.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case json.Number:
		return "number"
	case bool:
		return "boolean"
	}
	return "null"
}

func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return kind(v)
	}
	return short(string(b))
}

// shown is how much of a value a message holds, in characters.
const shown = 80

// short cuts text to one line that a message can hold.
func short(text string) string { return shorten(text, shown) }

// shorten makes one line of text that has most characters at most and none that a terminal, or a
// log that takes commands, would act upon.
func shorten(text string, most int) string {
	text = plain(strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " "))
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
