package checks_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/checks"
)

func TestDiffHistogram(t *testing.T) {
	tests := map[string]struct {
		differences []string // of the candidate's numbers from live's, which are 0
		want        string
	}{
		"equal":             {[]string{"0", "-0", "0.0"}, "equal 3, within tolerance 0"},
		"within":            {[]string{"0", "0.01", "-0.005"}, "equal 1, within tolerance 2"},
		"by 1, 2 and 5":     {[]string{"0.1", "0.19", "0.2", "-0.5", "0.999"}, "equal 0, within tolerance 0, 0.1 to 0.2 2, 0.2 to 0.5 1, 0.5 to 1 2"},
		"gaps are shown":    {[]string{"1", "9"}, "equal 0, within tolerance 0, 1 to 2 1, 2 to 5 0, 5 to 10 1"},
		"by tenfold":        {[]string{"0.02", "3000"}, "equal 0, within tolerance 0, 0.01 to 0.1 1, 0.1 to 1 0, 1 to 10 0, 10 to 100 0, 100 to 1000 0, 1000 to 1e+04 1"},
		"no size":           {[]string{`"x"`, "1"}, "equal 0, within tolerance 0, 1 to 2 1, not comparable 1"},
		"as large as it is": {[]string{"1e999"}, "equal 0, within tolerance 0, 1e+308 to 1.798e+308 1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			live := strings.Repeat("0,", len(tt.differences)-1) + "0"
			d := diff(t, trips(1), says("blue", "["+live+"]"), says("green", "["+strings.Join(tt.differences, ",")+"]"), checks.DiffOptions{Absolute: 0.01})
			var got []string
			for i, bin := range d.Histogram {
				got = append(got, bin.Label+" "+strconv.Itoa(bin.Count))
				if bin.Disagrees != (i > 1) {
					t.Errorf("%+v", bin)
				}
			}
			if all := strings.Join(got, ", "); all != tt.want {
				t.Errorf("%s\nwant\n%s", all, tt.want)
			}
		})
	}
}

// However far apart the differences are, the rows are few.
func TestDiffHistogramIsShort(t *testing.T) {
	d := diff(t, trips(1), says("blue", "[0, 0, 0]"), says("green", "[1e-320, 1, 1e308]"), checks.DiffOptions{})
	if n := len(d.Histogram); n > 2+12 || n < 2+6 {
		t.Errorf("%d rows: %+v", n, d.Histogram)
	}
}

// found is a diff with something of everything.
func found(t *testing.T) checks.Diff {
	t.Helper()
	candidate := []string{`[12.5, 3]`, `[12.501, 3]`, `[14.5, "` + hostile + `"]`, `"ValueError: |\u001b[31m"`, `[12.5, 3]`}
	return diff(t, trips(8), says("blue", `[12.5, 3]`), says("green", candidate...), checks.DiffOptions{Absolute: 0.01, Relative: 0.001, MaxDisagreement: 0.01})
}

// hostile is what a model may say to steer a terminal, a table or a page, as a JSON string has it.
const hostile = "`|</text><script>*_&\\u001b[2J\u009b2J"

func TestDiffText(t *testing.T) {
	var b strings.Builder
	if err := found(t).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	shown := strings.ReplaceAll(hostile, "\u009b", "?")
	want := `prediction diff of green against blue: 2 of 14 predictions disagree (14.29%), at most 1% may: failed
8 requests, a difference of more than 0.01 and 0.1% of the live number counts

             equal  11  ████████████████████████████████████████
  within tolerance   1  ███▋
            2 to 5   1  ███▋
    not comparable   1  ███▋

trips.jsonl:3 [1]: 3 → "` + shown + `" ($: live has 3, the candidate "` + escapedHTML(shown) + `")  input [3,2]
trips.jsonl:3 [0]: 12.5 → 14.5 (by 2)  input [3,1]

unknown: trips.jsonl:4: the candidate (green): the answer has status 200 and is an error's text: ValueError: |?[31m
failed: 1 of 8 requests could not be compared, which is unknown and so does not pass: trips.jsonl:4: the candidate (green): the answer has status 200 and is an error's text: ValueError: |?[31m
failed: 2 of 14 predictions disagree (14.29%), at most 1% may
`
	if difference := cmp.Diff(want, b.String()); difference != "" {
		t.Error(difference)
	}
}

// escapedHTML is how package json writes text in a message.
func escapedHTML(text string) string {
	return strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`).Replace(text)
}

func TestDiffTextOfSpecialCases(t *testing.T) {
	tests := map[string]struct {
		diff checks.Diff
		want string // a part of it
	}{
		"nothing live": {
			diff(t, trips(1), nil, says("green", "[1]"), checks.DiffOptions{}),
			"prediction diff of green: not compared: nothing is live yet, so there are no predictions to compare with\n",
		},
		"no bound": {
			diff(t, trips(1), says("blue", "[1]"), says("green", "[2]"), checks.DiffOptions{MaxDisagreement: -1}),
			"1 of 1 predictions disagree (100%), any may: not judged\n1 request, any difference counts\n",
		},
		"passed": {
			diff(t, trips(1), says("blue", "[1]"), says("green", "[1]"), checks.DiffOptions{Relative: 0.5}),
			"0 of 1 predictions disagree (0%), at most 0% may: passed\n1 request, a difference of more than 50% of the live number counts\n",
		},
		"many": {
			diff(t, trips(30), says("blue", "[1]"), says("green", "[2]"), checks.DiffOptions{Absolute: 0.5}),
			"trips.jsonl:10 [0]: 1 → 2 (by 1)  input {\"data\":[[10,1],[10,2]]}\nand 20 more that disagree\n",
		},
		"many unknown": {
			diff(t, trips(30), says("blue", "[1]"), says("green", "null"), checks.DiffOptions{}),
			"unknown: 20 more\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := tt.diff.WriteText(&b); err != nil || !strings.Contains(b.String(), tt.want) {
				t.Errorf("%v:\n%s\nwant\n%s", err, b.String(), tt.want)
			}
		})
	}
}

func TestDiffMarkdown(t *testing.T) {
	var b strings.Builder
	if err := found(t).WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{
		"### Prediction diff: failed\n", "| **2 to 5** | 1 | ███▋ |\n", "**The worst 2 of 2 that disagree**", "**Unknown (1 of 8 requests)**",
		"| <code>trips.jsonl:3 &#91;0&#93;</code> | <code>&#91;3,1&#93;</code> | <code>12.5</code> | <code>14.5</code> | <code>by 2</code> |\n",
		"&#96;&#124;&#60;/text&#62;&#60;script&#62;&#42;&#95;&#38;&#92;u001b&#91;2J?2J",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if bad := regexp.MustCompile("`|<script|<[^/c]|\x1b|\u009b").FindString(text); bad != "" {
		t.Errorf("%q is in\n%s", bad, text)
	}
	for line := range strings.Lines(text) { // an answer cannot begin or end a cell
		if bars := strings.Count(line, "|"); strings.HasPrefix(line, "|") && bars != 4 && bars != 6 {
			t.Errorf("%d bars in %s", bars, line)
		}
	}
}

func TestDiffSVG(t *testing.T) {
	d := found(t)
	d.Candidate = `green<"&`
	var b strings.Builder
	if err := d.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	var texts []string
	names := map[string]int{}
	decoder := xml.NewDecoder(strings.NewReader(b.String()))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, b.String())
		}
		switch token := token.(type) {
		case xml.StartElement:
			names[token.Name.Local]++
		case xml.CharData:
			texts = append(texts, string(token))
		}
	}
	if want := map[string]int{"svg": 1, "title": 1, "text": 2 + 2*len(d.Histogram), "rect": 4}; !cmp.Equal(names, want) {
		t.Errorf("elements %v, want %v", names, want)
	}
	all := strings.Join(texts, "\n")
	for _, want := range []string{`prediction diff of green<"& against blue: 2 of 14`, "within tolerance", "\n11\n", "not comparable"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in %q", want, all)
		}
	}
	if strings.Contains(b.String(), "href") || strings.Count(b.String(), "http") != 1 { // the name space
		t.Errorf("it needs something else:\n%s", b.String())
	}
}

func TestDiffReportsAFullDisk(t *testing.T) {
	d := found(t)
	full := errors.New("no space left on device")
	for name, write := range map[string]func(io.Writer) error{"text": d.WriteText, "markdown": d.WriteMarkdown, "svg": d.WriteSVG} {
		if err := write(failing{full}); !errors.Is(err, full) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

func TestDiffAsJSON(t *testing.T) {
	d := diff(t, trips(2), says("blue", "[1e308, 1]"), says("green", "[-1e308, 1e-400]", "null"), checks.DiffOptions{MaxDisagreement: -1})
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var back checks.Diff
	if err := json.Unmarshal(text, &back); err != nil || !cmp.Equal(d, back) {
		t.Errorf("%v: %s", err, cmp.Diff(d, back))
	}
	if want := fmt.Sprintf(`"disagree":%d`, 2); !strings.Contains(string(text), want) {
		t.Errorf("no %s in %s", want, text)
	}
}

// A diff that could not be made is a skipped case for those who read JUnit, not one that passed.
func TestDiffThatWasNotMadeIsSkipped(t *testing.T) {
	d := diff(t, trips(1), nil, says("green", "[1]"), checks.DiffOptions{})
	var b strings.Builder
	if err := (checks.Report{Deployment: "green", Diff: &d}).WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`tests="1" failures="0" errors="0" skipped="1"`, `<skipped message="nothing is live yet, so there are no predictions to compare with">`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
}
