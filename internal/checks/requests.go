package checks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hotswap/internal/online"
)

// ReadRequests reads the requests of a file, or of all files that a glob matches, in the order of
// their names. A .jsonl file has a request a line; a record of a .csv file makes the request
// {"data": [{COLUMN: VALUE, …}]}; any other file is one request.
func ReadRequests(pattern string) ([]Request, error) {
	paths, err := match(pattern)
	if err != nil {
		return nil, online.Errorf(online.Invalid, "read the requests: %w", err)
	}
	var all []Request
	for _, path := range paths {
		requests, err := readFile(path)
		if err != nil {
			return nil, online.Errorf(online.Invalid, "read the requests: %w", err)
		}
		all = append(all, requests...)
	}
	return all, nil
}

// match returns the files that a pattern names, at least one.
func match(pattern string) ([]string, error) {
	if _, err := os.Stat(pattern); err == nil { // a name with a bracket in it, say
		return []string{pattern}, nil
	}
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pattern, err)
	}
	paths = slices.DeleteFunc(paths, func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && info.IsDir()
	})
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: no such file", pattern)
	}
	return paths, nil
}

func readFile(path string) ([]Request, error) {
	if manyIn(path) {
		rows, err := readRows(path)
		if err != nil {
			return nil, err
		}
		return shape{body: bodyOf(path), batch: 1}.requests(rows), nil
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return []Request{{Name: filepath.Base(path), Body: body}}, nil
}

// The places in a body that a batch of rows takes: the rows as they are, or each as the list of
// its values. They stand for themselves as JSON strings do.
const (
	rowsHere   = `"$rows"`
	valuesHere = `"$values"`
)

// bodyOf is the body for the rows of a file where none is given: a line of a JSONL file is a
// request as it is (nil), and a table goes under "data", as Azure's samples have it.
func bodyOf(path string) json.RawMessage {
	if strings.EqualFold(filepath.Ext(path), ".csv") {
		return json.RawMessage(`{"data":` + rowsHere + `}`)
	}
	return nil
}

// shape says how rows become requests.
type shape struct {
	body  json.RawMessage // with rowsHere or valuesHere in it; nil: a row is a request
	batch int             // rows a request
}

// requests makes requests of rows.
func (s shape) requests(rows []row) []Request {
	var all []Request
	for batch := range slices.Chunk(rows, max(1, s.batch)) {
		if s.body == nil {
			all = append(all, Request{Name: batch[0].name, Body: batch[0].value})
			continue
		}
		fill := strings.NewReplacer( // in one pass: what a row holds is never taken for a place
			rowsHere, list(batch, func(r row) []byte { return r.value }),
			valuesHere, list(batch, func(r row) []byte { return values(r.value) }),
		)
		all = append(all, Request{Name: batch[0].name, Body: []byte(fill.Replace(string(s.body)))})
	}
	return all
}

func list(rows []row, each func(row) []byte) string {
	items := make([][]byte, len(rows))
	for i, r := range rows {
		items[i] = each(r)
	}
	return "[" + string(bytes.Join(items, []byte(","))) + "]"
}

// values is the list of an object's values in its own order; anything else is as it is.
func values(value json.RawMessage) []byte {
	fields, err := fieldsOf(value)
	if err != nil {
		return value
	}
	items := make([][]byte, len(fields))
	for i, f := range fields {
		items[i] = f.value
	}
	return slices.Concat([]byte("["), bytes.Join(items, []byte(",")), []byte("]"))
}

// field is a key of an object with its value as it is written.
type field struct {
	key   string
	value json.RawMessage
}

// fieldsOf returns an object's fields in their own order.
func fieldsOf(value json.RawMessage) ([]field, error) {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, fmt.Errorf("%s is not an object", short(string(value)))
	}
	var fields []field
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		f := field{}
		f.key, _ = key.(string)
		if err := d.Decode(&f.value); err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// without takes a key out of an object and returns its value.
func without(object json.RawMessage, key string) (rest, value json.RawMessage, err error) {
	fields, err := fieldsOf(object)
	if err != nil {
		return nil, nil, err
	}
	var out [][]byte
	for _, f := range fields {
		if f.key == key {
			value = f.value
			continue
		}
		out = append(out, slices.Concat(quoted(f.key), []byte(":"), f.value))
	}
	if value == nil {
		return nil, nil, fmt.Errorf("there is no %q", key)
	}
	return slices.Concat([]byte("{"), bytes.Join(out, []byte(",")), []byte("}")), value, nil
}
