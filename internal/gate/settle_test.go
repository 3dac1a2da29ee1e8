package gate

import (
	"strings"
	"testing"

	"hotswap/internal/online"
)

// TestSettle has a row for each way in which a run may end. Main is recorded and live, and nobody
// holds, unless a row says otherwise.
func TestSettle(t *testing.T) {
	own := func(w *World) { w.Record.Hold, w.Live, w.IsMain = holdOf(7), liveOf(7), false }
	hold := func(edit func(*Hold)) func(*World) {
		return func(w *World) { w.Record.Hold = holdOf(7); edit(w.Record.Hold) }
	}
	none := func(*Hold) {}
	mains := func(h *Hold) { h.Main = true }
	underway := &Rollout{ID: "r9"}
	const same, holds, nobody, recorded = "same", "holds", "nobody", "recorded"
	tests := map[string]struct {
		event             Event
		decision, rollout string
		world             func(*World)
		tree              bool
		state             string
		wrong             bool
		record            string // what becomes of it
	}{
		"live":                         {event: pullRequest(Open), decision: Deploy, rollout: "r7", world: own, state: Holding, record: holds},
		"live, its id not known":       {event: pullRequest(Open), decision: Pass, world: own, state: Holding, record: holds},
		"live, an earlier push":        {event: pullRequest(Open), decision: Deploy, rollout: "r6", world: own, state: Failed, wrong: true, record: holds},
		"live, an earlier, unknown":    {event: pullRequest(Open), decision: Deploy, world: own, state: Failed, wrong: true, record: holds},
		"not live, main is":            {event: pullRequest(Open), decision: Deploy, rollout: "r7", world: hold(none), state: Failed, wrong: true, record: nobody},
		"live, the same as main's":     {event: pullRequest(Open), decision: Deploy, rollout: "r7", world: func(w *World) { own(w); w.IsMain = true }, state: Holding, record: holds},
		"under way":                    {event: pullRequest(Open), decision: Deploy, rollout: "r9", world: func(w *World) { own(w); w.Live.Underway = underway }, state: Unended, wrong: true, record: same},
		"nothing live, no main":        {event: pullRequest(Open), decision: Deploy, world: func(w *World) { w.Record, w.Live, w.IsMain = Record{Hold: holdOf(7)}, Live{}, false }, state: Failed, wrong: true, record: nobody},
		"something else is live":       {event: pullRequest(Open), decision: Deploy, world: func(w *World) { own(w); w.Live = liveOf(3) }, state: Failed, wrong: true, record: same},
		"held by another":              {event: pullRequest(Open), decision: Fail, world: func(w *World) { w.Record.Hold = holdOf(8) }, state: Failed, record: same},
		"nothing to do":                {event: pullRequest(Open), decision: Pass, state: Passed, record: same},
		"restored":                     {event: pullRequest(Closed), decision: Restore, world: hold(func(h *Hold) { h.Restoring = true }), state: Restored, record: nobody},
		"restored, by a repair":        {event: pullRequest(Closed), decision: Restore, state: Restored, record: same},
		"not restored":                 {event: pullRequest(Closed), decision: Restore, world: func(w *World) { own(w); w.Record.Hold.Restoring = true }, state: Failed, wrong: true, record: same},
		"not restored, nobody holds":   {event: pullRequest(Closed), decision: Restore, world: func(w *World) { w.IsMain = false }, state: Failed, wrong: true, record: same},
		"merged, deployed":             {event: pullRequest(Merged), decision: Deploy, rollout: "r7", world: func(w *World) { own(w); mains(w.Record.Hold) }, state: Verified, record: recorded},
		"merged, by content":           {event: pullRequest(Merged), decision: Deploy, world: func(w *World) { own(w); mains(w.Record.Hold) }, tree: true, state: Verified, record: recorded},
		"merged, refused":              {event: pullRequest(Merged), decision: Deploy, rollout: "r8", world: hold(mains), state: Failed, wrong: true, record: nobody},
		"merged, under a bake":         {event: pullRequest(Merged), decision: Deploy, rollout: "r7", world: func(w *World) { own(w); mains(w.Record.Hold); w.Live.Rollout.Promoted = false }, tree: true, state: Failed, wrong: true, record: nobody},
		"merged, verified before":      {event: pullRequest(Merged), decision: Pass, world: func(w *World) { w.Record.Main.Commit = headB }, state: Verified, record: same},
		"deployed, settled before":     {event: pullRequest(Merged), decision: Deploy, world: func(w *World) { w.Record.Main.Commit = headB }, state: Verified, record: same},
		"deployed, released by a hand": {event: pullRequest(Open), decision: Deploy, world: func(w *World) { own(w); w.Record.Hold = nil }, state: Failed, wrong: true, record: same},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := &World{Record: Record{Main: mainOf()}, Now: noon, Live: liveOf(0), IsMain: true}
			if tt.world != nil {
				tt.world(w)
			}
			f := Ended{Facts: Facts{Event: tt.event, World: w, Tree: &Tree{Same: tt.tree}}, Decision: tt.decision, Reason: "so", Rollout: tt.rollout}
			o, next := Settle(f)
			if o.State != tt.state || o.Wrong != tt.wrong || o.Text == "" || (o.Err() != nil) != tt.wrong {
				t.Errorf("it ended %+v, want %s, wrong %v", o, tt.state, tt.wrong)
			}
			became := same
			switch {
			case next == nil:
			case next.Hold != nil && next.Hold.Rollout == w.Live.Rollout.ID:
				became = holds
			case next.Main != nil && next.Main.Commit == headB && next.Main.Fingerprint == w.Live.Fingerprint:
				became = recorded
			case next.Hold == nil:
				became = nobody
			}
			if became != tt.record {
				t.Errorf("the record became %+v, want it to be %s", next, tt.record)
			}
		})
	}
}

// TestJudge has a row for each thing that drift tells. Main is recorded and live, unless a row says
// otherwise.
func TestJudge(t *testing.T) {
	own := func(w *World) { w.Record.Hold, w.Live, w.IsMain = holdOf(7), liveOf(7), false }
	open, closed, merged := Holder{Known: true, Open: true}, Holder{Known: true}, Holder{Known: true, Merged: true}
	tests := map[string]struct {
		world      func(*World)
		holder     Holder
		state      string
		restorable bool
		code       online.Code // of the refusal; "": it is none
		says       string
	}{
		"none":                      {state: NoDrift, says: "what main stands for"},
		"nothing anywhere":          {world: func(w *World) { *w = World{} }, state: NoDrift},
		"moved":                     {world: func(w *World) { w.Live, w.IsMain = liveOf(3), false }, state: Drifted, restorable: true},
		"split":                     {world: func(w *World) { w.Live, w.IsMain = Live{Traffic: "blue=50 green=50"}, false }, state: Drifted, restorable: true},
		"no main":                   {world: func(w *World) { w.Record.Main, w.IsMain = nil, false }, state: Drifted, code: online.Refused, says: "run the workflow on main"},
		"rolled back by hand":       {world: func(w *World) { w.Live, w.IsMain = liveOf(3), false; w.Live.Back = &Rollout{ID: "r9", By: "bob"} }, state: Drifted, code: online.Refused, says: "bob"},
		"rolled back to main's":     {world: func(w *World) { w.Live.Back = &Rollout{ID: "r9"} }, state: NoDrift},
		"a rollout by hand":         {world: func(w *World) { w.Live, w.IsMain = liveOf(3), false; w.Live.Underway = &Rollout{ID: "r9"} }, state: Drifted, code: online.Locked},
		"held":                      {world: own, holder: open, state: Held, says: "#7"},
		"held, not known":           {world: own, holder: Holder{WhyNot: "no token"}, state: Held, says: "no token"},
		"held, not live":            {world: func(w *World) { w.Record.Hold = holdOf(7) }, holder: open, state: Held},
		"held, on its way":          {world: func(w *World) { own(w); w.Live.Rollout = nil; w.Live.Underway = &Rollout{} }, holder: open, state: Held, says: "under way"},
		"held, something else live": {world: func(w *World) { own(w); w.Live = liveOf(3) }, holder: open, state: Drifted, restorable: true, says: "neither"},
		"closed":                    {world: own, holder: closed, state: Drifted, restorable: true, says: "closed unmerged"},
		"closed, cut off":           {world: func(w *World) { own(w); w.Live.Underway = &Rollout{ID: "r9"} }, holder: closed, state: Drifted, restorable: true},
		"closed, main is live":      {world: func(w *World) { w.Record.Hold = holdOf(7) }, holder: closed, state: Drifted, restorable: true},
		"merged, the same":          {world: own, holder: Holder{Known: true, Merged: true, TreeSame: true}, state: Behind},
		"merged, something else":    {world: own, holder: merged, state: Drifted, code: online.Refused, says: "hotswap gate release, and run the workflow on main"},
		"merged, not compared":      {world: own, holder: Holder{Known: true, Merged: true, TreeNotChecked: "no files"}, state: Drifted, code: online.Refused, says: "no files"},
		"merged, unverified":        {world: func(w *World) { own(w); w.Live.Rollout.Promoted = false }, holder: Holder{Known: true, Merged: true, TreeSame: true}, state: Drifted, code: online.Refused},
		"closed, gone back within":  {world: func(w *World) { own(w); w.Live.Back = &Rollout{ID: "r9", By: "bob"} }, holder: closed, state: Drifted, restorable: true},
		"closed, gone back beyond":  {world: func(w *World) { own(w); w.Live = liveOf(3); w.Live.Back = &Rollout{ID: "r9", By: "bob"} }, holder: closed, state: Drifted, code: online.Refused, says: "bob"},
		"main by hand, the same":    {world: func(w *World) { own(w); w.Record.Hold = &Hold{Branch: "main", Main: true} }, holder: Holder{Known: true, Merged: true, TreeSame: true}, state: Behind},
		"main by hand, on its way":  {world: func(w *World) { own(w); w.Record.Hold = &Hold{Branch: "main", Main: true} }, holder: Holder{Known: true, Merged: true}, state: Held},
		"restoring":                 {world: func(w *World) { own(w); w.Record.Hold.Restoring = true }, holder: open, state: Drifted, restorable: true, says: "is not done"},
		"restoring, rolled back":    {world: func(w *World) { own(w); w.Record.Hold.Restoring = true; w.Live.Back = &Rollout{} }, state: Drifted, restorable: true},
		"a branch":                  {world: func(w *World) { own(w); w.Record.Hold = &Hold{Branch: "x", Rollout: "r7"} }, state: Held, says: "branch x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := World{Record: Record{Main: mainOf()}, Now: noon, Live: liveOf(0), IsMain: true}
			if tt.world != nil {
				tt.world(&w)
			}
			d := Judge("taxi", w, tt.holder, []Change{{What: "code"}})
			if d.State != tt.state || d.Restorable != tt.restorable || (d.Refusal != nil) != (tt.code != "") {
				t.Fatalf("%+v, want %s, restorable %v, refusal %q", d, tt.state, tt.restorable, tt.code)
			}
			says := d.Reason
			if d.Refusal != nil {
				says = d.Refusal.Error()
				if online.CodeOf(d.Refusal) != tt.code {
					t.Errorf("refused with %s, want %s", online.CodeOf(d.Refusal), tt.code)
				}
			}
			if !strings.Contains(says, tt.says) || says == "" {
				t.Errorf("it says %q, want %q", says, tt.says)
			}
		})
	}
}
