package document_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotswap/internal/document"
	"hotswap/internal/online"
)

func open(t *testing.T, text string) *document.Mapping {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := document.Open(path, "suite")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestScalars(t *testing.T) {
	m := open(t, "time: 90s\nnone: 0\nshare: 0.5%\nnumber: 1e-3\nword: MAE\nwords: [a, 2]\n")
	if got := m.Duration("time", 0); got != 90*time.Second {
		t.Errorf("time %v", got)
	}
	if got := m.Duration("none", time.Second); got != 0 {
		t.Errorf("none %v", got)
	}
	if got := m.Duration("absent", time.Hour); got != time.Hour {
		t.Errorf("absent %v", got)
	}
	if got := m.Percentage("share", 1, 0); got != 0.005 {
		t.Errorf("share %v", got)
	}
	if got := m.Number("number", 0, 1, 0); got != 0.001 {
		t.Errorf("number %v", got)
	}
	if got := m.Choice("word", "mae", "rmse"); got != "mae" {
		t.Errorf("word %q", got)
	}
	if got := m.Words("words"); strings.Join(got, ",") != "a,2" {
		t.Errorf("words %q", got)
	}
	m.Done()
	if err := m.Err(); err != nil {
		t.Error(err)
	}
}

func TestFaults(t *testing.T) {
	tests := map[string]struct {
		text string
		read func(*document.Mapping)
		want string
	}{
		"time without a unit":    {"t: 10\n", func(m *document.Mapping) { m.Duration("t", 0) }, `:1:4: t: "10", want a time with its unit, such as 10m`},
		"time before now":        {"t: -1s\n", func(m *document.Mapping) { m.Duration("t", 0) }, `:1:4: t: "-1s", want a time`},
		"percentage as a share":  {"p: 0.01\n", func(m *document.Mapping) { m.Percentage("p", 1, 0) }, `:1:4: p: "0.01", want a percentage with its sign`},
		"percentage is negative": {"p: -1%\n", func(m *document.Mapping) { m.Percentage("p", 1, 0) }, `:1:4: p: "-1%", want a percentage`},
		"percentage is NaN":      {"p: NaN%\n", func(m *document.Mapping) { m.Percentage("p", 1, 0) }, `:1:4: p: "NaN%", want a percentage`},
		"percentage is too much": {"p: 101%\n", func(m *document.Mapping) { m.Percentage("p", 1, 0) }, `:1:4: p: 101% is too much, want at most 100%`},
		"number is text":         {"n: '1'\n", func(m *document.Mapping) { m.Number("n", 0, math.Inf(1), 0) }, `:1:4: n: "1", want a number`},
		"number is NaN":          {"n: .nan\n", func(m *document.Mapping) { m.Number("n", 0, 1, 0) }, `:1:4: n: ".nan", want a number from 0 to 1`},
		"no such word":           {"w: maee\n", func(m *document.Mapping) { m.Choice("w", "mae", "rmse") }, `:1:4: w: "maee", want mae or rmse; do you mean "mae"?`},
		"list is text":           {"l: a\n", func(m *document.Mapping) { m.List("l") }, `:1:4: l: want a list, got text "a"`},
		"the first of two":       {"a: x\nb: y\n", func(m *document.Mapping) { m.Duration("b", 0); m.Duration("a", 0) }, ":1:4: a: "},
		"the unknown before the missing": {
			"nam: x\n", func(m *document.Mapping) { m.Require("name"); m.Text("name"); m.Done() },
			`:1:1: suite: unknown key "nam"; do you mean "name"?`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := open(t, tt.text)
			tt.read(m)
			if err := m.Err(); online.CodeOf(err) != online.Invalid || !strings.Contains(err.Error(), "f.yml"+tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	tests := map[string]struct{ yaml, want string }{
		"a request":               {"{data: [{distance: 2.50, night: true, note: null}]}", `{"data":[{"distance":2.50,"night":true,"note":null}]}`},
		"keys in order":           {"{b: 1, a: 2}", `{"b":1,"a":2}`},
		"a number beyond a float": {"[9007199254740993]", "[9007199254740993]"},
		"numbers of YAML alone":   {"[0x1F, 1_000, +1]", "[31,1000,1]"},
		"a number in quotes":      {"['1', '1e3']", `["1","1e3"]`},
		"an exponent":             {"[1e-3, 1.5E3]", "[1e-3,1.5E3]"},
		"text":                    {`"say \"é\""`, `"say \"é\""`},
		"empty":                   {"[{}, []]", "[{},[]]"},
		"infinity":                {"[.inf]", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := open(t, "v: "+tt.yaml+"\n").Node.Field("v").Value.JSON()
			if string(got) != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("%s, %v; want %s", got, err, tt.want)
			}
		})
	}
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'i'; c++ {
		bomb += strings.ReplaceAll("Z: &Z [*Y, *Y, *Y, *Y, *Y, *Y, *Y, *Y, *Y, *Y]\n", "Z", string(c))
		bomb = strings.ReplaceAll(bomb, "Y", string(c-1))
	}
	if _, err := open(t, bomb).Node.Field("i").Value.JSON(); err == nil {
		t.Error("aliases grew without a bound")
	}
}
