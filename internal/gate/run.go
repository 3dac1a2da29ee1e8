package gate

import (
	"bytes"
	"context"
	"encoding/json"

	"hotswap/internal/crashpoint"
	"hotswap/internal/journal"
	"hotswap/internal/online"
)

// Journal keeps the record.
type Journal interface {
	Record(ctx context.Context, name string) (journal.Record, error)
	PutRecord(ctx context.Context, name string, body []byte, over journal.Record) error
}

// Endpoint is the endpoint, seen by what its rollouts have left.
type Endpoint interface {
	Live(ctx context.Context) (Live, error)
	// Tree compares the checkout with what is live.
	Tree(ctx context.Context, live Live) (Tree, error)
	// Differs tells in what content differs from what is live; not in tags, nor in the number of instances.
	Differs(ctx context.Context, live Live, content online.Deployment) ([]Change, error)
	// Newer names a registered model that is newer than that one, where the newest is asked for; else "".
	Newer(ctx context.Context, than online.Ref) (string, error)
	// Restore makes main's deployment live again.
	Restore(ctx context.Context, main Main) error
}

// Forge tells what has become of a pull request, and people what has become of its deployment.
type Forge interface {
	PullRequest(ctx context.Context, number int) (Standing, error)
	Comment(ctx context.Context, number int, marker, markdown string) error
	SetStatus(ctx context.Context, commit string, s Status) error
}

// Status is what a commit's status says.
type Status struct {
	Context, Description, URL string
	Good                      bool
}

// Workspace is where the endpoint and its record are.
type Workspace struct {
	Journal  Journal
	Endpoint Endpoint
}

// Gate decides for one endpoint.
type Gate struct {
	Name    string                                    // of the endpoint
	Connect func(context.Context) (*Workspace, error) // called when something must be known of the workspace, and not before
	Git     *Repository                               // nil: there is no checkout
	Gated   *Checkout                                 // what of the checkout is gated, for Drift; nil: it is not known
	Forge   Forge                                     // nil: there is none to be asked
	NoForge string                                    // why
	Say     func(format string, args ...any)

	workspace *Workspace
}

// recordName is that of the record's blob, below the endpoint's.
const recordName = "gate"

// tries bounds how often a run decides anew because the record was changed meanwhile.
const tries = 8

func (g *Gate) connect(ctx context.Context) (*Workspace, error) {
	if g.workspace == nil {
		w, err := g.Connect(ctx)
		if err != nil {
			return nil, err
		}
		g.workspace = w
	}
	return g.workspace, nil
}

// seen is the workspace as it was read, and the record to be written over.
type seen struct {
	World
	over    journal.Record
	changes []Change // in what main's differs from what is live; nil where it does not, or there is none
}

// look reads the workspace.
func (g *Gate) look(ctx context.Context, e Event) (s seen, err error) {
	w, err := g.connect(ctx)
	if err != nil {
		return s, err
	}
	if s.Record, s.over, err = ReadRecord(ctx, w.Journal); err != nil {
		return s, err
	}
	s.Now = s.over.Time
	if s.Live, err = w.Endpoint.Live(ctx); err != nil {
		return s, err
	}
	main := s.Record.Main
	if main != nil {
		s.Past = g.Git != nil && main.Commit != e.main() && g.Git.Contains(ctx, main.Commit, e.main())
		if s.changes, s.IsMain, err = w.compare(ctx, s.Live, *main); err != nil {
			return s, err
		}
	}
	if e.Kind != Open || s.Live.Deployment == nil {
		return s, nil
	}
	if s.Newer, err = w.Endpoint.Newer(ctx, s.Live.Deployment.Model); err != nil || main == nil {
		s.NewerMain = s.Newer
		return s, err
	}
	s.NewerMain, err = w.Endpoint.Newer(ctx, main.Content.Model)
	if s.Live.Back != nil { // what a person has gone back from is no news
		s.Newer = s.NewerMain
	}
	return s, err
}

// compare finds out whether what is live is main's: the same deployment, or one that is made of the same.
func (w *Workspace) compare(ctx context.Context, live Live, main Main) (changes []Change, is bool, err error) {
	switch {
	case live.Deployment == nil:
		return nil, false, nil
	case live.Fingerprint == main.Fingerprint:
		return nil, true, nil
	}
	changes, err = w.Endpoint.Differs(ctx, live, main.Content)
	return changes, err == nil && len(changes) == 0, err
}

// ReadRecord reads the endpoint's record; one that is not there yet is empty.
func ReadRecord(ctx context.Context, j Journal) (r Record, over journal.Record, err error) {
	over, err = j.Record(ctx, recordName)
	if err != nil || len(over.Body) == 0 {
		return r, over, err
	}
	if err := json.Unmarshal(over.Body, &r); err != nil {
		return r, over, online.Errorf(online.Internal, "read the gate's record: %w", err)
	}
	return r, over, nil
}

// write writes the record if nobody has changed it since it was read.
func write(ctx context.Context, j Journal, next Record, over journal.Record) error {
	body, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return online.Errorf(online.Internal, "write the gate's record: %w", err)
	}
	if bytes.Equal(body, over.Body) {
		return nil
	}
	crashpoint.At("gate.record.before")
	if err := j.PutRecord(ctx, recordName, body, over); err != nil {
		return err
	}
	crashpoint.At("gate.record.after")
	return nil
}

// Decide finds out what must be known, decides, and saves what the decision makes of the record,
// unless it is only asked what would be. A record that was changed meanwhile is decided on anew.
func (g *Gate) Decide(ctx context.Context, f Facts, only bool) (Decision, error) {
	g.askForge(ctx, &f)
	var s seen
	for try := 1; ; {
		d := Decide(f)
		var err error
		switch d.Need {
		case NeedWorld:
			if s, err = g.look(ctx, f.Event); err != nil {
				return d, err
			}
			f.World = &s.World
			continue
		case NeedTree:
			if f.Tree, err = g.tree(ctx, s.Live); err != nil {
				return d, err
			}
			continue
		case NeedNothing:
		}
		if only || d.Next == nil {
			return d, nil
		}
		err = write(ctx, g.workspace.Journal, *d.Next, s.over)
		if err == nil || online.CodeOf(err) != online.Stale || try == tries {
			return d, err
		}
		f.World, f.Tree = nil, nil
		try++
	}
}

func (g *Gate) tree(ctx context.Context, live Live) (*Tree, error) {
	t, err := g.workspace.Endpoint.Tree(ctx, live)
	return &t, err
}

// askForge asks what has become of the pull request. What it does not say is not known, which is
// said, and stops nothing: the record knows of older runs as well.
func (g *Gate) askForge(ctx context.Context, f *Facts) {
	if g.Forge == nil || f.Event.PullRequest == 0 || f.Event.Fork || f.Event.Kind == Merged {
		return
	}
	now, err := g.Forge.PullRequest(ctx, f.Event.PullRequest)
	if err != nil {
		g.Say("whether %s is still as the event says is not known: %v", f.Event, err)
		return
	}
	f.Forge = &now
}

// Finish settles the record by what is live, and tells how the run has ended.
func (g *Gate) Finish(ctx context.Context, f Ended) (Outcome, World, error) {
	for try := 1; ; try++ {
		s, err := g.look(ctx, f.Event)
		if err != nil {
			return Outcome{}, World{}, err
		}
		f.World, f.Tree = &s.World, nil
		if f.NeedsTree() {
			if f.Tree, err = g.tree(ctx, s.Live); err != nil {
				return Outcome{}, s.World, err
			}
		}
		o, next := Settle(f)
		if next == nil {
			return o, s.World, nil
		}
		err = write(ctx, g.workspace.Journal, *next, s.over)
		if err == nil {
			s.Record = *next
			return o, s.World, nil
		}
		if online.CodeOf(err) != online.Stale || try == tries {
			return o, s.World, err
		}
	}
}

// Release frees the endpoint of its hold, which is returned; nil where nobody holds it. What is live
// stays live, and is not taken for main's.
func (g *Gate) Release(ctx context.Context, by, reason string) (*Hold, World, error) {
	for try := 1; ; try++ {
		s, err := g.look(ctx, Event{})
		if err != nil {
			return nil, World{}, err
		}
		h := s.Record.Hold
		if h == nil {
			return nil, s.World, nil
		}
		next := s.Record.released()
		if s.Live.Deployment != nil && !s.IsMain {
			next = s.Record.leaving(Left{
				PullRequest: h.PullRequest, Branch: h.Branch, Fingerprint: s.Live.Fingerprint, By: by, Reason: reason, Time: s.Now,
			})
		}
		err = write(ctx, g.workspace.Journal, next, s.over)
		if err == nil {
			s.Record = next
			return h, s.World, nil
		}
		if online.CodeOf(err) != online.Stale || try == tries {
			return nil, s.World, err
		}
	}
}
