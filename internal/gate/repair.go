package gate

import (
	"context"
	"fmt"

	"hotswap/internal/online"
)

// Drift compares what is live with what main stands for.
func (g *Gate) Drift(ctx context.Context, e Event) (Drift, error) {
	d, _, err := g.judge(ctx, e)
	return d, err
}

func (g *Gate) judge(ctx context.Context, e Event) (Drift, seen, error) {
	s, err := g.look(ctx, e)
	if err != nil {
		return Drift{}, s, err
	}
	holder, err := g.holder(ctx, s)
	if err != nil {
		return Drift{}, s, err
	}
	d := Judge(g.Name, s.World, holder, s.changes)
	return d, s, g.ahead(ctx, s, &d)
}

// holder finds out what has become of the pull request that holds the endpoint.
func (g *Gate) holder(ctx context.Context, s seen) (h Holder, err error) {
	hold := s.Record.Hold
	switch {
	case hold == nil || hold.Restoring || hold.PullRequest == 0 && !hold.Main:
		return h, nil
	case hold.Main:
		h.Known, h.Merged = true, true
	case g.Forge == nil:
		h.WhyNot = g.NoForge
		return h, nil
	default:
		now, err := g.Forge.PullRequest(ctx, hold.PullRequest)
		if err != nil {
			h.WhyNot = err.Error()
			return h, nil
		}
		h.Known, h.Open, h.Merged = true, now.Open, now.Merged
	}
	if !h.Merged || !s.Live.verified() {
		return h, nil
	}
	t, err := g.workspace.Endpoint.Tree(ctx, s.Live)
	if online.CodeOf(err) == online.Invalid { // there are no files of a deployment to compare with
		h.TreeNotChecked = err.Error()
		return h, nil
	}
	h.TreeSame = err == nil && t.Same
	return h, err
}

// Repair brings the endpoint in line with what main stands for, and the record with what is so
// already. It takes the hold first, so that nobody deploys meanwhile and a repair that is cut off is
// known; then it looks again.
func (g *Gate) Repair(ctx context.Context, e Event, by, run string) (Drift, error) {
	for try := 1; ; try++ {
		d, s, err := g.judge(ctx, e)
		switch {
		case err != nil || d.State == NoDrift && d.Hold == nil || d.State == Held:
			return d, err
		case d.Refusal != nil:
			return d, d.Refusal
		}
		next, done := s.repaired(d, g.head(ctx), by)
		if !done {
			next = s.restoring(run)
		}
		err = write(ctx, g.workspace.Journal, next, s.over)
		switch {
		case online.CodeOf(err) == online.Stale && try < tries:
			continue
		case err != nil || done:
			if done {
				d.Repaired = "the record was brought in line with what is live"
			}
			return d, err
		}
		return g.restore(ctx, d, e, by, *next.Main)
	}
}

// restore brings main's back, and looks whether it is.
func (g *Gate) restore(ctx context.Context, d Drift, e Event, by string, main Main) (Drift, error) {
	g.Say("restoring %s of %s", main.Model, short(main.Commit))
	if err := g.workspace.Endpoint.Restore(ctx, main); err != nil {
		return d, fmt.Errorf("%w; what main stands for is not back, and the endpoint stays held until hotswap drift --repair has brought it back", err)
	}
	for try := 1; ; try++ {
		s, err := g.look(ctx, e)
		if err != nil {
			return d, err
		}
		after := Judge(g.Name, s.World, Holder{}, s.changes)
		after.Notes = d.Notes
		if !s.IsMain {
			after.Notes = append(after.Notes, "it was brought back, and what is live is something else now")
			return after, online.Errorf(online.Conflict, "what main stands for was brought back, but what is live differs from it (%s): run hotswap drift", changed(s.changes))
		}
		next, _ := s.repaired(after, "", by)
		err = write(ctx, g.workspace.Journal, next, s.over)
		if online.CodeOf(err) == online.Stale && try < tries {
			continue
		}
		after = Judge(g.Name, World{Record: next, Live: s.Live, IsMain: true, Now: s.Now}, Holder{}, nil)
		after.Repaired = fmt.Sprintf("%s of commit %s is live again", main.Model, short(main.Commit))
		return after, err
	}
}

func (g *Gate) head(ctx context.Context) string {
	if g.Git == nil {
		return ""
	}
	commit, err := g.Git.Head(ctx)
	if err != nil {
		return ""
	}
	return commit
}

// repaired is the record where only that has to be brought in line: what is live is main's, by what
// it is made of, or what is checked out of main.
func (s seen) repaired(d Drift, head, by string) (next Record, done bool) {
	next = s.Record
	switch {
	case d.State == Behind:
		m := s.Live.main()
		m.By, m.Time = by, s.Now
		if head != "" {
			m.Commit = head
		}
		if next.Main != nil {
			m.Branch = next.Main.Branch
		}
		return Record{Main: m}, true
	case !s.IsMain, s.Live.Underway != nil: // what was cut off is undone as well
		return next, false
	}
	m := *next.Main
	m.Fingerprint = s.Live.Fingerprint
	if s.Live.Rollout != nil && s.Live.Rollout.Promoted {
		m.Rollout = s.Live.Rollout.ID
	}
	next.Main, next.Hold = &m, nil
	return next, true
}

// restoring is the record while main's is being brought back.
func (s seen) restoring(run string) Record {
	next := s.Record
	hold := Hold{Since: s.Now, Run: run}
	if next.Hold != nil {
		hold = *next.Hold
	}
	hold.Restoring = true
	next.Hold = &hold
	return next
}
