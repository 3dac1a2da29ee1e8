package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hotswap/internal/checks"
	"hotswap/internal/gate"
	"hotswap/internal/online"
	"hotswap/internal/rollout"
)

// hostile is text that does something in most places where it is not taken as text.
const hostile = "<img src=x onerror=alert(1)> @somebody #1 [a](https://evil.example) www.evil.example `x` | ${{ secrets.A }} <!-- --> ![p](http://e/p.png)\n\n# head\n- list"

// anyPage is a page in which every text is hostile.
func anyPage() gatePage {
	s := rollout.State{ID: hostile, Phase: rollout.Promoted, Reason: hostile, Plan: rollout.Plan{
		Commit: hostile, Slot: hostile, Model: online.Ref{Kind: online.Models, Name: hostile, Version: hostile}, Strategy: rollout.DefaultStrategy(),
	}}
	s.Verdict = &checks.Verdict{Passed: true, Requests: 12, Cases: []checks.CaseVerdict{{Name: hostile, Passed: true, Reasons: []string{hostile}, Measured: map[string]float64{"accuracy": 0.875}}}}
	s.Analyses = []rollout.Analysis{{Percent: 25, Reasons: []string{hostile}}}
	e := gate.Event{Kind: gate.Open, PullRequest: 12, Title: hostile, HeadBranch: hostile, Head: strings.Repeat("a", 40)}
	return gatePage{
		name: "taxi", rollout: &s,
		ended:   gate.Ended{Facts: gate.Facts{Event: e, Run: "https://forge.example/o/n/actions/runs/7"}, Decision: gate.Deploy, Reason: hostile},
		outcome: gate.Outcome{State: gate.Holding, Text: "pull request #12 is live " + hostile},
		world:   gate.World{Record: gate.Record{Main: &gate.Main{Model: hostile, Commit: hostile}, Hold: &gate.Hold{Branch: hostile}}},
	}
}

// Whatever branches, models, cases and errors are called: the page mentions nobody, links nowhere but
// to its run, and has no markup but its own.
func TestGatePageIsTakenAsText(t *testing.T) {
	text := anyPage().markdown()
	plain := strings.ReplaceAll(text, "<https://forge.example/o/n/actions/runs/7>", "")
	for _, bad := range []string{"<img", "@", "](", "://", "www.", "![", "<!--", "${{", "\n# head", "\n- list", "`x`"} {
		if strings.Contains(plain, bad) {
			t.Errorf("the page has %q:\n%s", bad, text)
		}
	}
	if strayed := regexp.MustCompile(`[^&\n#]#[^#]`).FindString(plain); strayed != "" {
		t.Errorf("the page has a number that a forge links: %q", strayed)
	}
	for _, want := range []string{"live and holding", "0.875", "12 requests", "hotswap rollback -e taxi", "actions/runs/7", "**deploy**"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
}

// deafForge takes no comment and no status.
type deafForge struct{ asked []string }

var errDeaf = errors.New("no\n::error::injected")

func (f *deafForge) PullRequest(context.Context, int) (gate.Standing, error) {
	return gate.Standing{}, errDeaf
}

func (f *deafForge) Comment(_ context.Context, _ int, marker, _ string) error {
	f.asked = append(f.asked, marker)
	return errDeaf
}

func (f *deafForge) SetStatus(_ context.Context, commit string, s gate.Status) error {
	f.asked = append(f.asked, s.Context+" "+commit[:1])
	return errDeaf
}

// That nobody can be told is a warning.
func TestNobodyToTell(t *testing.T) {
	var said strings.Builder
	dir := t.TempDir()
	s := &session{commands: io.Discard, Env: Env{Stderr: &said, Stdout: io.Discard, Dir: dir, Getenv: func(name string) string {
		return map[string]string{summaryVariable: filepath.Join(dir, "summary"), "GITHUB_ACTIONS": "true"}[name]
	}}}
	s.commands = &said
	f := &deafForge{}
	s.tellPeople(t.Context(), f, anyPage())
	if len(f.asked) != 2 || f.asked[0] != "hotswap taxi" || f.asked[1] != "hotswap/taxi a" || strings.Count(said.String(), "::warning::") != 2 || strings.Contains(said.String(), "\n::error") {
		t.Errorf("asked %q, said %s", f.asked, said.String())
	}
	if text, err := os.ReadFile(filepath.Join(dir, "summary")); err != nil || !strings.Contains(string(text), "live and holding") {
		t.Errorf("the summary is %q, %v", text, err)
	}
	f.asked = nil
	quiet := gatePage{name: "taxi", outcome: gate.Outcome{State: gate.Passed}}
	quiet.ended.Event = gate.Event{PullRequest: 3, Head: "b"}
	if s.tellPeople(t.Context(), f, quiet); len(f.asked) != 1 || !quiet.status().Good {
		t.Errorf("a run with nothing to do has asked %q", f.asked)
	}
}
