package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"hotswap/internal/journal"
	"hotswap/internal/online"
)

// Summary is a rollout on one line.
type Summary struct {
	Rollout     string         `json:"rollout"`
	Started     time.Time      `json:"started"`
	Updated     time.Time      `json:"updated"`
	By          string         `json:"by,omitempty"`
	Model       string         `json:"model,omitempty"` // in the short form, azureml:NAME:VERSION
	Commit      string         `json:"commit,omitempty"`
	PullRequest int            `json:"pullRequest,omitempty"`
	Deployment  string         `json:"deployment,omitempty"` // the slot
	Phase       Phase          `json:"phase"`                // a terminal one is the outcome
	Traffic     online.Traffic `json:"traffic"`              // as it was last confirmed
	Forced      bool           `json:"forced,omitempty"`     // swapped without a passing test
	Undoes      string         `json:"undoes,omitempty"`     // the rollout that this rollback took back
	Reason      string         `json:"reason,omitempty"`     // why it ended as it did
}

// Record is all that the journal knows of a rollout.
type Record struct {
	State     State              `json:"rollout"`   // as its newest entry has it
	Timeline  []Moment           `json:"timeline"`  // an entry each
	Decisions []journal.Decision `json:"decisions"` // of people, while it ran
}

// Moment is a rollout at one entry of its journal.
type Moment struct {
	Time    time.Time      `json:"time"`
	Phase   Phase          `json:"phase"`
	Traffic online.Traffic `json:"traffic"` // as was last confirmed then
	Note    string         `json:"note,omitempty"`
}

// History lists at most limit rollouts of the endpoint, the newest first. It reads one entry of
// each.
func (r *Runner) History(ctx context.Context, limit int) ([]Summary, error) {
	groups, err := r.Journal.Rollouts(ctx)
	if err != nil {
		return nil, err
	}
	groups = groups[:min(limit, len(groups))]
	summaries, errs := make([]Summary, len(groups)), make([]error, len(groups))
	var reading sync.WaitGroup
	places := make(chan struct{}, readsAtOnce)
	for i, g := range groups {
		places <- struct{}{}
		reading.Go(func() {
			defer func() { <-places }()
			summaries[i], errs[i] = r.summary(ctx, g)
		})
	}
	reading.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return summaries, nil
}

// readsAtOnce bounds how many entries History reads at the same time.
const readsAtOnce = 8

func (r *Runner) summary(ctx context.Context, g journal.RolloutID) (Summary, error) {
	s, _, err := r.latest(ctx, g)
	return summarize(s), err
}

func summarize(s State) Summary {
	m := Summary{
		Rollout: s.ID, Started: s.Started, Updated: s.Updated, By: s.By.String(), Commit: s.Plan.Commit, Deployment: s.Plan.Slot,
		Phase: s.Phase, Traffic: s.Traffic, Forced: s.Forced, Undoes: s.Plan.Undoes, Reason: s.Reason,
	}
	if !s.Plan.Model.IsZero() {
		m.Model = s.Plan.Model.String()
	}
	if s.By.Forge != nil {
		m.PullRequest = s.By.Forge.PullRequest
	}
	return m
}

// Show returns what the journal knows of a rollout: the one whose id begins so, or the newest
// where id is "".
func (r *Runner) Show(ctx context.Context, id string) (Record, error) {
	g, err := r.find(ctx, id)
	if err != nil {
		return Record{}, err
	}
	entries, err := r.Journal.Entries(ctx, g)
	if err != nil {
		return Record{}, err
	}
	var record Record
	for _, e := range entries {
		s, err := stateOf(e)
		if err != nil {
			return Record{}, err
		}
		record.Timeline = append(record.Timeline, Moment{Time: e.Time, Phase: s.Phase, Traffic: s.Traffic, Note: note(record.State, s)})
		record.State = s
	}
	record.State.hideVariables()
	record.Decisions, err = r.Journal.Decisions(ctx, g.Rollout)
	return record, err
}

// hideVariables leaves the names of the environment variables that s holds: their values may be
// secret, and s is to be printed.
func (s *State) hideVariables() {
	for _, d := range []**online.Deployment{&s.Plan.Former, &s.Plan.Displaced, &s.Candidate.Content} {
		if *d == nil {
			continue
		}
		shown := **d
		shown.Variables = map[string]string{}
		for name := range (*d).Variables {
			shown.Variables[name] = "(not shown)"
		}
		*d = &shown
	}
}

// note tells what an entry says that the one before did not.
func note(before, now State) string {
	var notes []string
	if c := now.Candidate; c.Fingerprint != before.Candidate.Fingerprint && c.Fingerprint != "" {
		notes = append(notes, fmt.Sprintf("%s is up, fingerprint %s", c.Deployment, c.Fingerprint))
	}
	if v := now.Verdict; v != nil && before.Verdict == nil {
		word := "passed"
		if !v.Passed {
			word = "failed"
		}
		notes = append(notes, "the test "+word)
	}
	for _, a := range now.Analyses[min(len(before.Analyses), len(now.Analyses)):] {
		notes = append(notes, strings.Join(append([]string{fmt.Sprintf("%d %% %s", a.Percent, a.Outcome)}, a.Reasons...), ": "))
	}
	if now.Forced && !before.Forced {
		notes = append(notes, "forced, without a passing test")
	}
	if now.Reason != before.Reason && now.Reason != "" {
		notes = append(notes, now.Reason)
	}
	return strings.Join(notes, "; ")
}

// stateOf returns the state that an entry holds.
func stateOf(e journal.Entry) (s State, err error) {
	if err := json.Unmarshal(e.Data, &s); err != nil {
		return s, online.Errorf(online.Internal, "read entry %d of rollout %s: %w", e.Seq, e.Rollout, err)
	}
	return s, nil
}

// pick chooses the rollout whose id is id, or begins so if no other's does; the newest where it
// is "".
func (r *Runner) pick(groups []journal.RolloutID, id string) (journal.RolloutID, error) {
	var found []journal.RolloutID
	for _, g := range groups {
		switch {
		case g.Rollout == id || id == "":
			return g, nil
		case strings.HasPrefix(g.Rollout, id):
			found = append(found, g)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return journal.RolloutID{}, online.Errorf(online.Invalid, "%q begins the ids of %d rollouts, %s and %s among them: give more of it",
			id, len(found), found[0].Rollout, found[1].Rollout)
	case id != "":
		return journal.RolloutID{}, online.Errorf(online.NotFound, "endpoint %s has no rollout %s", r.Endpoint, id)
	}
	return journal.RolloutID{}, online.Errorf(online.NotFound, "endpoint %s has no rollout; run hotswap deploy first", r.Endpoint)
}
