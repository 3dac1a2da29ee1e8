package checks

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"hotswap/internal/document"
)

// source is where the requests of a case come from.
type source struct {
	key   string         // one of sources; "" where there is none
	node  *document.Node // of that key
	shape shape
}

// The keys that say where requests come from.
const (
	oneInline = "request"
	oneFile   = "request_file"
	rowFile   = "requests_file"
	aGlob     = "requests_glob"
)

var sources = []string{oneInline, oneFile, rowFile, aGlob}

// sourceOf reads where a case's requests come from, and how rows become requests.
func sourceOf(m *document.Mapping) *source {
	from := &source{}
	from.node = only(m, sources...)
	for _, key := range sources {
		if from.node != nil && m.Get(key) == from.node {
			from.key = key
		}
	}
	if from.node == nil {
		m.Missing("there is no request, want %s or %s", strings.Join(sources[:3], ", "), sources[3])
	}
	from.readShape(m)
	return from
}

func (s *source) readShape(m *document.Mapping) {
	body, batch := m.Get("body"), m.Get("batch")
	s.shape.batch = m.Integer("batch", 1, 1_000_000, 1)
	if s.key != rowFile {
		for key, n := range map[string]*document.Node{"body": body, "batch": batch} {
			if n != nil && s.key != "" {
				m.Fail(m.Node.Field(key).At, "%s: there are no rows, which a requests_file has", key)
			}
		}
		return
	}
	if s.shape.body = bodyOf(s.node.Text); body != nil {
		s.shape.body = encode(m, body, "body")
		if text := string(s.shape.body); !strings.Contains(text, rowsHere) && !strings.Contains(text, valuesHere) {
			m.Fail(body.At, "body: there is no place for the rows, want $rows or $values in it")
		}
	}
	if s.shape.batch > 1 && s.shape.body == nil {
		m.Fail(batch.At, "batch: each line is a request of its own; say with body how rows become one, such as {data: $rows}")
	}
}

// requests reads the requests, and gives the labels of their rows to a.
func (s *source) requests(m *document.Mapping, a *accuracy) []Request {
	if a != nil && s.key != "" && s.key != rowFile {
		m.Fail(a.at, "accuracy: there are no labelled rows, which a requests_file has")
		return nil
	}
	if s.key == oneInline {
		return []Request{{Name: oneInline, Body: encode(m, s.node, oneInline)}}
	}
	if s.key == "" || !m.Is(s.node, s.key, document.KindText) {
		return nil
	}
	requests, err := s.files(m, a)
	if err != nil {
		m.Fail(s.node.At, "%s: %v", s.key, err)
	}
	return requests
}

func (s *source) files(m *document.Mapping, a *accuracy) ([]Request, error) {
	if s.key == aGlob {
		return ReadRequests(m.Beside(s.node.Text))
	}
	if s.key == oneFile && manyIn(s.node.Text) {
		return nil, fmt.Errorf("%s has many requests, want requests_file", s.node.Text)
	}
	path, info := m.Find(s.node)
	if info == nil {
		return nil, nil // noted
	}
	if s.key == rowFile {
		return s.rows(path, a)
	}
	return readFile(path)
}

// manyIn reports whether a file has many requests, by its name.
func manyIn(path string) bool {
	return slices.Contains([]string{".jsonl", ".ndjson", ".csv"}, strings.ToLower(filepath.Ext(path)))
}

// rows reads the rows of a file and makes requests of them, without their labels.
func (s *source) rows(path string, a *accuracy) ([]Request, error) {
	rows, err := readRows(path)
	if err != nil {
		return nil, err
	}
	if a == nil || a.label == "" {
		return s.shape.requests(rows), nil
	}
	var labels [][]any
	for i := range rows {
		rest, text, err := without(rows[i].value, a.label)
		if err != nil {
			return nil, fmt.Errorf("%s: no label: %w", rows[i].name, err)
		}
		label, err := labelsOf(text)
		if err != nil {
			return nil, fmt.Errorf("%s: the label %s: %w", rows[i].name, short(string(text)), err)
		}
		rows[i].value = rest
		labels = append(labels, label)
	}
	for batch := range slices.Chunk(labels, s.shape.batch) {
		a.labels = append(a.labels, slices.Concat(batch...))
	}
	return s.shape.requests(rows), nil
}
