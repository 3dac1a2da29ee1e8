package checks_test

import (
	"encoding/json"
	"strings"
	"testing"

	"hotswap/internal/checks"
	"hotswap/internal/online"
)

func TestCompare(t *testing.T) {
	tests := map[string]struct {
		want, got string
		tolerance float64
		diff      string // "" where they are equal
	}{
		"same":                        {want: `[1, 2]`, got: `[1,2]`},
		"order of keys":               {want: `{"a":1,"b":2}`, got: `{"b":2,"a":1}`},
		"numbers by value":            {want: `[1.0, 100]`, got: `[1, 1e2]`},
		"strings by value":            {want: `"é"`, got: `"\u00e9"`},
		"within the tolerance":        {want: `{"data":[13]}`, got: `{"data":[13.01]}`, tolerance: 0.011},
		"outside of the tolerance":    {want: `{"data":[1,2,3,13]}`, got: `{"data":[1,2,3,12.5]}`, tolerance: 0.01, diff: "$.data[3]: 12.5, want 13 (tolerance 0.01)"},
		"tolerance is absolute":       {want: `1000000`, got: `1000001`, tolerance: 0.5, diff: "$: 1000001, want 1000000 (tolerance 0.5)"},
		"tolerance between integers":  {want: `10`, got: `12`, tolerance: 2},
		"integers beyond a float":     {want: `9007199254740993`, got: `9007199254740992`, diff: "$: 9007199254740992"},
		"numbers beyond a float":      {want: `1e400`, got: `1e401`, diff: "$: 1e401"},
		"the same beyond a float":     {want: `1e400`, got: `1e400`},
		"encoded twice":               {want: `[1.5]`, got: `"[1.5]"`},
		"encoded thrice":              {want: `{"a":[1]}`, got: `"\"{\\\"a\\\":[1]}\""`},
		"encoded twice and different": {want: `[1.5]`, got: `"[2.5]"`, diff: "$[0]: 2.5, want 1.5"},
		"a string that is wanted":     {want: `"[1]"`, got: `"[1]"`},
		"a string is wanted":          {want: `"[1]"`, got: `[1]`, diff: `$: array [1], want string "[1]"`},
		"a number is no string":       {want: `{"a":"1"}`, got: `{"a":1}`, diff: `$.a: number 1, want string "1"`},
		"true is not 1":               {want: `[true]`, got: `[1]`, diff: "$[0]: number 1, want boolean true"},
		"other text":                  {want: `["a"]`, got: `["b"]`, diff: `$[0]: "b", want "a"`},
		"null":                        {want: `{"a":null}`, got: `{"a":0}`, diff: "$.a: number 0, want null null"},
		"key is missing":              {want: `{"a":{"b c":1}}`, got: `{"a":{}}`, diff: `$.a["b c"]: missing, want 1`},
		"key is too many":             {want: `{}`, got: `{"error":"x"}`, diff: `$.error: "x", want no such key`},
		"element is missing":          {want: `[1,2]`, got: `[1]`, diff: "$: 1 elements, want 2"},
		"element is too many":         {want: `[1]`, got: `[1,2]`, diff: "$: 2 elements, want 1"},
		"first difference":            {want: `[1,2,3]`, got: `[1,5]`, diff: "$[1]: 5, want 2"},
		"object for array":            {want: `[1]`, got: `{"0":1}`, diff: `$: object {"0":1}, want array [1]`},
		"an exception":                {want: `[1]`, got: `"could not convert"`, diff: `$: string "could not convert", want array [1]`},
		"not JSON":                    {want: `[1]`, got: `oops`, diff: "the answer oops is not JSON"},
		"more after the value":        {want: `[1]`, got: `[1] [2]`, diff: "there is more after the value"},
		"a long value is cut":         {want: `1`, got: `"` + strings.Repeat("x", 500) + `"`, diff: "…"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := checks.Compare([]byte(tt.want), []byte(tt.got), tt.tolerance)
			switch {
			case tt.diff == "" && err != nil:
				t.Errorf("differ: %v", err)
			case tt.diff != "" && (online.CodeOf(err) != online.Refused || !strings.Contains(err.Error(), tt.diff)):
				t.Errorf("error %v, want %q", err, tt.diff)
			case err != nil && len(err.Error()) > 300:
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
		})
	}
	if err := checks.Compare([]byte("nothing"), []byte("[1]"), 0); online.CodeOf(err) != online.Invalid {
		t.Errorf("an expected answer that is not JSON: %v", err)
	}
}

func TestErrorText(t *testing.T) {
	tests := map[string]struct {
		body string
		want string // "" where it is an answer
	}{
		"numbers":               {`[12.5, 13]`, ""},
		"one number":            {`12.5`, ""},
		"encoded twice":         {`"[12.5, 13]"`, ""},
		"labels":                {`["setosa", "virginica"]`, ""},
		"object":                {`{"predictions": [1]}`, ""},
		"object in a string":    {`"{\"predictions\": [1]}"`, ""},
		"no error":              {`{"error": null, "predictions": [1]}`, ""},
		"a metric called error": {`{"error": 0.25, "prediction": 7}`, ""},
		"a message beside it":   {`{"message": "ok", "result": 3}`, ""},
		"nothing asked":         {`[]`, ""},
		"empty object":          {`{}`, ""},
		"a word with a colon":   {`["note: fine"]`, ""},

		"empty":                   {"", "the answer is empty"},
		"white space":             {" \n", "the answer is empty"},
		"null":                    {"null", "the answer is null"},
		"NaN":                     {"[NaN]", "the answer is not JSON: [NaN]"},
		"HTML":                    {"<h1>Bad Gateway</h1>", "not JSON"},
		"text of an exception":    {`"could not convert string to float: 'x'"`, "could not convert string to float: 'x'"},
		"text encoded twice":      {`"\"could not convert\""`, "could not convert"},
		"empty text":              {`""`, "the answer is an empty string"},
		"error":                   {`{"error": "no column fare"}`, "no column fare"},
		"Error":                   {`{"Error_Message": "no column fare"}`, "no column fare"},
		"error with company":      {`{"status": "failed", "code": 7, "message": "no column fare", "data": null}`, "no column fare"},
		"error object":            {`{"error": {"code": 1, "message": "no column"}}`, "no column"},
		"the server's own":        {`{"message": "An unexpected error occurred in scoring script."}`, "An unexpected error"},
		"FastAPI":                 {`{"detail": [{"loc": ["body"], "msg": "field required"}]}`, "field required"},
		"error in a string":       {`"{\"error\": \"no column fare\"}"`, "no column fare"},
		"exception in a list":     {`["ValueError: could not convert"]`, "ValueError: could not convert"},
		"exception of a module":   {`{"result": "numpy.linalg.LinAlgError: singular"}`, "numpy.linalg.LinAlgError: singular"},
		"traceback":               {`{"out": {"text": "Traceback (most recent call last):\n  File"}}`, "Traceback (most recent call last): File"},
		"exception beside answer": {`{"predictions": [1], "warning": "KeyError: 'fare'"}`, "KeyError: 'fare'"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			text, is := checks.ErrorText([]byte(tt.body))
			if is != (tt.want != "") || !strings.Contains(text, tt.want) || is && strings.Contains(text, "\n") {
				t.Errorf("ErrorText(%s) = %q, %v; want %q", tt.body, text, is, tt.want)
			}
		})
	}
}

func FuzzCompare(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5,"x",null,true]}`, `"[1]"`, `1e999`, `{"":{"":0}}`, `"\"\\\"x\\\"\""`} {
		f.Add([]byte(seed), []byte(`[1]`), 0.1)
	}
	f.Fuzz(func(t *testing.T, a, b []byte, tolerance float64) {
		if err := checks.Compare(a, a, tolerance); err != nil && json.Valid(a) {
			t.Errorf("Compare(x, x) = %v for %s", err, a)
		}
		checks.Compare(a, b, tolerance)
		checks.ErrorText(a)
	})
}
