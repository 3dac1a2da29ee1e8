package document

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Mapping is a mapping that is being read. Whatever is taken out of it by name is a known key;
// Done tells of the others.
type Mapping struct {
	*Reader
	Node  *Node
	Name  string // what a message calls it
	known []string
}

// Get returns the value of a key, or nil where there is none or it is null.
func (m *Mapping) Get(key string) *Node {
	m.known = append(m.known, key)
	if f := m.Node.Field(key); f != nil && f.Value.Kind != KindNull {
		return f.Value
	}
	return nil
}

// Require notes that the key must be there.
func (m *Mapping) Require(key string) {
	if f := m.Node.Field(key); f == nil || f.Value.Kind == KindNull {
		m.Missing("%q is missing", key)
	}
}

// Missing notes that something must be there, which is told when nothing else is wrong.
func (m *Mapping) Missing(format string, args ...any) {
	m.missing = append(m.missing, fault{m.Node.At, m.Name + ": " + fmt.Sprintf(format, args...)})
}

// Ignore names keys that are allowed and mean nothing.
func (m *Mapping) Ignore(keys ...string) { m.known = append(m.known, keys...) }

// Done tells of the keys that nobody has asked for.
func (m *Mapping) Done() {
	for _, f := range m.Node.Fields {
		if !slices.Contains(m.known, f.Key) {
			m.Fail(f.At, "%s: unknown key %q%s", m.Name, f.Key, hint(f.Key, m.known))
		}
	}
}

// Is reports whether n is of the kind k, and tells where it is not.
func (m *Mapping) Is(n *Node, key string, k Kind) bool {
	if n.Kind != k {
		shown := ""
		if n.Text != "" {
			shown = " " + strconv.Quote(n.Text)
		}
		m.Fail(n.At, "%s: want %s, got %s%s", key, k, n.Kind, shown)
	}
	return n.Kind == k
}

// Section is the mapping below a key, or nil.
func (m *Mapping) Section(key string) *Mapping {
	n := m.Get(key)
	if n == nil || !m.Is(n, key, KindMapping) {
		return nil
	}
	return m.Mapping(n, key)
}

// List is what the list below a key holds.
func (m *Mapping) List(key string) []*Node {
	n := m.Get(key)
	if n == nil || !m.Is(n, key, KindList) {
		return nil
	}
	return n.Items
}

// Words is a list of text; a number or a truth value counts as it is written.
func (m *Mapping) Words(key string) []string {
	n := m.Get(key)
	if n == nil || !m.Is(n, key, KindList) {
		return nil
	}
	words := make([]string, len(n.Items))
	for i, item := range n.Items {
		words[i] = m.Scalar(item, key)
	}
	return words
}

// Texts is a mapping of words to words; a number or a truth value counts as it is written.
func (m *Mapping) Texts(key string) map[string]string {
	n := m.Get(key)
	if n == nil || !m.Is(n, key, KindMapping) {
		return nil
	}
	texts := make(map[string]string, len(n.Fields))
	for _, f := range n.Fields {
		texts[f.Key] = m.Scalar(f.Value, key+"."+f.Key)
	}
	return texts
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
