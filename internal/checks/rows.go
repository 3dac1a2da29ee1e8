package checks

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// A row is one line of a JSONL file, or one record of a CSV file as an object of its columns.
type row struct {
	name  string // many.jsonl:12
	value json.RawMessage
}

// readRows reads a file of many, by its extension. Paths in errors and names are short: the
// base name and the line.
func readRows(path string) ([]row, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	base := filepath.Base(path)
	var rows []row
	switch strings.ToLower(filepath.Ext(path)) {
	case ".jsonl", ".ndjson":
		rows, err = jsonLines(base, text)
	case ".csv":
		rows, err = records(base, text)
	default:
		return nil, fmt.Errorf("%s: want a file that ends in .jsonl or .csv", base)
	}
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("%s: the file has no request", base)
	}
	return rows, err
}

// jsonLines reads one JSON value a line; empty lines don't count.
func jsonLines(base string, text []byte) ([]row, error) {
	var rows []row
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if _, err := decode(line); err != nil {
			return nil, fmt.Errorf("%s:%d: the line is not JSON: %w", base, n, err)
		}
		rows = append(rows, row{fmt.Sprintf("%s:%d", base, n), bytes.Clone(line)})
	}
	return rows, lines.Err()
}

// records reads a CSV file (RFC 4180), whose first record names the columns.
func records(base string, text []byte) ([]row, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	head, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", base, err)
	}
	seen := map[string]bool{}
	for i, column := range head {
		if column == "" || seen[column] {
			return nil, fmt.Errorf("%s:1: column %d is called %q, want a name of its own", base, i+1, column)
		}
		seen[column] = true
	}
	var rows []row
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", base, err)
		}
		line, _ := r.FieldPos(0)
		rows = append(rows, row{fmt.Sprintf("%s:%d", base, line), object(head, cells)})
	}
}

// object makes an object of a record, in the order of its columns.
func object(head, cells []string) json.RawMessage {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, column := range head {
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(quoted(column))
		out.WriteByte(':')
		out.Write(cell(cells[i]))
	}
	out.WriteByte('}')
	return out.Bytes()
}

// cell is a cell's text as JSON: a number stays as it is written, true and false in any case are
// truth values (Python writes True), an empty cell is null, and all else is a string, 007 too.
func cell(text string) []byte {
	switch lower := strings.ToLower(text); {
	case text == "":
		return []byte("null")
	case lower == "true" || lower == "false":
		return []byte(lower)
	}
	if first := text[0]; (first == '-' || first >= '0' && first <= '9') && json.Valid([]byte(text)) {
		return []byte(text)
	}
	return quoted(text)
}

// quoted is text as a JSON string; a string can always be encoded.
func quoted(text string) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(text)
	return bytes.TrimSpace(out.Bytes())
}
