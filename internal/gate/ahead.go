package gate

import (
	"context"
	"fmt"

	"hotswap/internal/online"
)

// Checkout is what of the checkout is gated.
type Checkout struct {
	Branch string // that is checked out
	Paths  Paths
}

// ahead finds out whether main has gone on since what it stands for was verified, to content that is
// not live: the run of a merge has failed, or never came. Only a checkout of main knows.
func (g *Gate) ahead(ctx context.Context, s seen, d *Drift) error {
	main := s.Record.Main
	if d.State != NoDrift || main == nil || g.Git == nil || g.Gated == nil || g.Gated.Branch != main.Branch {
		return nil
	}
	head, err := g.Git.Head(ctx)
	if err != nil || head == main.Commit || !g.Git.Contains(ctx, head, main.Commit) {
		return err
	}
	names, err := g.Git.diff(ctx, main.Commit, head)
	if err != nil {
		return err
	}
	gated := g.Gated.Paths.Gated(names)
	if len(gated) == 0 {
		return nil
	}
	t, err := g.workspace.Endpoint.Tree(ctx, s.Live)
	if err != nil || t.Same {
		return err
	}
	d.State, d.Changes, d.Restorable = Drifted, t.Changes, false
	d.Reason = fmt.Sprintf("main has gone on to %s since %s was verified, and its change of %s is not live", short(head), short(main.Commit), few(gated))
	d.Refusal = online.Errorf(online.Refused, "%s: run the workflow on main, which deploys what main has", d.Reason)
	return nil
}
