// Package gate is the pull request's side of a delivery: it decides what a run of the workflow may
// do to an endpoint, remembers who holds the endpoint and what main stands for, and finds what is
// live that main does not stand for.
//
//	                 deploy                     merged, or main's own run, live is the tree's
//	nobody holds ─────────────► held by #12 ──────────────────────────────────► main recorded, nobody holds
//	     ▲                        │    │ closed unmerged, or nothing of it is left
//	     │  nothing of it is live │    ▼
//	     └────────────────────────┘  restoring ── live is main's again ──► nobody holds
//
// Decide, Settle and Judge are pure: facts in, what to do and the record to be written out. The
// record is one blob, changed only by who has seen it as it is, so of two runs one decides anew.
// See design.md for the argument.
package gate

import (
	"fmt"
	"time"

	"hotswap/internal/online"
)

// Record is all that the gate remembers of an endpoint.
type Record struct {
	Main *Main `json:"main,omitempty"` // what main stands for; nil: nothing yet
	Hold *Hold `json:"hold,omitempty"` // who holds the endpoint; nil: nobody
	Left *Left `json:"left,omitempty"` // what a hold that is over has left live, until main is recorded
}

// Main is the deployment that main stands for: the last that was verified on it.
type Main struct {
	Rollout     string            `json:"rollout,omitempty"`
	Commit      string            `json:"commit,omitempty"`
	Branch      string            `json:"branch,omitempty"` // what main is called
	Model       string            `json:"model,omitempty"`  // in the short form, for people
	Content     online.Deployment `json:"content"`          // as it was put
	Fingerprint string            `json:"fingerprint"`      // as it was read back
	Adopted     bool              `json:"adopted,omitempty"`
	By          string            `json:"by,omitempty"`
	Time        time.Time         `json:"time"`
}

// Hold is the right of one pull request, or of one branch, to have its content live.
type Hold struct {
	PullRequest int       `json:"pullRequest,omitempty"` // 0: a branch's, by a run that a person began
	Branch      string    `json:"branch,omitempty"`
	URL         string    `json:"url,omitempty"`
	Head        string    `json:"head,omitempty"`    // the commit that it was taken for
	Rollout     string    `json:"rollout,omitempty"` // what was verified under it; "": nothing yet
	Sources     string    `json:"sources,omitempty"` // the digest of the gated files that it was taken for
	Since       time.Time `json:"since"`
	Updated     time.Time `json:"updated,omitzero"`    // the pull request's own time of change: of two events the older one counts less
	Main        bool      `json:"main,omitempty"`      // main's own tree is on its way, of a merged pull request or of main itself
	Restoring   bool      `json:"restoring,omitempty"` // main's content is being brought back
	Run         string    `json:"run,omitempty"`       // the URL of the run that took it
}

// Left is what is live since a hold has ended without a merge, and what must not be taken for main's.
type Left struct {
	PullRequest int       `json:"pullRequest,omitempty"`
	Branch      string    `json:"branch,omitempty"`
	Fingerprint string    `json:"fingerprint"`
	By          string    `json:"by,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	Time        time.Time `json:"time"`
}

// String names the holder in a sentence.
func (h Hold) String() string {
	name := h.name()
	switch {
	case h.Restoring:
		return name + ", whose content is being taken back"
	case h.Main && h.PullRequest > 0:
		return name + ", which is merged and on its way"
	case h.Main:
		return name + ", which is on its way"
	}
	return name
}

func (h Hold) name() string {
	switch {
	case h.PullRequest > 0 && h.URL != "":
		return fmt.Sprintf("pull request #%d (%s)", h.PullRequest, h.URL)
	case h.PullRequest > 0:
		return fmt.Sprintf("pull request #%d", h.PullRequest)
	case h.Branch != "":
		return refName(h.Branch)
	}
	return "a repair"
}

// Live is what carries an endpoint's traffic.
type Live struct {
	Traffic     string             // "" where there is no endpoint, or nothing is live
	Deployment  *online.Deployment // nil where not exactly one has all the traffic
	Fingerprint string
	Rollout     *Rollout // that made it; nil where none is known
	Underway    *Rollout // the newest rollout, where it is not over
	Back        *Rollout // the rollback by a person that made it live; nil where none did
}

// Rollout is what the gate needs to know of one.
type Rollout struct {
	ID          string
	Promoted    bool // all of the traffic was given to it, by a verdict or by force
	PullRequest int
	Commit      string
	By          string
	Content     *online.Deployment // as it was put
}

// nothing reports whether no deployment has any traffic.
func (l Live) nothing() bool { return l.Traffic == "" }

// verified reports whether what is live has come by a rollout to its end.
func (l Live) verified() bool { return l.Deployment != nil && l.Rollout != nil && l.Rollout.Promoted }

// of reports whether what is live was deployed for that pull request.
func (l Live) of(pullRequest int) bool {
	return pullRequest > 0 && l.Deployment != nil && l.Rollout != nil && l.Rollout.PullRequest == pullRequest
}

// Change is one thing in which what is wanted differs from what is live.
type Change struct {
	What   string   `json:"what"`
	Live   string   `json:"live,omitempty"`
	Wanted string   `json:"wanted,omitempty"`
	Lines  []string `json:"lines,omitempty"`
}
