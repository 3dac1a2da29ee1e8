package spec

import (
	"time"

	"hotswap/internal/document"
)

// mapping reads what Azure's files have in common.
type mapping struct{ *document.Mapping }

// open parses the file, whose whole must be one mapping.
func open(path, what string) (*mapping, error) {
	m, err := document.Open(path, what)
	if err != nil {
		return nil, err
	}
	return &mapping{m}, nil
}

// section is the mapping below a key, or nil.
func (m *mapping) section(key string) *mapping {
	if s := m.Section(key); s != nil {
		return &mapping{s}
	}
	return nil
}

// at reads the mapping n.
func (m *mapping) at(n *document.Node, name string) *mapping {
	return &mapping{m.Mapping.Mapping(n, name)}
}

// version is the text of a version, which is often written as a number.
func (m *mapping) version(key string) string {
	if n := m.Get(key); n != nil {
		return m.Scalar(n, key)
	}
	return ""
}

// seconds and milliseconds read a time that is written as a whole number of them.
func (m *mapping) seconds(key string, low, high int, otherwise time.Duration) time.Duration {
	return time.Duration(m.Integer(key, low, high, int(otherwise/time.Second))) * time.Second
}

func (m *mapping) milliseconds(key string, low, high int, otherwise time.Duration) time.Duration {
	return time.Duration(m.Integer(key, low, high, int(otherwise/time.Millisecond))) * time.Millisecond
}

// choice is one of several words, given in pairs: as a file has it, and as Azure's API has it.
// The first pair is the default. Case doesn't count, as az has it.
func (m *mapping) choice(key string, pairs ...[2]string) string {
	words := make([]string, len(pairs))
	for i, pair := range pairs {
		words[i] = pair[0]
	}
	word := m.Choice(key, words...)
	for _, pair := range pairs {
		if pair[0] == word {
			return pair[1]
		}
	}
	return pairs[0][1]
}

// shares is a mapping of deployments to percentages.
func (m *mapping) shares(key string) map[string]int {
	section := m.Section(key)
	if section == nil {
		return nil
	}
	shares := make(map[string]int, len(section.Node.Fields))
	for _, f := range section.Node.Fields {
		shares[f.Key] = section.Integer(f.Key, 0, 100, 0)
	}
	return shares
}
