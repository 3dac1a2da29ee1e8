package checks

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// inputs returns what tells a prediction's input by its index: the row of the request's array
// that is as long as the answer is, else the whole request.
func inputs(body []byte, predictions int, whole bool) func(index int) string {
	v, err := decode(body)
	if err != nil { // CSV, an image …
		text := short(string(body))
		return func(int) string { return text }
	}
	var rows []any
	if !whole {
		rows = rowsOf(v, predictions)
	}
	return func(index int) string {
		if index >= 0 && index < len(rows) {
			return cut(rows[index])
		}
		return cut(v)
	}
}

// rowsKey holds the rows in the requests of Azure ML's examples and in a table as pandas writes it
// with orient="split", where the names of columns may be just as many.
const rowsKey = "data"

// rowsOf finds the one array of n elements in a request: itself, below a key, or below a key of a
// key, as in {"input_data": {"columns": …, "data": …}}. It returns nil where none or several are.
func rowsOf(v any, n int) []any {
	if list, is := v.([]any); is && len(list) == n {
		return list
	}
	object, is := v.(map[string]any)
	if !is {
		return nil
	}
	var found [][]any
	for _, key := range slices.Sorted(maps.Keys(object)) {
		inner, isObject := object[key].(map[string]any)
		list, isList := object[key].([]any)
		switch {
		case isList && len(list) == n && key == rowsKey:
			return list
		case isList && len(list) == n:
			found = append(found, list)
		case isObject:
			if list, is := inner[rowsKey].([]any); is && len(list) == n {
				found = append(found, list)
			}
		}
	}
	if len(found) != 1 {
		return nil
	}
	return found[0]
}

// cut is v as JSON, of a length that a report can hold.
func cut(v any) string {
	const most = 1000
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return kind(v)
	}
	text := strings.TrimSuffix(b.String(), "\n")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
