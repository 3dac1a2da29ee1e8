package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"hotswap/internal/checks"
	"hotswap/internal/document"
	"hotswap/internal/rollout"
)

// The values of a step's output verdict.
const (
	verdictPassed = "passed"
	verdictFailed = "failed"
)

// begun is told of a rollout that this command began: the workflow's next steps go on with it, and
// the job's summary has its plan.
func (s *session) begun(state rollout.State, err error) error {
	if state.Phase != "" {
		s.tellSummary(summaryPage("Rollout of "+checks.Inline(state.Plan.Endpoint), aboutPlan(state)))
		if e := s.setVariable(rolloutVariable, state.ID); err == nil {
			err = e
		}
	}
	return s.told(state, err)
}

// tellSteps gives the steps after this one what is known of the rollout, and the job's summary how
// it stands.
func (s *session) tellSteps(state rollout.State) error {
	verdict := ""
	if v := state.Verdict; v != nil {
		verdict = verdictFailed
		if v.Passed {
			verdict = verdictPassed
		}
	}
	for _, output := range [][2]string{
		{"rolloutId", state.ID},
		{"slot", state.Plan.Slot},
		{"deployedVersion", state.Plan.Model.Version},
		{"verdict", verdict},
		{"outcome", string(state.Phase)},
	} {
		if err := s.setOutput(output[0], output[1]); err != nil {
			return err
		}
	}
	page := summaryPage("Outcome: "+string(state.Phase), aboutEnd(state))
	if len(state.Analyses) > 0 {
		page += "\n" + analysisTable(state.Analyses).markdown()
	}
	s.tellSummary(page)
	return nil
}

// summaryPage is a table of what is known, under a head.
func summaryPage(head string, about [][2]string) string {
	t := &table{head: []string{"", ""}}
	for _, row := range about {
		if row[1] != "" {
			t.add(row[0], oneLine(row[1]))
		}
	}
	return "### " + head + "\n\n" + t.markdown()
}

// markdown is the table for a job's summary; what anybody wrote is no markup in it.
func (t *table) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(t.head, " | "), strings.Repeat("---|", len(t.head)))
	for _, row := range t.rows {
		cells := slices.Clone(row)
		for i := range cells {
			cells[i] = checks.Inline(cells[i])
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String()
}

// annotateError puts an error on the line that it is about, where it is about one.
func (s *session) annotateError(err error) {
	if fault, is := errors.AsType[*document.FaultError](err); is {
		s.annotate(errorLevel, s.inRepository(fault.Path), fault.At.Line, fault.At.Column, fault.Err.Error())
		return
	}
	if s.raised != nil {
		s.annotate(errorLevel, s.inRepository(s.raised.file), s.raised.line, 0, s.raised.message)
	}
	s.annotate(errorLevel, "", 0, 0, err.Error())
}

// inRepository names a file as the forge does: relative to the repository, which the runner has in
// its workspace.
func (s *session) inRepository(file string) string {
	full, err := filepath.Abs(s.path(file))
	root := s.Getenv("GITHUB_WORKSPACE")
	if err != nil || root == "" {
		return file
	}
	for _, resolve := range []func(string) (string, error){unresolved, filepath.EvalSymlinks} {
		a, errA := resolve(root)
		b, errB := resolve(full)
		if rel, err := filepath.Rel(a, b); errA == nil && errB == nil && err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return file
}

func unresolved(path string) (string, error) { return path, nil }
