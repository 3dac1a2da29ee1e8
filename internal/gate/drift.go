package gate

import (
	"fmt"

	"hotswap/internal/online"
)

// The states of an endpoint against main.
const (
	NoDrift = "none"   // what is live is what main stands for
	Held    = "held"   // a pull request that is open, or a branch, has its content live
	Behind  = "behind" // what is live is main's newest, and the record is an older one
	Drifted = "drift"  // what is live is not what main stands for
)

// Drift is what is live against what main stands for.
type Drift struct {
	Endpoint string   `json:"endpoint"`
	State    string   `json:"state"`
	Reason   string   `json:"reason"`
	Changes  []Change `json:"changes"` // what of main's differs from what is live
	Main     *Main    `json:"-"`
	Hold     *Hold    `json:"-"`
	Live     Live     `json:"-"`
	Notes    []string `json:"notes,omitempty"`
	Repaired string   `json:"repaired,omitempty"` // what --repair has done

	Restorable bool  `json:"-"` // main's can be brought back
	Refusal    error `json:"-"` // why it must not be
}

// Holder is what is known of the pull request that holds the endpoint.
type Holder struct {
	Known          bool
	Open, Merged   bool
	WhyNot         string // why it is not known
	TreeSame       bool   // of a merged one: what runs is the checkout's, which has the merge
	TreeNotChecked string // why that is not known
}

// Judge compares.
func Judge(endpoint string, w World, holder Holder, changes []Change) Drift {
	d := Drift{Endpoint: endpoint, State: NoDrift, Main: w.Record.Main, Hold: w.Record.Hold, Live: w.Live, Changes: []Change{}}
	switch {
	case d.Hold != nil:
		d.whileHeld(w, holder, changes)
	case w.IsMain:
		d.Reason = "what is live is what main stands for"
	case d.Main == nil && w.Live.nothing():
		d.Reason = "nothing is live, and nothing was verified on main yet"
	default:
		d.drifted(w, holder, changes, "what is live is not what main stands for")
	}
	return d
}

// whileHeld compares while somebody holds the endpoint: who is not there any more, does not.
func (d *Drift) whileHeld(w World, holder Holder, changes []Change) {
	h := d.Hold
	switch {
	case h.Restoring:
		d.drifted(w, holder, changes, "%s: bringing it back was begun and is not done", h)
	case h.PullRequest > 0 && holder.Merged:
		d.merged(w, holder, changes)
	case h.PullRequest > 0 && holder.Known && !holder.Open:
		d.drifted(w, holder, changes, "%s is closed unmerged, and holds the endpoint still", h)
	case w.Live.Underway != nil:
		d.held("a rollout is under way, and %s holds the endpoint", h)
	case h.Main && holder.TreeSame && w.Live.verified():
		d.State, d.Reason = Behind, fmt.Sprintf("%s, and is what is checked out of main: only the record is behind", h)
	case w.IsMain || w.Live.nothing() || h.has(w.Live):
		d.held("%s holds the endpoint%s", h, holder.unknown(h))
	default:
		d.drifted(w, holder, changes, "%s holds the endpoint, but what is live is neither its content nor main's", h)
	}
}

func (d *Drift) held(format string, args ...any) {
	d.State, d.Reason = Held, fmt.Sprintf(format, args...)
}

// has reports whether what is live has come of the hold.
func (h Hold) has(l Live) bool {
	return l.of(h.PullRequest) || l.Rollout != nil && l.Rollout.ID == h.Rollout || h.Rollout == "" && l.Rollout != nil && l.Rollout.Promoted && h.Main
}

func (h Holder) unknown(hold *Hold) string {
	if hold.PullRequest == 0 || h.Known {
		return ""
	}
	return "; whether it is still open is not known: " + h.WhyNot
}

// merged is the drift while the holder is merged and its run has not recorded it.
func (d *Drift) merged(w World, holder Holder, changes []Change) {
	h := w.Record.Hold
	switch {
	case w.Live.Underway != nil:
		d.held("a rollout is under way, and %s holds the endpoint", h)
	case holder.TreeSame && w.Live.verified():
		d.State, d.Reason = Behind, fmt.Sprintf("%s is merged, and what is live is what is checked out of main: only the record is behind", h.name())
	default:
		d.drifted(w, holder, changes, "%s is merged, and what is live was not verified to be what main has now", h.name())
		why := "run the workflow on main, which deploys what main has"
		if !h.Main {
			why = "free the endpoint with hotswap gate release, and " + why
		}
		if holder.TreeNotChecked != "" {
			why = holder.TreeNotChecked + ": " + why
		}
		d.Restorable, d.Refusal = false, online.Errorf(online.Refused, "%s; %s", d.Reason, why)
	}
}

// drifted says so, and whether main's can be brought back.
func (d *Drift) drifted(w World, holder Holder, changes []Change, format string, args ...any) {
	d.State, d.Reason = Drifted, fmt.Sprintf(format, args...)
	if changes != nil {
		d.Changes = changes
	}
	back, h := w.Live.Back, d.Hold
	over := h != nil && (h.Restoring || holder.Known && !holder.Open && h.PullRequest > 0) // whose rollout nobody goes on with
	switch {
	case w.Record.Main == nil:
		d.Refusal = online.Errorf(online.Refused, "%s; nothing was verified on main yet that could be brought back: run the workflow on main, which deploys what main has", d.Reason)
	case back != nil && !w.IsMain && (!over || !h.Restoring && !h.has(w.Live)): // to another push of one that is over is no way back
		d.Reason += fmt.Sprintf(": %s rolled it back by rollout %s", person(back.By), back.ID)
		d.Refusal = online.Errorf(online.Refused, "%s, which is not undone by a repair: revert the change on main, and run the workflow on main", d.Reason)
	case w.Live.Underway != nil && !over:
		d.Refusal = online.Errorf(online.Locked, "%s; rollout %s is not over: wait, go on with hotswap resume, or go back with hotswap abort", d.Reason, w.Live.Underway.ID)
	default:
		d.Restorable = true
	}
}

func person(by string) string {
	if by == "" {
		return "somebody"
	}
	return by
}
