package gate

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hotswap/internal/online"
)

// anyEvent is an event of one of three pull requests, or of a branch.
func anyEvent(t *rapid.T) Event {
	e := Event{
		Kind:        rapid.SampledFrom([]Kind{Open, Closed, Merged, Queued, Dispatched}).Draw(t, "kind"),
		PullRequest: rapid.IntRange(1, 3).Draw(t, "number"), Head: rapid.SampledFrom([]string{headA, headB}).Draw(t, "head"), Base: mainA, BaseBranch: "main",
		Merge: headB, Fork: rapid.Bool().Draw(t, "fork"), Draft: rapid.Bool().Draw(t, "draft"),
		Updated: noon.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "updated"))),
	}
	e.HeadBranch = fmt.Sprintf("b%d", e.PullRequest)
	if e.Kind == Queued || e.Kind == Dispatched {
		e.PullRequest, e.Fork, e.Draft = 0, false, false
		e.Branch = rapid.SampledFrom([]string{"main", "b1", "b2"}).Draw(t, "branch")
	}
	return e
}

func anyHold(t *rapid.T) *Hold {
	if rapid.Bool().Draw(t, "nobody") {
		return nil
	}
	h := &Hold{
		PullRequest: rapid.IntRange(0, 3).Draw(t, "holder"), Head: headA, Sources: rapid.SampledFrom([]string{"s", "t"}).Draw(t, "sources"), Updated: noon.Add(1),
		Main: rapid.Bool().Draw(t, "main's"), Restoring: rapid.Bool().Draw(t, "restoring"),
	}
	h.Branch = fmt.Sprintf("b%d", max(h.PullRequest, 1))
	return h
}

func anyWorld(t *rapid.T) *World {
	w := &World{Now: noon, Record: Record{Hold: anyHold(t)}}
	if rapid.Bool().Draw(t, "recorded") {
		w.Record.Main, w.Past = mainOf(), rapid.Bool().Draw(t, "past")
	}
	if rapid.Bool().Draw(t, "live") {
		w.Live = liveOf(rapid.IntRange(0, 3).Draw(t, "liveOf"))
		w.Live.Rollout.Promoted = rapid.Bool().Draw(t, "promoted")
		w.IsMain = w.Record.Main != nil && w.Live.Fingerprint == w.Record.Main.Fingerprint
	}
	if rapid.Bool().Draw(t, "newer") {
		w.Newer, w.NewerMain = "azureml:m:9", "azureml:m:9"
	}
	return w
}

func anyFacts(t *rapid.T) Facts {
	f := Facts{Event: anyEvent(t), Sources: "s"}
	if rapid.Bool().Draw(t, "gated") {
		f.Changed = gatedA
	}
	return f
}

// Whatever is the case: while somebody holds the endpoint nobody else deploys or restores, except main
// over what is main's already or a branch's; a deployment takes the hold, a restore says so first and
// has something to restore; a fork does nothing; a merge queue deploys nothing.
func TestDecideNeverBreaksARule(t *testing.T) { //nolint:gocyclo // because each rule is a condition
	rapid.Check(t, func(t *rapid.T) {
		f, w := anyFacts(t), anyWorld(t)
		tree := &Tree{Same: rapid.Bool().Draw(t, "same")}
		first := Decide(f)
		if f.Event.Fork && (first.Need != NeedNothing || first.Decision == Deploy || first.Decision == Restore) {
			t.Fatalf("a fork's decision is %+v", first)
		}
		d := decided(t, f, w, tree)
		h := w.Record.Hold
		mine := h == nil || h.of(f.Event)
		switch {
		case d.Reason == "" || (d.Decision == Fail) != (d.Code != ""):
			t.Fatalf("%+v", d)
		case f.Event.Kind == Queued && (d.Decision == Deploy || d.Decision == Restore || d.Next != nil):
			t.Fatalf("a merge queue's decision is %+v", d)
		case d.Decision == Deploy && (d.Next == nil || d.Next.Hold == nil || !d.Next.Hold.of(f.Event) && !d.Next.Hold.Main || d.Next.Hold.Restoring):
			t.Fatalf("it deploys and holds nothing: %+v", d.Next)
		case d.Decision == Restore && (d.Next == nil || d.Next.Main == nil || d.Next.Hold == nil || !d.Next.Hold.Restoring || !mine):
			t.Fatalf("it restores by the record %+v", d.Next)
		}
		mains := f.Event.Kind == Merged || f.Event.Kind == Dispatched && f.Event.Branch == "main"
		if overrules := mains && h != nil && (h.Main || h.PullRequest == 0); !mine && !overrules && (d.Decision == Deploy || d.Decision == Restore || d.Next != nil) {
			t.Fatalf("held by %v, it decides %+v", h, d)
		}
		if d.Next != nil && w.Record.Main != nil && d.Next.Main != w.Record.Main && !tree.Same {
			t.Fatalf("main is recorded anew and not compared: %+v", d.Next.Main)
		}
	})
}

// Settling again what has been settled changes nothing, for any end of a run; and it gives nobody's
// hold away but the run's own.
func TestSettleIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := Ended{Facts: anyFacts(t), Decision: rapid.SampledFrom([]string{"", Deploy, Restore, Pass, Fail}).Draw(t, "decision")}
		f.World = anyWorld(t)
		f.Tree = &Tree{Same: rapid.Bool().Draw(t, "same")}
		f.Rollout = rapid.SampledFrom([]string{"", "r1", "r2", "r3"}).Draw(t, "rollout")
		before := f.World.Record
		_, next := Settle(f)
		if next == nil {
			return
		}
		if !before.Hold.of(f.Event) {
			t.Fatalf("%+v has settled the hold of %v", f.Event, before.Hold)
		}
		w := *f.World
		w.Record = *next
		w.IsMain = next.Main != nil && w.Live.Fingerprint == next.Main.Fingerprint
		f.World = &w
		if _, again := Settle(f); again != nil && !reflect.DeepEqual(*again, *next) {
			t.Fatalf("settled %+v, and again %+v", *next, *again)
		}
	})
}

// team is a repository and its endpoint, whose runs may be killed anywhere.
type team struct {
	record Record
	live   int            // whose content: 0 is what was there, n*100+k is push k of pull request n
	by     int            // the pull request whose rollout made it live
	main   int            // what main has
	pushes map[int]int    // of open pull requests
	ended  map[int]string // merged or closed, by number
	clock  time.Duration
}

func (m *team) event(k Kind, number int) Event {
	m.clock++
	return Event{
		Kind: k, PullRequest: number, Head: fmt.Sprintf("%040x", number*100+m.pushes[number]), HeadBranch: fmt.Sprintf("b%d", number), Base: mainA, BaseBranch: "main",
		Merge: fmt.Sprintf("%040x", 1<<20+number), Updated: noon.Add(m.clock),
	}
}

func fingerprint(content int) string { return fmt.Sprint("f", content) }

func (m *team) world() *World {
	w := &World{Record: m.record, Now: noon, Live: Live{
		Traffic: "blue=100", Deployment: &online.Deployment{}, Fingerprint: fingerprint(m.live),
		Rollout: &Rollout{ID: "r" + fingerprint(m.live), Promoted: true, PullRequest: m.by, Content: &online.Deployment{Name: fmt.Sprint(m.live)}},
	}}
	w.IsMain = m.record.Main != nil && m.record.Main.Fingerprint == w.Live.Fingerprint
	return w
}

// run is a run of the workflow for an event, whose checkout has that content. It is killed after so
// many of its four parts.
func (m *team) run(t *rapid.T, e Event, content, parts int, passes bool) {
	f := Facts{Event: e, Sources: fmt.Sprint(content)}
	if content != m.main || e.Kind != Open {
		f.Changed = gatedA
	}
	d := decided(t, f, m.world(), &Tree{Same: content == m.live})
	if parts == 0 {
		return
	}
	if d.Decision == Deploy && m.record.Hold != nil && !m.record.Hold.of(e) && !m.record.Hold.Main {
		t.Fatalf("#%d deploys while %v holds", e.PullRequest, m.record.Hold)
	}
	if d.Next != nil {
		m.record = *d.Next
	}
	if parts == 1 {
		return
	}
	rollout := ""
	switch {
	case d.Decision == Deploy && passes:
		m.live, m.by, rollout = content, e.PullRequest, "r"+fingerprint(content)
	case d.Decision == Restore:
		m.restore(t)
	}
	if parts == 2 {
		return
	}
	f.World, f.Tree = m.world(), &Tree{Same: content == m.live}
	if _, next := Settle(Ended{Facts: f, Decision: d.Decision, Rollout: rollout}); next != nil {
		m.record = *next
	}
}

// restore is a repair: it restores only what drift says may be.
func (m *team) restore(t *rapid.T) {
	holder := Holder{}
	if h := m.record.Hold; h != nil && h.PullRequest > 0 {
		holder.Known, holder.Open, holder.Merged = true, m.ended[h.PullRequest] == "", h.Main || m.ended[h.PullRequest] == "merged"
		holder.TreeSame = m.live == m.main
	}
	w := m.world()
	d := Judge("taxi", *w, holder, nil)
	switch {
	case d.State == Behind:
		m.record = Record{Main: w.Live.main()}
	case d.Restorable:
		var was int
		if _, err := fmt.Sscanf(m.record.Main.Fingerprint, "f%d", &was); err != nil {
			t.Fatal(err)
		}
		m.live, m.by = was, 0
		m.record.Hold = nil
	}
}

// Over any life of three pull requests, whose runs may be killed: while the last word on each was
// heard and nobody holds the endpoint, what is live is what main stands for.
func TestProductionEqualsMain(t *testing.T) { //nolint:gocyclo // because each event is a case
	rapid.Check(t, func(t *rapid.T) {
		m := &team{record: Record{Main: &Main{Fingerprint: fingerprint(0), Commit: mainA, Content: online.Deployment{Name: "0"}}}, pushes: map[int]int{}, ended: map[int]string{}}
		for range rapid.IntRange(1, 25).Draw(t, "events") {
			number := rapid.IntRange(1, 3).Draw(t, "number")
			parts, passes := rapid.SampledFrom([]int{0, 1, 2, 3, 3, 3}).Draw(t, "parts"), rapid.Bool().Draw(t, "passes")
			content := number*100 + m.pushes[number]
			switch what := rapid.SampledFrom([]string{"push", "push", "revert", "close", "merge", "repair"}).Draw(t, "what"); {
			case what == "repair":
				m.restore(t)
			case m.ended[number] != "" && what == "push": // opened again
				delete(m.ended, number)
				fallthrough
			case what == "push":
				m.pushes[number]++
				m.run(t, m.event(Open, number), number*100+m.pushes[number], parts, passes)
			case m.ended[number] != "" || m.pushes[number] == 0:
			case what == "revert":
				m.run(t, m.event(Open, number), m.main, parts, passes)
			case what == "close":
				m.ended[number] = "closed"
				m.run(t, m.event(Closed, number), content, parts, passes)
			case what == "merge":
				m.ended[number], m.main = "merged", content
				m.run(t, m.event(Merged, number), content, parts, passes)
			}
		}
		for number := range m.pushes { // what was killed is begun again, and what is open is closed
			if m.ended[number] == "" {
				m.ended[number] = "closed"
			}
			kind := map[string]Kind{"closed": Closed, "merged": Merged}[m.ended[number]]
			if kind == Closed {
				m.run(t, m.event(kind, number), number*100+m.pushes[number], 3, true)
			}
		}
		m.restore(t)
		if h := m.record.Hold; h != nil && m.ended[h.PullRequest] != "merged" {
			t.Fatalf("%v holds, and all is over", h)
		}
		if m.record.Hold == nil && m.record.Main.Fingerprint != fingerprint(m.live) {
			t.Fatalf("main stands for %s, live is %d", m.record.Main.Fingerprint, m.live)
		}
	})
}
