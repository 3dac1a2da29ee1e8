package checks

import (
	"maps"
	"math"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"hotswap/internal/document"
)

// Read reads a suite's file; schemas/tests.schema.json describes it. Paths in it are relative to
// the file. Every fault is one error that begins with file:line:column.
func Read(path string) (Suite, error) {
	m, err := document.Open(path, "suite")
	if err != nil {
		return Suite{}, err
	}
	r := reader{path: path, taken: map[string]bool{}}
	m.Ignore("$schema")
	if d := m.Section("defaults"); d != nil {
		r.defaults(d)
	}
	s := Suite{Name: path}
	m.Require("cases")
	cases := m.List("cases")
	if f := m.Node.Field("cases"); f != nil && f.Value.Kind == document.KindList && len(cases) == 0 {
		m.Fail(f.Value.At, "cases: the suite has no case, so it would prove nothing")
	}
	for _, n := range cases {
		if m.Is(n, "cases", document.KindMapping) {
			s.cases = append(s.cases, r.read(m.Mapping(n, "case")))
		}
	}
	m.Done()
	return s, m.Err()
}

// reader reads the cases of one file.
type reader struct {
	path  string
	taken map[string]bool // names of cases

	// what the defaults say
	base    testCase
	head    http.Header
	timeout time.Duration
}

func (r *reader) defaults(m *document.Mapping) {
	r.timeout = m.Duration("timeout", 0)
	r.head = headers(m)
	r.base.expect.tolerance = readTolerance(m, Tolerance{})
	m.Done()
}

func (r *reader) read(m *document.Mapping) testCase {
	c := r.base
	c.line = m.Node.At.Line
	m.Require("name")
	c.name = m.Text("name")
	if r.taken[c.name] && c.name != "" {
		m.Fail(m.Node.Field("name").Value.At, "name: there is a case %q already; reports tell cases apart by name", c.name)
	}
	r.taken[c.name] = true
	timeout := m.Duration("timeout", r.timeout)
	head := maps.Clone(r.head)
	if head == nil {
		head = http.Header{}
	}
	maps.Copy(head, headers(m))
	from := sourceOf(m)
	m.Require("expect")
	if e := m.Section("expect"); e != nil {
		r.expect(e, &c.expect)
	}
	m.Done()
	c.requests = from.requests(m, c.expect.accuracy)
	for i := range c.requests {
		c.requests[i].Header, c.requests[i].Timeout = head, timeout
	}
	return c
}

// header matches a header's name (RFC 9110, section 5.1).
var header = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// reserved are the headers that a test sends itself.
var reserved = []string{"Authorization", "Azureml-Model-Deployment", "Host", "Content-Length", "Transfer-Encoding"}

func headers(m *document.Mapping) http.Header {
	all := http.Header{}
	texts := m.Texts("headers")
	if texts == nil {
		return all
	}
	for _, f := range m.Node.Field("headers").Value.Fields {
		name := textproto.CanonicalMIMEHeaderKey(f.Key)
		switch {
		case !header.MatchString(f.Key):
			m.Fail(f.At, "headers: %q is no header's name", f.Key)
		case slices.Contains(reserved, name):
			m.Fail(f.At, "headers: %s is set by the test itself", f.Key)
		case strings.ContainsAny(texts[f.Key], "\r\n\x00"):
			m.Fail(f.Value.At, "headers: %s has a line break in it", f.Key)
		}
		all.Set(name, texts[f.Key])
	}
	return all
}

func readTolerance(m *document.Mapping, otherwise Tolerance) Tolerance {
	return Tolerance{
		Absolute: m.Number("absolute_tolerance", 0, math.MaxFloat64, otherwise.Absolute),
		Relative: m.Percentage("relative_tolerance", math.MaxFloat64, otherwise.Relative),
	}
}

// expect reads what is expected. At least one of the keys that expect something must be there:
// a case that nothing can fail proves nothing.
func (r *reader) expect(m *document.Mapping, e *expectation) {
	e.status = m.Integer("status", 100, 599, http.StatusOK)
	r.answer(m, e)
	r.schema(m, e)
	if s := m.Section("error_text"); s != nil {
		s.Require("allowed")
		e.errorText = s.Text("allowed")
		s.Done()
	}
	if s := m.Section("latency"); s != nil {
		e.latency = readLatency(s)
	}
	if s := m.Section("accuracy"); s != nil {
		e.accuracy = readAccuracy(s)
	}
	if words := m.Words("script"); words != nil {
		e.script = &script{command: words, dir: filepath.Dir(r.path)}
	}
	if f := m.Node.Field("script"); f != nil && f.Value.Kind == document.KindList && len(f.Value.Items) == 0 {
		m.Fail(f.Value.At, "script: is empty, want a command and its arguments")
	}
	m.Done()
	something := slices.ContainsFunc(m.Node.Fields, func(f document.Field) bool {
		return slices.Contains(expecting, f.Key) && f.Value.Kind != document.KindNull
	})
	if !something {
		m.Missing("nothing is expected, so nothing could fail; want %s or %s",
			strings.Join(expecting[:len(expecting)-1], ", "), expecting[len(expecting)-1])
	}
}

// expecting are the keys of expect that can fail a case.
var expecting = []string{"status", "answer", "answer_file", "schema", "schema_file", "latency", "accuracy", "script"}

func (r *reader) answer(m *document.Mapping, e *expectation) {
	n := only(m, "answer", "answer_file")
	e.tolerance = readTolerance(m, e.tolerance)
	for _, key := range []string{"absolute_tolerance", "relative_tolerance"} {
		if f := m.Node.Field(key); f != nil && n == nil {
			m.Fail(f.At, "%s: there is no answer to compare with", key)
		}
	}
	switch n {
	case nil:
	case m.Get("answer"):
		e.answer = encode(m, n, "answer")
	default:
		if text := readText(m, n, "answer_file"); text != nil {
			if _, err := decode(text); err != nil {
				m.Fail(n.At, "answer_file: %s is not JSON: %v", n.Text, err)
			}
			e.answer = text
		}
	}
}

func (r *reader) schema(m *document.Mapping, e *expectation) {
	n := only(m, "schema", "schema_file")
	if n == nil {
		return
	}
	var err error
	if n == m.Get("schema") {
		e.schema, err = schemaOf(encode(m, n, "schema"), r.path)
	} else if m.Is(n, "schema_file", document.KindText) {
		if path, info := m.Find(n); info != nil {
			e.schema, err = schemaAt(path)
		}
	}
	if err != nil {
		m.Fail(n.At, "schema: %s", shorten(err.Error(), 4*shown))
	}
}

// only returns the value of the one of the keys that is there, or nil.
func only(m *document.Mapping, keys ...string) (found *document.Node) {
	first := ""
	for _, key := range keys {
		n := m.Get(key)
		switch {
		case n == nil:
		case found != nil:
			m.Fail(m.Node.Field(key).At, "%s: there is %s already, want one of them", key, first)
		default:
			found, first = n, key
		}
	}
	return found
}

func encode(m *document.Mapping, n *document.Node, key string) []byte {
	b, err := n.JSON()
	if err != nil {
		m.Fail(n.At, "%s: %v", key, err)
	}
	return b
}

// readText reads the file that n names.
func readText(m *document.Mapping, n *document.Node, key string) []byte {
	if !m.Is(n, key, document.KindText) {
		return nil
	}
	path, info := m.Find(n)
	if info == nil {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		m.Fail(n.At, "%s: %v", key, err)
	}
	return text
}
