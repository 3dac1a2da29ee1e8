package gate

import (
	"fmt"
	"strings"

	"hotswap/internal/online"
)

// own reports whether the event's pull request, or branch, holds the endpoint. A branch that a
// person had deployed is its pull request's own from when that is opened.
func (f Facts) own() bool {
	h := f.World.Record.Hold
	if h == nil {
		return false
	}
	return h.of(f.Event)
}

func (h Hold) of(e Event) bool {
	switch {
	case e.PullRequest > 0 && h.PullRequest == e.PullRequest:
		return true
	case h.PullRequest > 0 || h.Branch == "":
		return false
	}
	return e.PullRequest > 0 && !e.Fork && h.Branch == e.HeadBranch || e.PullRequest == 0 && h.Branch == e.Branch
}

// superseded says why the event is over: the forge knows of a newer push.
func (f Facts) superseded() string {
	now := f.Forge
	switch {
	case now == nil:
		return ""
	case !now.Open:
		return fmt.Sprintf("%s is closed meanwhile: nothing is deployed for it", f.Event)
	case now.Head != "" && now.Head != f.Event.Head:
		return fmt.Sprintf("%s has gone on to %s since %s: the run of the newest push decides", f.Event, short(now.Head), short(f.Event.Head))
	}
	return ""
}

// older reports whether the pull request holds the endpoint for something newer than the event.
func (f Facts) older() bool {
	h := f.World.Record.Hold
	return h != nil && h.PullRequest > 0 && h.PullRequest == f.Event.PullRequest && h.Head != f.Event.Head && f.Event.Updated.Before(h.Updated)
}

// held names who is in the way.
func (f Facts) held() Decision {
	h := *f.World.Record.Hold
	how := "wait until it is merged or closed, or release it with hotswap gate release"
	switch {
	case h.Restoring:
		how = "hotswap drift --repair brings main's back and frees it"
	case h.Main:
		how = "wait, or run the workflow on main"
	case h.PullRequest == 0:
		how = "release it with hotswap gate release"
	}
	return fail(online.Locked, "the endpoint is held by %s since %s: %s", h, h.Since.UTC().Format("2006-01-02 15:04 MST"), how)
}

// deploy takes the hold for the event before anything is deployed. What is live when nothing was
// recorded yet is what main stands for, unless it was left there by who has not merged it.
func (f Facts) deploy(format string, args ...any) Decision {
	e, next := f.Event, f.World.Record
	hold := &Hold{
		PullRequest: e.PullRequest, Branch: e.HeadBranch, URL: e.URL, Head: e.Head, Sources: f.Sources, Since: f.World.Now, Updated: e.Updated, Run: f.Run,
		Main: e.Kind == Merged || e.Kind == Dispatched && e.Branch == next.branch(e),
	}
	if e.PullRequest == 0 {
		hold.Branch = e.Branch
	}
	if f.own() {
		hold.Since, hold.Rollout = next.Hold.Since, next.Hold.Rollout
	}
	if next.Main == nil && next.Hold == nil && !hold.Main {
		next.Main = f.adopted()
	}
	next.Hold = hold
	return Decision{Decision: Deploy, Reason: fmt.Sprintf(format, args...)}.with(next)
}

// adopted is what is live as what main stands for, or nil.
func (f Facts) adopted() *Main {
	live, left := f.World.Live, f.World.Record.Left
	switch {
	case live.Deployment == nil, live.of(f.Event.PullRequest), live.Underway != nil:
		return nil
	case left != nil && left.Fingerprint == live.Fingerprint:
		return nil
	case live.Rollout != nil && !live.Rollout.Promoted:
		return nil
	}
	m := live.main()
	m.Branch, m.Adopted, m.By, m.Time = f.Event.BaseBranch, true, f.By, f.World.Now
	return m
}

// main is what is live as main's. What was put says more than what was read, to which the service
// adds.
func (l Live) main() *Main {
	m := &Main{Content: *l.Deployment, Model: l.Deployment.Model.String(), Fingerprint: l.Fingerprint}
	if r := l.Rollout; r != nil {
		m.Rollout, m.Commit = r.ID, r.Commit
		if r.Content != nil {
			m.Content = *r.Content
		}
	}
	return m
}

// restore saves the intent, and lets nobody else in until it is done.
func (f Facts) restore(format string, args ...any) Decision {
	e, next := f.Event, f.World.Record
	hold := Hold{PullRequest: e.PullRequest, Branch: e.HeadBranch, URL: e.URL, Head: e.Head, Since: f.World.Now, Run: f.Run}
	if f.own() {
		hold = *next.Hold
	}
	hold.Restoring, hold.Updated, hold.PullRequest, hold.URL = true, e.Updated, e.PullRequest, e.URL
	next.Hold = &hold
	return Decision{Decision: Restore, Reason: fmt.Sprintf(format, args...)}.with(next)
}

// recorded is the record with what is live as main's, and nobody holding.
func (f Facts) recorded() Record {
	e, next := f.Event, f.World.Record
	m := f.World.Live.main()
	m.Commit, m.Branch, m.By, m.Time = e.main(), next.branch(e), f.By, f.World.Now
	if f.World.IsMain && m.Rollout == "" && next.Main != nil { // by hand, and the same
		m.Rollout, m.Content = next.Main.Rollout, next.Main.Content
	}
	return Record{Main: m}
}

// released is the record with nobody holding.
func (r Record) released() Record {
	r.Hold = nil
	return r
}

// leaving is the record with nobody holding, and what that leaves.
func (r Record) leaving(l Left) Record {
	r.Hold = nil
	if r.Main == nil || l.Fingerprint != r.Main.Fingerprint {
		r.Left = &l
	}
	return r
}

// branch is what main is called.
func (r Record) branch(e Event) string {
	switch {
	case e.PullRequest > 0 && e.BaseBranch != "":
		return e.BaseBranch
	case r.Main != nil && r.Main.Branch != "":
		return r.Main.Branch
	case e.DefaultBranch != "":
		return e.DefaultBranch
	}
	return "main"
}

// few are the first of many paths.
func few(paths []string) string {
	const most = 3
	if len(paths) <= most {
		return strings.Join(paths, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(paths[:most], ", "), len(paths)-most)
}

// changed are the things that differ.
func changed(changes []Change) string {
	var names []string
	for _, c := range changes {
		names = append(names, c.What)
	}
	if len(names) == 0 {
		return "nothing is live"
	}
	return "what differs: " + few(names)
}

func short(commit string) string { return commit[:min(len(commit), 7)] }
