package checks_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hotswap/internal/checks"
	"hotswap/internal/online"
)

// folder writes files into a folder of the test's own.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReadRequests(t *testing.T) {
	dir := folder(t, map[string]string{
		"one.json":     "{\"data\": [1]}\n",
		"many.jsonl":   "[1]\n\n {\"data\": [2.50]} \n",
		"trips.csv":    "\ufeffdistance,hour,manhattan,zone,note\n2.50,11,True,007,\"a \"\"b\"\"\n$rows\"\n1e3,-1,false,,<é>\n",
		"dir/a[1].txt": "a",
		"dir/b.txt":    "b",
		"void.jsonl":   "\n",
		"void.csv":     "a,b\n",
		"broken.jsonl": "[1]\n[\n",
		"two.jsonl":    "[1] [2]\n",
		"ragged.csv":   "a,b\n1\n",
		"twice.csv":    "a,a\n1,2\n",
		"none.json/x":  "",
	})
	tests := map[string]struct {
		pattern string
		want    string // NAME BODY, one a line; or the error
		fails   bool
	}{
		"a file":           {"one.json", "one.json {\"data\": [1]}\n", false},
		"lines":            {"many.jsonl", "many.jsonl:1 [1]|many.jsonl:3 {\"data\": [2.50]}", false},
		"a table":          {"trips.csv", `trips.csv:2 {"data":[{"distance":2.50,"hour":11,"manhattan":true,"zone":"007","note":"a \"b\"\n$rows"}]}|trips.csv:4 {"data":[{"distance":1e3,"hour":-1,"manhattan":false,"zone":null,"note":"<é>"}]}`, false},
		"a glob":           {"dir/*.txt", "a[1].txt a|b.txt b", false},
		"a bracket":        {"dir/a[1].txt", "a[1].txt a", false},
		"no such file":     {"nothing.json", "nothing.json: no such file", true},
		"glob of nothing":  {"*.yml", "*.yml: no such file", true},
		"glob of a folder": {"none.j*", "no such file", true},
		"empty lines":      {"void.jsonl", "void.jsonl: the file has no request", true},
		"a head alone":     {"void.csv", "void.csv: the file has no request", true},
		"a broken line":    {"broken.jsonl", "broken.jsonl:2: the line is not JSON", true},
		"two in a line":    {"two.jsonl", "two.jsonl:1: the line is not JSON: there is more after the value", true},
		"a short record":   {"ragged.csv", "ragged.csv: record on line 2: wrong number of fields", true},
		"a column twice":   {"twice.csv", `twice.csv:1: column 2 is called "a", want a name of its own`, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			requests, err := checks.ReadRequests(filepath.Join(dir, tt.pattern))
			if tt.fails {
				if online.CodeOf(err) != online.Invalid || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				return
			}
			var got []string
			for _, r := range requests {
				got = append(got, r.Name+" "+string(r.Body))
			}
			if err != nil || strings.Join(got, "|") != tt.want {
				t.Errorf("%v\ngot  %s\nwant %s", err, strings.Join(got, "|"), tt.want)
			}
		})
	}
}

func TestCompareWithin(t *testing.T) {
	tests := map[string]struct {
		want, got string
		tolerance checks.Tolerance
		diff      string
	}{
		"a share of the wanted": {"[200]", "[202]", checks.Tolerance{Relative: 0.01}, ""},
		"more than the share":   {"[200]", "[203]", checks.Tolerance{Relative: 0.01}, "$[0]: 203, want 200 (tolerance 1%)"},
		"below zero":            {"[-200.5]", "[-202]", checks.Tolerance{Relative: 0.01}, ""},
		"nothing of nothing":    {"0", "0.001", checks.Tolerance{Relative: 0.5}, "$: 0.001, want 0 (tolerance 50%)"},
		"the larger of both":    {"[0, 1000]", "[0.1, 1009.5]", checks.Tolerance{Absolute: 0.1, Relative: 0.01}, ""},
		"more than either":      {"1000", "1010.05", checks.Tolerance{Absolute: 0.1, Relative: 0.01}, "$: 1010.05, want 1000 (tolerance 0.1 or 1%)"},
		"large integers":        {"9007199254740993", "9007199254740992", checks.Tolerance{Relative: 1e-17}, "$: 9007199254740992"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := checks.CompareWithin([]byte(tt.want), []byte(tt.got), tt.tolerance)
			if (err == nil) != (tt.diff == "") || err != nil && !strings.Contains(err.Error(), tt.diff) {
				t.Errorf("error %v, want %q", err, tt.diff)
			}
		})
	}
}
