package gate

import (
	"fmt"
	"time"

	"hotswap/internal/online"
)

// The decisions.
const (
	Deploy  = "deploy"  // the checkout is to be deployed, tested and swapped
	Restore = "restore" // what main stands for is to be brought back
	Pass    = "pass"    // there is nothing to do
	Fail    = "fail"    // the check fails
)

// Facts are what a decision is made of.
type Facts struct {
	Event   Event
	Changed []string  // the gated paths that the event changes
	Sources string    // the digest of the gated files of the checkout
	By      string    // who runs this, for the record
	Run     string    // the URL of the run
	Forge   *Standing // what the forge says of the pull request now; nil: it was not asked, or does not say
	World   *World    // nil: the workspace was not asked
	Tree    *Tree     // nil: it was not compared
}

// Standing is a pull request as it is now, while an event may be old.
type Standing struct {
	Open, Merged bool
	Head         string
}

// World is what the workspace says.
type World struct {
	Record    Record
	Now       time.Time // the store's clock
	Live      Live
	IsMain    bool   // what is live is what main stands for
	Newer     string // the registered model that is newer than what is live; "": none is, or none is asked for
	NewerMain string // the same against what main stands for
	Past      bool   // main has gone on since: what it stands for contains the event's commit
}

// Tree is the checkout against what is live, with the model that is live where the newest is asked for.
type Tree struct {
	Same    bool
	Changes []Change
}

// Need is what else must be known.
type Need string

// The needs, in the order in which they arise. What no event of a fork gets at needs the workspace.
const (
	NeedNothing Need = ""
	NeedWorld   Need = "world"
	NeedTree    Need = "tree"
)

// Decision is what a run does.
type Decision struct {
	Need     Need // decide again with this; nothing else counts then
	Decision string
	Reason   string
	Code     online.Code // of a Fail
	Next     *Record     // to be written before anything is done; nil: it stays as it is
}

func need(n Need) Decision { return Decision{Need: n} }

func pass(format string, args ...any) Decision {
	return Decision{Decision: Pass, Reason: fmt.Sprintf(format, args...)}
}

func fail(code online.Code, format string, args ...any) Decision {
	return Decision{Decision: Fail, Code: code, Reason: fmt.Sprintf(format, args...)}
}

// with gives a decision the record that it makes.
func (d Decision) with(next Record) Decision {
	d.Next = &next
	return d
}

// Decide decides what a run may do. It asks for what it needs to know, the workspace last, so a
// fork is decided without it.
func Decide(f Facts) Decision {
	if e := f.Event; e.Dependabot && e.PullRequest > 0 && !e.Fork {
		return f.dependabot()
	}
	switch f.Event.Kind {
	case Open:
		return f.open()
	case Closed:
		return f.closed()
	case Merged:
		return f.merged()
	case Queued:
		return f.queued()
	case Dispatched:
		return f.dispatched()
	}
	return fail(online.Invalid, "the gate knows nothing of the event %q", f.Event.Kind)
}

// open decides on a pull request that is open.
func (f Facts) open() Decision {
	if d := f.atOnce(); d.Decision != "" {
		return d
	}
	if f.World == nil {
		return need(NeedWorld)
	}
	e, hold := f.Event, f.World.Record.Hold
	if f.older() {
		return fail(online.Refused, "%s is held for the newer commit %s of this pull request: this run is of an older one", e, short(hold.Head))
	}
	gated, own, newer := len(f.Changed) > 0, f.own(), f.newer()
	switch {
	case !gated && (newer == "" || e.Draft):
		return f.untouched()
	case !own && hold != nil:
		return f.held()
	case own && hold.Sources == f.Sources && f.World.Live.verified() && f.World.Newer == "" && !hold.Main:
		return f.unchanged()
	}
	why := "it changes " + few(f.Changed)
	if !gated {
		why = "model " + newer + " is newer than what is live"
	}
	return f.deploy("%s: %s", e, why)
}

// newer is the registered model that is reason enough to deploy. Who holds the endpoint may have the
// newest live already.
func (f Facts) newer() string {
	if f.own() {
		return f.World.NewerMain
	}
	return f.World.Newer
}

// atOnce decides on an open pull request where that needs no workspace; none where it does.
func (f Facts) atOnce() Decision {
	e, gated := f.Event, len(f.Changed) > 0
	switch {
	case e.Fork && gated:
		return fail(online.Refused, "%s comes from a fork, which has no credential to deploy, and changes gated paths (%s): push its branch to this repository and open the pull request from there",
			e, few(f.Changed))
	case e.Fork:
		return pass("%s changes no gated path: nothing to deploy", e)
	case e.Draft && gated:
		return fail(online.Refused, "%s is a draft and changes gated paths (%s): a draft is not deployed; mark it ready for review", e, few(f.Changed))
	}
	if late := f.superseded(); late != "" {
		return fail(online.Refused, "%s", late)
	}
	return Decision{}
}

// dependabot decides on a run that Dependabot began, without the workspace. What it can't know of,
// such as a newer model, it does not claim to know.
func (f Facts) dependabot() Decision {
	e, gated := f.Event, len(f.Changed) > 0
	const why = "GitHub gives the runs that Dependabot begins no secrets"
	switch {
	case e.Kind == Closed:
		return pass("%s was closed unmerged by Dependabot; whether anything of it is live was not asked, as %s: hotswap drift tells, and the scheduled one brings main's back", e, why)
	case !gated && e.Kind == Open:
		return pass("%s changes no gated path: nothing to deploy; whether a newer model is registered was not asked, as %s", e, why)
	case !gated && e.Kind == Closed: // with its branch its commits may be gone, so what it changed is not known
		return pass("%s was closed unmerged; whether anything of it is live was not asked, as %s: hotswap drift tells", e, why)
	case !gated:
		return pass("%s changes no gated path: nothing to do; what is live was not asked, as %s", e, why)
	case e.Kind == Merged:
		return fail(online.Refused, "%s is merged and changes gated paths (%s), but this run has no credential, as %s: run the workflow on main", e, few(f.Changed), why)
	}
	return fail(online.Refused, "%s changes gated paths (%s), but this run has no credential to deploy, as %s: close the pull request and open it again yourself, "+
		"so that the run is yours; or give Dependabot the secret (gh secret set AZURE_SERVICE_PRINCIPAL --app dependabot)", e, few(f.Changed), why)
}

// untouched decides on an open pull request that has nothing to deploy: what an earlier push of it
// made live goes back.
func (f Facts) untouched() Decision {
	r, e := f.World.Record, f.Event
	own := f.own()
	if !own && (r.Hold != nil || !f.World.Live.of(e.PullRequest)) {
		return pass("%s changes no gated path, and no newer model is registered: nothing to deploy", e)
	}
	switch u := f.World.Live.Underway; {
	case f.World.IsMain && u != nil && u.PullRequest == e.PullRequest:
		return f.restore("%s changes no gated path any more, but its rollout %s was cut off, which is undone", e, u.ID)
	case f.World.IsMain || f.World.Live.nothing():
		return pass("%s changes no gated path, and nothing of it is live: nothing to deploy", e).with(r.released())
	case r.Main == nil: // the checkout is what main has
		return f.deploy("%s changes no gated path any more, and what it has live is main's by nothing that was verified: main's own is deployed", e)
	}
	return f.restore("%s changes no gated path any more, but what it changed before is live: what main stands for is brought back", e)
}

// unchanged decides on a push that changes nothing of what this pull request has live.
func (f Facts) unchanged() Decision {
	if f.Tree == nil {
		return need(NeedTree)
	}
	if !f.Tree.Same {
		return f.deploy("%s holds the endpoint, but what is live is not what it has (%s)", f.Event, changed(f.Tree.Changes))
	}
	next := f.World.Record
	hold, e := *next.Hold, f.Event
	hold.PullRequest, hold.Branch, hold.URL, hold.Head, hold.Updated = e.PullRequest, e.HeadBranch, e.URL, e.Head, e.Updated
	hold.Rollout, hold.Restoring = f.World.Live.Rollout.ID, false
	next.Hold = &hold
	return pass("%s has this very content live by rollout %s, and holds the endpoint: it is not deployed again", f.Event, f.World.Live.Rollout.ID).with(next)
}

// closed decides on a pull request that was closed without a merge.
func (f Facts) closed() Decision {
	e := f.Event
	switch {
	case e.Fork:
		return pass("%s comes from a fork: it was never live", e)
	case f.Forge != nil && f.Forge.Open:
		return pass("%s is open again: its own run decides", e)
	case f.World == nil:
		return need(NeedWorld)
	case f.older():
		return pass("%s was opened again for %s: its own run decides", e, short(f.World.Record.Hold.Head))
	}
	r, live := f.World.Record, f.World.Live
	own := f.own()
	switch {
	case !own && r.Hold != nil:
		return pass("%s does not hold the endpoint: %s does", e, r.Hold)
	case !own && !live.of(e.PullRequest):
		return pass("%s was closed unmerged and was never live, or is not any more: nothing to restore", e)
	case f.World.IsMain && live.Underway != nil && live.Underway.PullRequest == e.PullRequest:
		return f.restore("%s was closed unmerged while its rollout %s was on its way, which is undone", e, live.Underway.ID)
	case f.World.IsMain, live.nothing():
		return pass("%s was closed unmerged, and nothing of it is live: nothing to restore", e).with(r.released())
	case r.Main == nil:
		return fail(online.Refused, "%s was closed unmerged and is live, but nothing was verified on main yet that could be brought back, and traffic never goes to 0: run the workflow on main, which deploys what main has", e).
			with(r.leaving(Left{PullRequest: e.PullRequest, Branch: e.HeadBranch, Fingerprint: live.Fingerprint, By: f.By, Reason: "closed unmerged", Time: f.World.Now}))
	}
	return f.restore("%s was closed unmerged: what main stands for is brought back", e)
}

// merged decides on a pull request that was merged: what runs must be what main has now.
func (f Facts) merged() Decision {
	e, gated := f.Event, len(f.Changed) > 0
	switch {
	case e.Fork && gated:
		return fail(online.Refused, "%s comes from a fork, is merged, and changes gated paths (%s), which were never deployed, since a fork's runs have no credential: run the workflow on main",
			e, few(f.Changed))
	case e.Fork:
		return pass("%s is merged and changes no gated path: nothing to do", e)
	case f.World == nil:
		return need(NeedWorld)
	}
	r, own := f.World.Record, f.own()
	switch {
	case !gated && !own && (r.Hold != nil || !f.World.Live.of(e.PullRequest)):
		return pass("%s is merged and changes no gated path: nothing to do", e)
	case f.World.Past:
		d := pass("%s is merged, and main has gone on to %s, which contains it and is what was verified", e, short(r.Main.Commit))
		if own {
			d = d.with(r.released())
		}
		return d
	case !own && r.Hold != nil && !r.Hold.Main:
		return fail(online.Locked, "%s is merged, but %s holds the endpoint: what main has now is not live; once that is merged or closed, run the workflow on main", e, r.Hold)
	}
	return f.landed()
}

// landed decides by what runs and what main has now.
func (f Facts) landed() Decision {
	e := f.Event
	switch {
	case f.Tree == nil:
		return need(NeedTree)
	case f.Tree.Same && (f.World.Live.verified() || f.World.IsMain):
		return pass("%s is merged, and what runs is the merged tree's: it is what main stands for", e).with(f.recorded())
	case f.Tree.Same:
		return f.deploy("%s is merged, and what runs is the merged tree's by no rollout that was verified: it is deployed", e)
	}
	return f.deploy("%s is merged, and what runs is not what main has (%s): main's is deployed", e, changed(f.Tree.Changes))
}

// queued decides on what a merge queue would merge. It never deploys.
func (f Facts) queued() Decision {
	e := f.Event
	switch {
	case len(f.Changed) == 0:
		return pass("%s changes no gated path: nothing to verify", e)
	case f.World == nil:
		return need(NeedWorld)
	case f.Tree == nil:
		return need(NeedTree)
	case f.Tree.Same && (f.World.Live.verified() || f.World.IsMain):
		return pass("%s: what would be merged is what runs and was verified", e)
	case f.Tree.Same:
		return fail(online.Refused, "%s: what would be merged is live, but by no rollout that was verified: push to the pull request, or run its check again", e)
	}
	return fail(online.Refused, "%s: what would be merged is not what was tested and is live (%s): bring the pull request up to date with its base, so that its check deploys both",
		e, changed(f.Tree.Changes))
}

// dispatched decides on a run that a person began. It always deploys.
func (f Facts) dispatched() Decision {
	e := f.Event
	if f.World == nil {
		return need(NeedWorld)
	}
	r := f.World.Record
	main := e.Branch != "" && e.Branch == r.branch(e)
	h := r.Hold
	switch {
	case h != nil && h.PullRequest > 0 && !h.Main:
		return f.held()
	case main && f.World.Past:
		return fail(online.Refused, "main has gone on to %s since %s: run the workflow on main as it is now; to go back, hotswap rollback does it at once, and a revert on main keeps it",
			short(r.Main.Commit), short(e.Head))
	case main:
		return f.deploy("%s was asked for by hand", e)
	case h != nil && (h.Main || h.Restoring || h.Branch != e.Branch):
		return f.held()
	}
	return f.deploy("%s was asked for by hand", e)
}
