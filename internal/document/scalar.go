package document

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Text is the text below a key, which may not be empty where it is given.
func (m *Mapping) Text(key string) string {
	n := m.Get(key)
	if n == nil || !m.Is(n, key, KindText) {
		return ""
	}
	if n.Text == "" {
		m.Fail(n.At, "%s: is empty", key)
	}
	return n.Text
}

// Scalar is the text of any value that is neither a mapping nor a list: version: 1 is "1".
func (m *Mapping) Scalar(n *Node, key string) string {
	if n.Kind == KindMapping || n.Kind == KindList {
		m.Is(n, key, KindText)
	}
	return n.Text
}

// Integer is a whole number from low to high.
func (m *Mapping) Integer(key string, low, high, otherwise int) int {
	n := m.Get(key)
	if n == nil || !m.Is(n, key, KindInteger) {
		return otherwise
	}
	v, err := strconv.ParseInt(n.Text, 0, 64)
	if err != nil || v < int64(low) || v > int64(high) {
		m.Fail(n.At, "%s: %s is out of range, want %d to %d", key, n.Text, low, high)
		return otherwise
	}
	return int(v)
}

// Number is a number from low to high.
func (m *Mapping) Number(key string, low, high, otherwise float64) float64 {
	n := m.Get(key)
	if n == nil {
		return otherwise
	}
	v, err := strconv.ParseFloat(n.Text, 64)
	if n.Kind != KindNumber && n.Kind != KindInteger || err != nil || !(v >= low && v <= high) {
		m.Fail(n.At, "%s: %q, want a number%s", key, n.Text, span(low, high))
		return otherwise
	}
	return v
}

// span says what lies between low and high.
func span(low, high float64) string {
	switch {
	case high < math.MaxFloat64:
		return fmt.Sprintf(" from %v to %v", low, high)
	case low > -math.MaxFloat64:
		return fmt.Sprintf(", %v or more", low)
	}
	return ""
}

// Boolean is a truth value, by default false.
func (m *Mapping) Boolean(key string) bool {
	n := m.Get(key)
	return n != nil && m.Is(n, key, KindBool) && strings.EqualFold(n.Text, "true")
}

// Choice is one of several words as it stands among them, or "" where there is none; case doesn't count.
func (m *Mapping) Choice(key string, words ...string) string {
	n := m.Get(key)
	if n == nil || !m.Is(n, key, KindText) {
		return ""
	}
	for _, word := range words {
		if strings.EqualFold(n.Text, word) {
			return word
		}
	}
	m.Fail(n.At, "%s: %q, want %s%s", key, n.Text, strings.Join(words, " or "), hint(n.Text, words))
	return ""
}

// Duration is a time with its unit, 0 or more.
func (m *Mapping) Duration(key string, otherwise time.Duration) time.Duration {
	n := m.Get(key)
	if n == nil {
		return otherwise
	}
	d, err := time.ParseDuration(n.Text)
	if err != nil || d < 0 {
		m.Fail(n.At, "%s: %q, want a time with its unit, such as 10m, 30s or 500ms", key, n.Text)
		return otherwise
	}
	return d
}

// Percentage is a share: 1% is 0.01. high is the largest share.
func (m *Mapping) Percentage(key string, high, otherwise float64) float64 {
	n := m.Get(key)
	if n == nil {
		return otherwise
	}
	share, err := ParsePercentage(n.Text)
	if err != nil {
		m.Fail(n.At, "%s: %v", key, err)
		return otherwise
	}
	if share > high {
		m.Fail(n.At, "%s: %s is too much, want at most %v%%", key, n.Text, 100*high)
		return otherwise
	}
	return share
}

// ParsePercentage reads a percentage, which is written with its sign: 1% is 0.01. Without it, 1
// could be meant as all or as a hundredth.
func ParsePercentage(text string) (share float64, err error) {
	number, sign := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(number, 64)
	if !sign || err != nil || !(v >= 0 && v <= math.MaxFloat64) {
		return 0, fmt.Errorf("%q, want a percentage with its sign, such as 1%% or 0.5%%", text)
	}
	return v / 100, nil
}
