// Package rollout moves an endpoint's traffic to a new deployment: the hot swap as a state
// machine, kept in the workspace's journal so that any machine can go on with it.
//
//	Planned ─► Deploying ─► Deployed ─► Tested ─► Swapping ─► Watching ─► Retiring ─► Promoted
//	   │           │            │          │       ▲ │  ▲        │ │
//	   │           └──► Restoring ◄────────┘       │ │  └────────┘ └► Paused ─► Swapping  (the next step)
//	   │                 │    ▲                    │ └► Failed                             (halted: the traffic is not what we left)
//	   │                 │    └──── RollingBack ◄──┴── Watching, Paused
//	   │                 └─► Refused, Failed, RolledBack                                   (the slot holds what it held)
//	   └─► Abandoned                                                                       (by the next rollout, after a crash)
//
// Without steps, a bake and anything to retire, Swapping leads to Promoted. A rollback by hand is a
// rollout that plans the traffic of before: Planned ─► Swapping ─► Promoted.
//
// Every phase is saved before its effect, and every effect may be repeated, so a rollout that was
// cut off is resumed or undone from the last saved State alone. See design.md for the argument.
package rollout

import (
	"maps"
	"time"

	"hotswap/internal/checks"
	"hotswap/internal/online"
)

// Tags that tell people what a candidate is, beside the marks of online.TagRollout.
const (
	TagCommit       = "git_commit" // the name that the reference pipeline uses
	TagModelVersion = "model_version"
)

// A Phase is where a rollout is.
type Phase string

// The phases. Those from Promoted on are terminal.
const (
	Planned     Phase = "Planned"     // the slot is chosen; nothing was written
	Deploying   Phase = "Deploying"   // the candidate's PUT may have been sent
	Deployed    Phase = "Deployed"    // the candidate is up at 0 % and its fingerprint is known
	Tested      Phase = "Tested"      // its verdict is known and passed
	Swapping    Phase = "Swapping"    // the PUT of a step's traffic may have been sent
	Watching    Phase = "Watching"    // a step's traffic is in force and its metrics are looked at
	Paused      Phase = "Paused"      // a step has passed, and a person decides how it goes on
	Retiring    Phase = "Retiring"    // the former live slot is being deleted or parked
	RollingBack Phase = "RollingBack" // the PUT of the traffic from before may have been sent
	Restoring   Phase = "Restoring"   // the PUT that gives the slot back what it held may have been sent
	Promoted    Phase = "Promoted"    // the traffic is as planned, read back
	RolledBack  Phase = "RolledBack"  // the candidate had traffic and did not pass; the traffic is that from before
	Refused     Phase = "Refused"     // the candidate did not pass; the traffic was never written
	Failed      Phase = "Failed"      // something broke; Reason says what is left
	Abandoned   Phase = "Abandoned"   // cut off before it wrote any traffic, closed by a later rollout
)

// Terminal reports whether nothing comes after p.
func (p Phase) Terminal() bool {
	switch p {
	case Promoted, RolledBack, Refused, Failed, Abandoned:
		return true
	}
	return false
}

// carries reports whether the candidate of a rollout in that phase may have traffic that no
// verdict stands for yet.
func (p Phase) carries() bool {
	return p == Swapping || p == Watching || p == Paused || p == RollingBack
}

// Snapshot is what a write of the traffic starts from or ends at, as evidence: a write is made only
// while the endpoint still matches it.
type Snapshot struct {
	Traffic      online.Traffic    `json:"traffic"`
	Mirror       online.Mirror     `json:"mirror"`
	Fingerprints map[string]string `json:"fingerprints"` // of every deployment that has a share
}

// Equal reports whether both describe the same traffic on the same deployments.
func (s Snapshot) Equal(o Snapshot) bool {
	return s.Traffic.Equal(o.Traffic) && s.Mirror == o.Mirror && maps.Equal(s.Fingerprints, o.Fingerprints)
}

// Plan is decided once, under the lock. Nothing in it is derived again later.
type Plan struct {
	Endpoint  string             `json:"endpoint"`
	Slot      string             `json:"slot"` // where the candidate goes; for a rollback, where the traffic goes back to
	Model     online.Ref         `json:"model"`
	Commit    string             `json:"commit,omitempty"` // "" where it is not known
	Before    Snapshot           `json:"before"`
	Former    *online.Deployment `json:"former,omitempty"` // what is live before; nil where nothing is, or several deployments are
	After     online.Traffic     `json:"after"`
	Mirror    online.Mirror      `json:"mirror"`              // after the swap
	Strategy  Strategy           `json:"strategy"`            // how the traffic gets from Before to After
	Displaced *online.Deployment `json:"displaced,omitempty"` // what the slot held, to be put back if the candidate is refused
	Undoes    string             `json:"undoes,omitempty"`    // the rollout whose Before a rollback restores
	BackTo    string             `json:"backTo,omitempty"`    // the rollout whose candidate is deployed again, on demand
}

// Candidate is the deployment that a rollout proves.
type Candidate struct {
	Deployment  string             `json:"deployment"`
	Fingerprint string             `json:"fingerprint"`       // as it was read back
	Content     *online.Deployment `json:"content,omitempty"` // as it was put, so that a later rollout can put it again
}

// Parking is a former live slot without processes.
type Parking struct {
	Deployment  string `json:"deployment"`
	Fingerprint string `json:"fingerprint"` // as parked
	Instances   int    `json:"instances"`   // that it had, and will have again
}

// State is all that a rollout remembers, and so all that the journal keeps.
type State struct {
	ID        string          `json:"id"`
	Fence     int64           `json:"fence"` // of the lock that it was last worked on under
	Phase     Phase           `json:"phase"`
	Plan      Plan            `json:"plan"`
	Candidate Candidate       `json:"candidate"`
	Verdict   *checks.Verdict `json:"verdict,omitempty"`
	Forced    bool            `json:"forced,omitempty"` // swapped without a passing verdict, on demand

	Step     int            `json:"step"`             // of the strategy, that is being written or watched
	Traffic  online.Traffic `json:"traffic"`          // as it was last read back
	Written  time.Time      `json:"written,omitzero"` // when the step's write began, by the service's clock
	InForce  time.Time      `json:"inForce,omitzero"` // when the step's traffic was read back, by the service's clock
	Analyses []Analysis     `json:"analyses,omitempty"`
	Ends     Phase          `json:"ends,omitempty"`   // what the rollout ends in when its slot is restored
	Parked   *Parking       `json:"parked,omitempty"` // what became of the former live slot

	Reason  string    `json:"reason,omitempty"` // why it ended as it did
	Holder  string    `json:"holder"`           // the process that began it
	By      Actor     `json:"by"`               // who began it
	Started time.Time `json:"started"`
	Updated time.Time `json:"updated"`
}

// passed reports whether s has a passing verdict for exactly its candidate.
func (s State) passed() bool {
	v := s.Verdict
	return v != nil && v.Passed && v.Deployment == s.Candidate.Deployment && v.Fingerprint == s.Candidate.Fingerprint
}
