package spec

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// mapping is a mapping that is being read. Whatever is taken out of it by name is a known key;
// done tells of the others.
type mapping struct {
	*reader
	node  *node
	name  string // what a message calls it
	known []string
}

// get returns the value of a key, or nil where there is none.
func (m *mapping) get(key string) *node {
	m.known = append(m.known, key)
	if f := m.node.find(key); f != nil && f.value.kind != isNull {
		return f.value
	}
	return nil
}

// require notes that the key must be there.
func (m *mapping) require(key string) {
	if f := m.node.find(key); f == nil || f.value.kind == isNull {
		m.missing = append(m.missing, fault{m.node.at, m.name + ": " + strconv.Quote(key) + " is missing"})
	}
}

// ignore names keys that are allowed and mean nothing.
func (m *mapping) ignore(keys ...string) { m.known = append(m.known, keys...) }

// done tells of the keys that nobody has asked for.
func (m *mapping) done() {
	for _, f := range m.node.fields {
		if !slices.Contains(m.known, f.key) {
			m.fail(f.at, "%s: unknown key %q%s", m.name, f.key, hint(f.key, m.known))
		}
	}
}

// is reports whether n is of the kind k, and tells where it is not.
func (m *mapping) is(n *node, key string, k kind) bool {
	if n.kind != k {
		shown := ""
		if n.text != "" {
			shown = " " + strconv.Quote(n.text)
		}
		m.fail(n.at, "%s: want %s, got %s%s", key, k, n.kind, shown)
	}
	return n.kind == k
}

func (m *mapping) text(key string) string {
	n := m.get(key)
	if n == nil || !m.is(n, key, isText) {
		return ""
	}
	if n.text == "" {
		m.fail(n.at, "%s: is empty", key)
	}
	return n.text
}

// scalar is the text of any value that is neither a mapping nor a list: version: 1 is "1".
func (m *mapping) scalar(n *node, key string) string {
	if n.kind == isMapping || n.kind == isList {
		m.is(n, key, isText)
	}
	return n.text
}

// version is the text of a version, which is often written as a number.
func (m *mapping) version(key string) string {
	if n := m.get(key); n != nil {
		return m.scalar(n, key)
	}
	return ""
}

func (m *mapping) integer(key string, low, high, otherwise int) int {
	n := m.get(key)
	if n == nil || !m.is(n, key, isInteger) {
		return otherwise
	}
	v, err := strconv.ParseInt(n.text, 0, 64)
	if err != nil || v < int64(low) || v > int64(high) {
		m.fail(n.at, "%s: %s is out of range, want %d to %d", key, n.text, low, high)
		return otherwise
	}
	return int(v)
}

// seconds and milliseconds read a time that is written as a whole number of them.
func (m *mapping) seconds(key string, low, high int, otherwise time.Duration) time.Duration {
	return time.Duration(m.integer(key, low, high, int(otherwise/time.Second))) * time.Second
}

func (m *mapping) milliseconds(key string, low, high int, otherwise time.Duration) time.Duration {
	return time.Duration(m.integer(key, low, high, int(otherwise/time.Millisecond))) * time.Millisecond
}

func (m *mapping) boolean(key string) bool {
	n := m.get(key)
	return n != nil && m.is(n, key, isBool) && strings.EqualFold(n.text, "true")
}

// choice is one of several words, given in pairs: as a file has it, and as Azure's API has it.
// The first pair is the default. Case doesn't count, as az has it.
func (m *mapping) choice(key string, pairs ...[2]string) string {
	n := m.get(key)
	if n == nil || !m.is(n, key, isText) {
		return pairs[0][1]
	}
	words := make([]string, len(pairs))
	for i, pair := range pairs {
		if strings.EqualFold(n.text, pair[0]) {
			return pair[1]
		}
		words[i] = pair[0]
	}
	m.fail(n.at, "%s: %q, want %s%s", key, n.text, strings.Join(words, " or "), hint(n.text, words))
	return pairs[0][1]
}

// texts is a mapping of words to words; a number or a truth value counts as it is written.
func (m *mapping) texts(key string) map[string]string {
	n := m.get(key)
	if n == nil || !m.is(n, key, isMapping) {
		return nil
	}
	texts := make(map[string]string, len(n.fields))
	for _, f := range n.fields {
		texts[f.key] = m.scalar(f.value, key+"."+f.key)
	}
	return texts
}

// shares is a mapping of deployments to percentages.
func (m *mapping) shares(key string) map[string]int {
	section := m.section(key)
	if section == nil {
		return nil
	}
	shares := make(map[string]int, len(section.node.fields))
	for _, f := range section.node.fields {
		shares[f.key] = section.integer(f.key, 0, 100, 0)
	}
	return shares
}

// section is the mapping below a key, or nil.
func (m *mapping) section(key string) *mapping {
	n := m.get(key)
	if n == nil || !m.is(n, key, isMapping) {
		return nil
	}
	return &mapping{reader: m.reader, node: n, name: key}
}

// hint names the known word that is nearest to an unknown one, where one is near.
func hint(word string, known []string) string {
	nearest, best := "", 1+max(1, len(word)/3)
	for _, k := range known {
		if d := distance(strings.ToLower(word), k); d < best {
			nearest, best = k, d
		}
	}
	if nearest == "" {
		return ""
	}
	return "; do you mean " + strconv.Quote(nearest) + "?"
}

// distance is the number of characters to insert, delete or replace to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
