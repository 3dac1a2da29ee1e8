package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"hotswap/internal/checks"
	"hotswap/internal/document"
	"hotswap/internal/online"
	"hotswap/internal/rollout"
)

// inJob is a session that is a step of a workflow, with what it says in stderr.
func inJob(t *testing.T) (s *session, stderr *strings.Builder, file func(string) string) {
	t.Helper()
	dir := t.TempDir()
	stderr = new(strings.Builder)
	vars := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": dir}
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_ENV", summaryVariable} {
		vars[name] = filepath.Join(dir, name)
	}
	s = &session{Env: Env{Stdout: new(strings.Builder), Stderr: &harmless{to: stderr}, Getenv: func(n string) string { return vars[n] }, Dir: dir}, commands: stderr}
	return s, stderr, func(name string) string {
		text, err := os.ReadFile(vars[name])
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
}

// values are what a runner reads from a file of outputs or variables: a block ends only with the
// line that its first one names.
func values(t *testing.T, text string) map[string]string {
	t.Helper()
	all, lines := map[string]string{}, strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for len(lines) > 0 {
		name, end, ok := strings.Cut(lines[0], "<<")
		if !ok {
			t.Fatalf("the runner can't read %q", lines[0])
		}
		n := 1
		for ; n < len(lines) && lines[n] != end; n++ {
		}
		if n == len(lines) {
			t.Fatalf("%s has no end", name)
		}
		all[name], lines = strings.Join(lines[1:n], "\n"), lines[n+1:]
	}
	return all
}

var underWay = rollout.State{
	ID: "3f1c2a", Phase: rollout.Deployed,
	Plan: rollout.Plan{Endpoint: "fares", Slot: "green", Model: online.Ref{Kind: online.Models, Name: "fares", Version: "7"}},
}

func TestStepTellsTheNextOnes(t *testing.T) {
	s, _, file := inJob(t)
	if err := s.begun(underWay, nil); err != nil {
		t.Fatal(err)
	}
	got := values(t, file("GITHUB_OUTPUT"))
	want := map[string]string{"rolloutId": "3f1c2a", "slot": "green", "deployedVersion": "7", "verdict": "", "outcome": "Deployed"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("outputs %v, want %v", got, want)
	}
	if got := values(t, file("GITHUB_ENV")); got[rolloutVariable] != "3f1c2a" {
		t.Errorf("variables %v", got)
	}
	for _, part := range []string{"Rollout of <code>fares</code>", "<code>azureml:fares:7</code>", "Outcome: Deployed"} {
		if !strings.Contains(file(summaryVariable), part) {
			t.Errorf("the summary has no %q:\n%s", part, file(summaryVariable))
		}
	}
}

func TestVerdictIsAnOutput(t *testing.T) {
	s, _, file := inJob(t)
	state := underWay
	state.Phase, state.Verdict = rollout.Refused, &checks.Verdict{Reasons: []string{"off by 3 | <b>bold</b>"}}
	failure := errors.New("the test failed")
	if err := s.told(state, failure); !errors.Is(err, failure) {
		t.Fatalf("got %v, want the command's own error", err)
	}
	if got := values(t, file("GITHUB_OUTPUT")); got["verdict"] != verdictFailed || got["outcome"] != "Refused" {
		t.Errorf("outputs %v", got)
	}
	state.Verdict = &checks.Verdict{Passed: true}
	if err := s.told(state, nil); err != nil {
		t.Fatal(err)
	}
	if got := values(t, file("GITHUB_OUTPUT")); got["verdict"] != verdictPassed {
		t.Errorf("outputs %v", got)
	}
	if text := file(summaryVariable); strings.Contains(text, "<b>") || strings.Contains(text, "3 |") {
		t.Errorf("what a suite says is markup in the summary:\n%s", text)
	}
}

func TestOutsideOfAWorkflowNothingIsTold(t *testing.T) {
	s, stderr, _ := inJob(t)
	getenv := s.Getenv
	s.Getenv = func(name string) string {
		if name == "GITHUB_ACTIONS" {
			return ""
		}
		return getenv(name)
	}
	s.annotateError(errors.New("broken"))
	if err := s.begun(underWay, nil); err != nil {
		t.Fatal(err)
	}
	if found, _ := filepath.Glob(filepath.Join(s.Dir, "GITHUB_*")); len(found) > 0 || stderr.Len() > 0 {
		t.Errorf("left %v, said %q", found, stderr)
	}
}

func TestSummaryIsCutAtWhatAStepMaySay(t *testing.T) {
	s, _, file := inJob(t)
	s.tellSummary("first")
	s.tellSummary(strings.Repeat(strings.Repeat("é", 500)+"\n", 2000))
	s.tellSummary("too late")
	text := file(summaryVariable)
	if len(text) > maxSummary || len(text) < maxSummary-2000 {
		t.Errorf("%d bytes, want nearly %d", len(text), maxSummary)
	}
	if !strings.HasPrefix(text, "first\n") || !strings.HasSuffix(text, summaryCut) || !utf8.ValidString(text) {
		t.Errorf("begins %q, ends %q", text[:20], text[len(text)-80:])
	}
}

func TestErrorIsAnnotatedOnItsLine(t *testing.T) {
	s, stderr, _ := inJob(t)
	fault := document.Faultf(filepath.Join(s.Dir, "a,b", "endpoint.yml"), document.Position{Line: 3, Column: 7}, "100%% wrong: %q", "x\n::error::y")
	s.annotateError(usagef("%w; see --help", fault))
	want := `::error file=a%2Cb/endpoint.yml,line=3,col=7::100%25 wrong: "x\n::error::y"` + "\n"
	if stderr.String() != want {
		t.Errorf("got  %swant %s", stderr, want)
	}
}

func TestRunnerTakesNoCommandFromWhatIsQuoted(t *testing.T) {
	for said, want := range map[string]string{
		"a::b\nc":              "a::b\nc",
		"::error::x":           ":\u200b:error::x",
		"a\n \t::set-env x":    "a\n \t:\u200b:set-env x",
		"a\r::stop":            "a\r:\u200b:stop",
		"\u00a0::set-output":   "\u00a0:\u200b:set-output",
		"\v\u3000::set-output": "\v\u3000:\u200b:set-output",
		"\u2028 ::error::x":    "\u2028 :\u200b:error::x",
		"see ##[set-output x]": "see ##\u200b[set-output x]",
		"###[x]":               "###\u200b[x]",
		"# #[x] [::]":          "# #[x] [::]",
	} {
		for size := range len(said) { // however it is cut
			var out strings.Builder
			h := &harmless{to: &out}
			for text := said; text != ""; {
				n := min(size+1, len(text))
				if written, err := h.Write([]byte(text[:n])); written != n || err != nil {
					t.Fatalf("wrote %d of %d, %v", written, n, err)
				}
				text = text[n:]
			}
			if out.String() != want {
				t.Errorf("%q by %d: got %q, want %q", said, size+1, out.String(), want)
			}
		}
	}
}

// What is printed is quoted too: a pull request may name its files as it likes.
func TestRunnerTakesNoCommandFromWhatIsPrinted(t *testing.T) {
	const paths = "src/##[set-output name=decision]deploy"
	for _, output := range []string{"table", "json"} {
		var out, said strings.Builder
		code := Main(t.Context(), []string{"config", "explain", "-o", output, "--paths", paths}, Env{
			Stdin: strings.NewReader(""), Stdout: &out, Stderr: &said, Dir: t.TempDir(),
			Getenv: func(name string) string { return map[string]string{"GITHUB_ACTIONS": "true"}[name] },
		})
		if code != done || strings.Contains(out.String(), "##[") || !strings.Contains(out.String(), "set-output") {
			t.Errorf("%s: %d, %s%s", output, code, out.String(), said.String())
		}
		var all []settingView
		if output == "json" && (json.Unmarshal([]byte(out.String()), &all) != nil || !slices.ContainsFunc(all, func(v settingView) bool { return v.Value == paths })) {
			t.Errorf("the JSON has another value: %s", out.String())
		}
	}
}
