package arm

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"

	"hotswap/internal/online"
)

// decode reads a request's body. Fields that T doesn't have are ignored, as Azure ignores them.
func decode[T any](what string, body []byte) (T, error) {
	var v T
	if len(bytes.TrimSpace(body)) == 0 {
		return v, online.Errorf(online.Invalid, "read the %s: the body is empty, want a JSON object", what)
	}
	err := json.Unmarshal(body, &v)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return v, online.Errorf(online.Invalid, "read the %s: %s is a JSON %s, want %s", what, fieldOf(wrong), wrong.Value, wanted(wrong.Type))
	}
	if err != nil {
		return v, online.Errorf(online.Invalid, "read the %s: the body is not JSON: %w", what, err)
	}
	return v, nil
}

func fieldOf(wrong *json.UnmarshalTypeError) string {
	if wrong.Field == "" {
		return "the body"
	}
	return wrong.Field
}

// wanted says in words what JSON a Go type is read from.
func wanted(t reflect.Type) string {
	if t == reflect.TypeFor[duration]() {
		return "an ISO 8601 duration like PT5S"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Int:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	default:
		return "an object"
	}
}

// texts is a map of strings. Numbers and truth values are taken as their text: azure-ai-ml
// sends hash_version as a number.
type texts map[string]string

func (t *texts) UnmarshalJSON(b []byte) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(b, &values); err != nil {
		return err
	}
	if values == nil {
		return nil
	}
	*t = make(texts, len(values))
	for key, raw := range values {
		switch raw[0] {
		case '{', '[':
			return &json.UnmarshalTypeError{Value: map[byte]string{'{': "object", '[': "array"}[raw[0]], Type: reflect.TypeFor[string](), Field: key}
		case 'n': // null: as if it were not there
		case '"':
			var text string
			if err := json.Unmarshal(raw, &text); err != nil {
				return err
			}
			(*t)[key] = text
		default:
			(*t)[key] = string(raw)
		}
	}
	return nil
}

// percents is a map of whole numbers. A number in a text is taken too: azure-ai-ml sends the
// percentages as it was given them, and "az ml" gives it texts.
type percents map[string]int

func (p *percents) UnmarshalJSON(b []byte) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(b, &values); err != nil {
		return err
	}
	*p = make(percents, len(values))
	for key, raw := range values {
		var percent int
		var text string
		err := json.Unmarshal(raw, &percent)
		if json.Unmarshal(raw, &text) == nil && raw[0] == '"' {
			percent, err = strconv.Atoi(text)
		}
		if err != nil {
			return &json.UnmarshalTypeError{Value: string(raw), Type: reflect.TypeFor[int](), Field: key}
		}
		(*p)[key] = percent
	}
	return nil
}

// object is JSON that is kept as it came and given back; nil for null.
type object []byte

func (o *object) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case 'n':
		return nil
	case '{':
		*o = bytes.Clone(b)
		return nil
	}
	return &json.UnmarshalTypeError{Value: "value", Type: reflect.TypeFor[struct{}]()}
}

// raw writes what object kept; null where there is nothing.
func raw(kept []byte) json.RawMessage {
	if len(kept) == 0 {
		return json.RawMessage("null")
	}
	return kept
}

// oneOf returns the spelling of value that is listed, whatever its case; def for "".
func oneOf(field, value, def string, listed ...string) (string, error) {
	if value == "" {
		return def, nil
	}
	for _, spelling := range listed {
		if strings.EqualFold(value, spelling) {
			return spelling, nil
		}
	}
	return "", online.Errorf(online.Invalid, "%s is %q, want %s", field, value, strings.Join(listed, " or "))
}
