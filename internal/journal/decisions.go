package journal

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"hotswap/internal/online"
)

// The kinds of decisions that a person makes about a rollout that another process may run.
const (
	Promote = "promote" // go on after the pause at the decision's step
	Abort   = "abort"   // end it, and go back
)

// Decision is what a person decided about a rollout. It needs no lock: the rollout's own process
// reads it.
type Decision struct {
	Rollout string    `json:"rollout"`
	Kind    string    `json:"kind"`
	Step    int       `json:"step"` // of the pause that a promote is for; 0 in an abort
	By      string    `json:"by"`
	Reason  string    `json:"reason,omitempty"`
	Time    time.Time `json:"time"`
}

// String is like "abort by alice@laptop: fares are off".
func (d Decision) String() string {
	text := d.Kind + " by " + d.By
	if d.Reason != "" {
		text += ": " + d.Reason
	}
	return text
}

// blob is the decision's name. A promote is for one pause, so a later pause has another.
func (d Decision) blob() string {
	if d.Kind == Promote {
		return fmt.Sprintf("%s-%s-%d.json", d.Rollout, d.Kind, d.Step)
	}
	return fmt.Sprintf("%s-%s.json", d.Rollout, d.Kind)
}

// Decide records a decision and returns the one that stands: of two of the same kind, for the
// same pause, that is the first.
func (j *Journal) Decide(ctx context.Context, d Decision) (Decision, error) {
	known := d.Kind == Abort && d.Step == 0 || d.Kind == Promote && d.Step >= 0
	if !rolloutPattern.MatchString(d.Rollout) || !known {
		return Decision{}, online.Errorf(online.Internal, "record the decision to %s rollout %q at step %d: there is no such kind, or no such step", d.Kind, d.Rollout, d.Step)
	}
	body, err := json.Marshal(d)
	if err != nil {
		return Decision{}, online.Errorf(online.Internal, "record the decision to %s rollout %s: %w", d.Kind, d.Rollout, err)
	}
	name := j.prefix + "decisions/" + d.blob()
	failure := j.write(ctx, name, body, "")
	if failure == nil || !inDoubt(ctx, failure) {
		return d, failure
	}
	there, found, err := j.decision(ctx, name)
	if err != nil || !found {
		return Decision{}, failure
	}
	return there, nil
}

// Decisions returns what was decided about a rollout, the first decision first.
func (j *Journal) Decisions(ctx context.Context, rollout string) ([]Decision, error) {
	names, err := j.names(ctx, j.prefix+"decisions/"+rollout+"-")
	if err != nil {
		return nil, err
	}
	var decisions []Decision
	for _, name := range names {
		d, found, err := j.decision(ctx, name)
		if err != nil {
			return nil, err
		}
		if found && d.Rollout == rollout { // and not of one whose id goes on after a hyphen
			decisions = append(decisions, d)
		}
	}
	slices.SortFunc(decisions, func(a, b Decision) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Kind, b.Kind)) })
	return decisions, nil
}

func (j *Journal) decision(ctx context.Context, name string) (d Decision, found bool, err error) {
	s, err := j.read(ctx, name)
	if err != nil || s.etag == "" {
		return d, false, err
	}
	if err := json.Unmarshal(s.body, &d); err != nil {
		return d, false, online.Errorf(online.Internal, "read the decision %s: %w", name, err)
	}
	return d, true, nil
}
