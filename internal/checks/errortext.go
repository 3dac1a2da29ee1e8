package checks

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// ErrorText reports whether body is an error's text in the place of a prediction, and that text,
// cut to a line. A string that holds JSON counts as what it holds, as in Compare. An answer is an
// error's text when it is
//
//  1. empty, or null: run() returned nothing;
//  2. not JSON, which is what Azure ML's server makes of every prediction (NaN is not JSON);
//  3. a bare string. A label alone looks the same as str(exception) does, so a model that
//     answers with one needs an expected answer;
//  4. an object in which a key of an error ("error", "message", "traceback", …, in any case) has
//     a value, and every other key is one that goes with an error ("status", "code", …) or is
//     empty: there is no prediction beside it;
//  5. anything with a string in it that holds a Python traceback, or begins with the name of an
//     exception and a colon, such as "ValueError: could not convert".
func ErrorText(body []byte) (text string, is bool) {
	if len(bytes.TrimSpace(body)) == 0 {
		return "the answer is empty", true
	}
	v, err := decode(body)
	if err != nil {
		return "the answer is not JSON: " + short(string(body)), true
	}
	switch v := unwrap(v).(type) {
	case nil:
		return "the answer is null", true
	case string:
		if strings.TrimSpace(v) == "" {
			return "the answer is an empty string", true
		}
		return short(v), true
	case map[string]any:
		if text := errorOf(v); text != "" {
			return text, true
		}
		return exceptionIn(v)
	default:
		return exceptionIn(v)
	}
}

// errorKeys hold an error's text, and errorCompany stands beside it: what Flask, FastAPI
// (RFC 9457 too), Spring and Python services answer with. All in lower case, without "_" and "-".
var (
	errorKeys = []string{
		"error", "errors", "errormessage", "errormsg", "exception", "exc", "traceback", "stacktrace", "message", "msg", "detail", "details", "reason",
	}
	errorCompany = []string{
		"status", "statuscode", "code", "errorcode", "type", "errortype", "title", "success", "ok", "timestamp", "time", "path", "instance",
		"requestid", "traceid", "module", "line",
	}
)

var plainKey = strings.NewReplacer("_", "", "-", "")

// errorOf returns the text of an object that is an error by rule 4, or "".
func errorOf(object map[string]any) (text string) {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		value := object[key]
		switch name := plainKey.Replace(strings.ToLower(key)); {
		case empty(value), slices.Contains(errorCompany, name):
		case !slices.Contains(errorKeys, name):
			return "" // a prediction
		case text == "" || name == "error":
			text = show(value)
		}
	}
	return text
}

// empty reports whether v says nothing: null, false, "", {} or [].
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return strings.TrimSpace(v) == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// exception matches what Python prints of an exception: its class, maybe with its module, a
// colon and a text.
var exception = regexp.MustCompile(`^\s*[A-Za-z_][A-Za-z0-9_.]*(Error|Exception|Exit|Interrupt|StopIteration):\s`)

// exceptionIn looks through v for a string that reads like an exception.
func exceptionIn(v any) (text string, is bool) {
	switch v := v.(type) {
	case string:
		if exception.MatchString(v) || strings.Contains(v, "Traceback (most recent call last)") {
			return short(v), true
		}
	case []any:
		for _, element := range v {
			if text, is := exceptionIn(element); is {
				return text, true
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if text, is := exceptionIn(v[key]); is {
				return text, true
			}
		}
	case json.Number, bool, nil:
	}
	return "", false
}
