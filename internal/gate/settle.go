package gate

import (
	"cmp"
	"fmt"

	"hotswap/internal/online"
)

// The states that a run may end in.
const (
	Holding  = "live and holding the endpoint" // the pull request's content is live, unmerged
	Verified = "verified"                      // what runs is what main has
	Restored = "restored"                      // what main stands for is live again
	Passed   = "passed"                        // there was nothing to do
	Failed   = "failed"                        // what was decided has not come about, or the check has failed
	Unended  = "not over"                      // a rollout is on its way
)

// Outcome is how a run has ended.
type Outcome struct {
	State string
	Text  string
	Wrong bool // something was to be done, and was not
}

// Ended are the facts of a run's end, beside those of its decision.
type Ended struct {
	Facts
	Decision, Reason string // of the gate, where it is known
	Rollout          string // of this run; "" where it is not known
}

// Settle brings the record in line with what is live. It goes by what it sees, so doing it again
// changes nothing. The record is nil where it stays as it is.
func Settle(f Ended) (Outcome, *Record) {
	r, h := f.World.Record, f.World.Record.Hold
	if h == nil || !f.own() {
		return f.bystander(), nil
	}
	switch {
	case f.World.Live.Underway != nil:
		u := f.World.Live.Underway
		return Outcome{Unended, fmt.Sprintf("rollout %s is not over; the endpoint stays held by %s. Go on with hotswap resume, or go back with hotswap abort", u.ID, h), true}, nil
	case h.Restoring:
		return f.afterRestore(r)
	case h.Main:
		return f.afterMain(r)
	}
	return f.afterPush(r)
}

// bystander is the outcome where the event holds nothing.
func (f Ended) bystander() Outcome {
	main := f.World.Record.Main
	switch {
	case f.Decision == Fail:
		return Outcome{State: Failed, Text: f.Reason}
	case f.Decision == Deploy: // its hold was released, or settled by an earlier finish
		return f.settledBefore()
	case f.Event.Kind == Merged && main != nil && main.Commit == f.Event.Merge && f.World.IsMain:
		return Outcome{State: Verified, Text: cmp.Or(f.Reason, "what runs is the merged tree's")}
	case f.Decision == Restore && f.World.IsMain:
		return Outcome{State: Restored, Text: "what main stands for is live again"}
	case f.Decision == Restore:
		return Outcome{Failed, "what main stands for is not live: run hotswap drift", true}
	}
	return Outcome{State: Passed, Text: cmp.Or(f.Reason, "there was nothing to do")}
}

// settledBefore is the outcome of a deployment whose hold is over.
func (f Ended) settledBefore() Outcome {
	main := f.World.Record.Main
	if f.World.IsMain && main != nil && main.Commit == f.Event.main() {
		return Outcome{State: Verified, Text: "what runs is what main has"}
	}
	if live := f.World.Live; f.Rollout != "" && live.Rollout != nil && live.Rollout.ID == f.Rollout {
		return Outcome{Failed, "it is live, but its hold was released meanwhile, so nothing keeps production equal to main: run the workflow again, or hotswap drift --repair, which restores what main stands for", true}
	}
	return Outcome{Failed, "it is not live, and what was live before is", true}
}

func (f Ended) afterRestore(r Record) (Outcome, *Record) {
	if !f.World.IsMain {
		return Outcome{Failed, fmt.Sprintf("what main stands for could not be brought back; the endpoint stays held by %s until hotswap drift --repair has done it", r.Hold), true}, nil
	}
	next := r.released()
	return Outcome{State: Restored, Text: "what main stands for is live again"}, &next
}

// afterMain records what has come of main's own tree. What is live is it by this run's rollout, or
// by what it is made of.
func (f Ended) afterMain(r Record) (Outcome, *Record) {
	live := f.World.Live
	ours := live.verified() && (f.Rollout != "" && live.Rollout.ID == f.Rollout || f.Tree != nil && f.Tree.Same)
	if ours {
		next := f.recorded()
		return Outcome{State: Verified, Text: "what runs is what main has"}, &next
	}
	next := r.released()
	return Outcome{Failed, "what main has is not live: what was live before is. Mend it on main, or run the workflow on main again", true}, &next
}

// afterPush settles the hold of a pull request, or of a branch, that is not merged.
func (f Ended) afterPush(r Record) (Outcome, *Record) {
	live, hold := f.World.Live, *r.Hold
	now := live.verified() && (live.of(hold.PullRequest) || live.Rollout.ID == hold.Rollout || live.Rollout.ID == f.Rollout)
	switch {
	case f.World.IsMain && (!now || live.Rollout.ID != f.Rollout):
		next := r.released()
		return Outcome{Failed, "nothing of it is live: what main stands for is", true}, &next
	case now:
		fresh := live.Rollout.ID == f.Rollout || live.Rollout.Commit == f.Event.Head || f.Decision != Deploy && f.Decision != Fail
		hold.Rollout = live.Rollout.ID
		next := r
		next.Hold = &hold
		if *r.Hold == hold {
			return f.holding(fresh), nil
		}
		return f.holding(fresh), &next
	case r.Main == nil:
		next := r.released()
		return Outcome{Failed, "nothing of it is live", true}, &next
	}
	return Outcome{Failed, fmt.Sprintf("what is live is neither its content nor main's; the endpoint stays held by %s. See hotswap drift", hold), true}, nil
}

func (f Ended) holding(fresh bool) Outcome {
	if !fresh {
		return Outcome{Failed, fmt.Sprintf("this push is not live, an earlier one is, and %s holds the endpoint", f.Event), true}
	}
	return Outcome{State: Holding, Text: fmt.Sprintf("%s is live and holds the endpoint until it is merged or closed", f.Event)}
}

// NeedsTree reports whether the end of a run is told by what the checkout is made of.
func (f Ended) NeedsTree() bool {
	h := f.World.Record.Hold
	return h != nil && f.own() && h.Main && f.World.Live.verified() && f.World.Live.Underway == nil && (f.Rollout == "" || f.World.Live.Rollout.ID != f.Rollout)
}

// Err is the error of an outcome that is none that was wanted.
func (o Outcome) Err() error {
	if !o.Wrong {
		return nil
	}
	return online.Errorf(online.Conflict, "%s", o.Text)
}
