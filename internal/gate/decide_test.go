package gate

import (
	"strings"
	"testing"
	"time"

	"hotswap/internal/online"
)

var (
	noon   = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	gatedA = []string{"src/score.py"}
)

const (
	headA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	headB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	mainA = "cccccccccccccccccccccccccccccccccccccccc"
)

// pullRequest is an event of pull request 7.
func pullRequest(k Kind) Event {
	return Event{Kind: k, PullRequest: 7, Head: headA, HeadBranch: "change", Base: mainA, BaseBranch: "main", Merge: headB, Updated: noon, URL: "https://forge/7"}
}

func draft(e Event) Event { e.Draft = true; return e }
func fork(e Event) Event  { e.Fork = true; return e }

func bot(e Event) Event { e.Dependabot = true; return e }

func dispatch(branch string) Event {
	return Event{Kind: Dispatched, Head: headA, Branch: branch, DefaultBranch: "main"}
}

// liveOf is a deployment that is live by a promoted rollout of a pull request; 0: of none.
func liveOf(number int) Live {
	return Live{
		Traffic: "blue=100", Deployment: &online.Deployment{Name: "blue"}, Fingerprint: "f" + string(rune('0'+number)),
		Rollout: &Rollout{ID: "r" + string(rune('0'+number)), Promoted: true, PullRequest: number},
	}
}

func mainOf() *Main { return &Main{Rollout: "r0", Commit: mainA, Branch: "main", Fingerprint: "f0"} }

func holdOf(number int) *Hold {
	return &Hold{PullRequest: number, Branch: "change", Head: headA, Sources: "s", Since: noon, Updated: noon}
}

// TestDecide has a row for each row of the decision. Facts have main recorded and live, and nobody
// holding, unless they say otherwise; the checkout is not what is live.
func TestDecide(t *testing.T) { //nolint:gocyclo // because it is a table of conditions, each of which counts
	type row struct {
		event   Event
		changed []string
		world   func(*World)
		forge   *Standing
		same    bool // as the tree
		want    string
		code    online.Code
		says    string
		after   func(Record) bool // of the record that it makes; nil: it makes none
	}
	nobody := func(r Record) bool { return r.Hold == nil }
	held := func(r Record) bool {
		return r.Hold != nil && r.Hold.PullRequest == 7 && !r.Hold.Restoring && !r.Hold.Main
	}
	restoring := func(r Record) bool { return r.Hold != nil && r.Hold.PullRequest == 7 && r.Hold.Restoring }
	mains := func(r Record) bool { return r.Hold != nil && r.Hold.Main }
	recorded := func(r Record) bool {
		return r.Hold == nil && r.Main != nil && r.Main.Commit == headB && !r.Main.Adopted && r.Left == nil
	}
	own := func(w *World) { w.Record.Hold, w.Live, w.IsMain = holdOf(7), liveOf(7), false }
	ownButMain := func(w *World) { w.Record.Hold = holdOf(7) }
	other := func(w *World) { w.Record.Hold, w.Live, w.IsMain = holdOf(8), liveOf(8), false }
	nothing := func(w *World) { w.Record.Main, w.Live, w.IsMain = nil, Live{}, false }
	unrecorded := func(w *World) { w.Record.Main, w.IsMain = nil, false }
	both := func(edits ...func(*World)) func(*World) {
		return func(w *World) {
			for _, edit := range edits {
				edit(w)
			}
		}
	}
	rows := map[string]row{
		"opened, nothing gated":              {event: pullRequest(Open), want: Pass, says: "nothing to deploy"},
		"opened, gated":                      {event: pullRequest(Open), changed: gatedA, want: Deploy, says: "src/score.py", after: held},
		"opened, a newer model":              {event: pullRequest(Open), world: func(w *World) { w.Newer = "azureml:m:3" }, want: Deploy, says: "azureml:m:3", after: held},
		"opened, fork":                       {event: fork(pullRequest(Open)), want: Pass, says: "nothing to deploy"},
		"opened, fork, gated":                {event: fork(pullRequest(Open)), changed: gatedA, want: Fail, code: online.Refused, says: "fork"},
		"opened, Dependabot":                 {event: bot(pullRequest(Open)), want: Pass, says: "was not asked"},
		"opened, Dependabot, gated":          {event: bot(pullRequest(Open)), changed: gatedA, want: Fail, code: online.Refused, says: "no secrets"},
		"closed, Dependabot":                 {event: bot(pullRequest(Closed)), want: Pass, says: "is live was not asked"},
		"merged, Dependabot":                 {event: bot(pullRequest(Merged)), want: Pass, says: "nothing to do"},
		"merged, Dependabot, gated":          {event: bot(pullRequest(Merged)), changed: gatedA, want: Fail, code: online.Refused, says: "run the workflow on main"},
		"opened, draft, gated":               {event: draft(pullRequest(Open)), changed: gatedA, want: Fail, code: online.Refused, says: "draft"},
		"opened, draft, a newer model":       {event: draft(pullRequest(Open)), world: func(w *World) { w.Newer = "azureml:m:3" }, want: Pass},
		"opened, superseded":                 {event: pullRequest(Open), changed: gatedA, forge: &Standing{Open: true, Head: headB}, want: Fail, code: online.Refused, says: "newest push"},
		"opened, closed meanwhile":           {event: pullRequest(Open), changed: gatedA, forge: &Standing{Head: headA}, want: Fail, code: online.Refused, says: "closed meanwhile"},
		"opened, the forge agrees":           {event: pullRequest(Open), changed: gatedA, forge: &Standing{Open: true, Head: headA}, want: Deploy, after: held},
		"opened, held":                       {event: pullRequest(Open), changed: gatedA, world: other, want: Fail, code: online.Locked, says: "pull request #8"},
		"opened, held, nothing gated":        {event: pullRequest(Open), world: other, want: Pass},
		"opened, held, a newer model":        {event: pullRequest(Open), world: both(other, func(w *World) { w.Newer = "azureml:m:3" }), want: Fail, code: online.Locked},
		"opened, held by main's own":         {event: pullRequest(Open), changed: gatedA, world: func(w *World) { w.Record.Hold = &Hold{Branch: "main", Main: true} }, want: Fail, code: online.Locked, says: "on its way"},
		"opened, held by a repair":           {event: pullRequest(Open), changed: gatedA, world: func(w *World) { w.Record.Hold = &Hold{Restoring: true} }, want: Fail, code: online.Locked, says: "drift --repair"},
		"opened, its branch holds":           {event: pullRequest(Open), changed: gatedA, world: func(w *World) { w.Record.Hold = &Hold{Branch: "change"} }, want: Deploy, after: held},
		"opened, another branch holds":       {event: pullRequest(Open), changed: gatedA, world: func(w *World) { w.Record.Hold = &Hold{Branch: "x"} }, want: Fail, code: online.Locked, says: "branch x"},
		"opened, nothing live yet":           {event: pullRequest(Open), changed: gatedA, world: nothing, want: Deploy, after: func(r Record) bool { return held(r) && r.Main == nil }},
		"opened, live is adopted":            {event: pullRequest(Open), changed: gatedA, world: unrecorded, want: Deploy, after: func(r Record) bool { return held(r) && r.Main.Adopted && r.Main.Fingerprint == "f0" }},
		"opened, what is left is not":        {event: pullRequest(Open), changed: gatedA, world: both(unrecorded, func(w *World) { w.Record.Left = &Left{Fingerprint: "f0"} }), want: Deploy, after: func(r Record) bool { return held(r) && r.Main == nil }},
		"opened, a bake is not adopted":      {event: pullRequest(Open), changed: gatedA, world: both(unrecorded, func(w *World) { w.Live.Rollout.Promoted = false }), want: Deploy, after: func(r Record) bool { return r.Main == nil }},
		"opened, its own is not adopted":     {event: pullRequest(Open), changed: gatedA, world: both(unrecorded, func(w *World) { w.Live = liveOf(7) }), want: Deploy, after: func(r Record) bool { return r.Main == nil }},
		"pushed, the same":                   {event: pullRequest(Open), changed: gatedA, world: own, same: true, want: Pass, says: "not deployed again", after: func(r Record) bool { return held(r) && r.Hold.Rollout == "r7" }},
		"opened, its branch has it live":     {event: pullRequest(Open), changed: gatedA, world: both(own, func(w *World) { w.Record.Hold.PullRequest = 0 }), same: true, want: Pass, after: held},
		"closed, its branch held":            {event: pullRequest(Closed), changed: gatedA, world: both(own, func(w *World) { w.Record.Hold.PullRequest = 0 }), want: Restore, after: restoring},
		"pushed, other sources":              {event: pullRequest(Open), changed: gatedA, world: both(own, func(w *World) { w.Record.Hold.Sources = "t" }), same: true, want: Deploy, after: held},
		"pushed, other content":              {event: pullRequest(Open), changed: gatedA, world: own, want: Deploy, says: "not what it has", after: held},
		"pushed, under a bake":               {event: pullRequest(Open), changed: gatedA, world: both(own, func(w *World) { w.Live.Rollout.Promoted = false }), same: true, want: Deploy, after: held},
		"pushed, and a newer model":          {event: pullRequest(Open), changed: gatedA, world: both(own, func(w *World) { w.Newer, w.NewerMain = "azureml:m:4", "azureml:m:4" }), same: true, want: Deploy, after: held},
		"pushed, brought a model only":       {event: pullRequest(Open), world: both(own, func(w *World) { w.NewerMain = "azureml:m:3" }), same: true, want: Pass, says: "not deployed again", after: held},
		"pushed, an older push":              {event: pullRequest(Open), changed: gatedA, world: both(own, func(w *World) { w.Record.Hold.Head, w.Record.Hold.Updated = headB, noon.Add(1) }), want: Fail, code: online.Refused, says: "an older one"},
		"pushed, forced back in time":        {event: pullRequest(Open), changed: gatedA, world: both(own, func(w *World) { w.Record.Hold.Head, w.Record.Hold.Updated = headB, noon.Add(-1) }), want: Deploy, after: held},
		"reverted":                           {event: pullRequest(Open), world: own, want: Restore, after: restoring},
		"reverted, of a draft":               {event: draft(pullRequest(Open)), world: own, want: Restore, after: restoring},
		"reverted, main is live":             {event: pullRequest(Open), world: ownButMain, want: Pass, after: nobody},
		"reverted, released before":          {event: pullRequest(Open), world: func(w *World) { w.Live, w.IsMain = liveOf(7), false }, want: Restore, after: restoring},
		"reverted, no main":                  {event: pullRequest(Open), world: both(own, unrecorded), want: Deploy, after: held},
		"reopened while it was taken back":   {event: pullRequest(Open), changed: gatedA, world: both(own, func(w *World) { w.Record.Hold.Restoring = true }), same: true, want: Pass, after: held},
		"closed":                             {event: pullRequest(Closed), changed: gatedA, world: own, want: Restore, after: restoring},
		"closed, again":                      {event: pullRequest(Closed), changed: gatedA, world: both(own, func(w *World) { w.Record.Hold.Restoring = true }), want: Restore, after: restoring},
		"closed, main is live":               {event: pullRequest(Closed), changed: gatedA, world: ownButMain, want: Pass, after: nobody},
		"closed, cut off":                    {event: pullRequest(Closed), changed: gatedA, world: both(ownButMain, func(w *World) { w.Live.Underway = &Rollout{ID: "r9", PullRequest: 7} }), want: Restore, says: "r9", after: restoring},
		"closed, another's is on its way":    {event: pullRequest(Closed), changed: gatedA, world: both(ownButMain, func(w *World) { w.Live.Underway = &Rollout{ID: "r9", PullRequest: 8} }), want: Pass, after: nobody},
		"reverted, cut off":                  {event: pullRequest(Open), world: both(ownButMain, func(w *World) { w.Live.Underway = &Rollout{ID: "r9", PullRequest: 7} }), want: Restore, says: "r9", after: restoring},
		"closed, never live":                 {event: pullRequest(Closed), changed: gatedA, want: Pass, says: "never live"},
		"closed, another holds":              {event: pullRequest(Closed), changed: gatedA, world: other, want: Pass, says: "#8"},
		"closed, released before":            {event: pullRequest(Closed), changed: gatedA, world: func(w *World) { w.Live, w.IsMain = liveOf(7), false }, want: Restore, after: restoring},
		"closed, no main":                    {event: pullRequest(Closed), changed: gatedA, world: both(own, unrecorded), want: Fail, code: online.Refused, says: "run the workflow on main", after: func(r Record) bool { return nobody(r) && r.Left != nil && r.Left.Fingerprint == "f7" }},
		"closed, no main, nothing live":      {event: pullRequest(Closed), changed: gatedA, world: both(ownButMain, nothing), want: Pass, after: nobody},
		"closed, open again":                 {event: pullRequest(Closed), changed: gatedA, world: own, forge: &Standing{Open: true, Head: headA}, want: Pass, says: "open again"},
		"closed, opened again and pushed":    {event: pullRequest(Closed), changed: gatedA, world: both(own, func(w *World) { w.Record.Hold.Head, w.Record.Hold.Updated = headB, noon.Add(1) }), want: Pass, says: "opened again"},
		"closed, fork":                       {event: fork(pullRequest(Closed)), changed: gatedA, want: Pass, says: "never live"},
		"merged, nothing gated":              {event: pullRequest(Merged), want: Pass, says: "nothing to do"},
		"merged, nothing gated, other holds": {event: pullRequest(Merged), world: other, want: Pass},
		"merged, the same":                   {event: pullRequest(Merged), changed: gatedA, world: own, same: true, want: Pass, says: "what main stands for", after: recorded},
		"merged, a model only":               {event: pullRequest(Merged), world: own, same: true, want: Pass, after: recorded},
		"merged, the same, unverified":       {event: pullRequest(Merged), changed: gatedA, world: both(own, func(w *World) { w.Live.Rollout.Promoted = false }), same: true, want: Deploy, after: mains},
		"merged, other content":              {event: pullRequest(Merged), changed: gatedA, world: own, want: Deploy, after: mains},
		"merged without the check":           {event: pullRequest(Merged), changed: gatedA, want: Deploy, after: mains},
		"merged, main's own is stale":        {event: pullRequest(Merged), changed: gatedA, world: func(w *World) { w.Record.Hold = &Hold{PullRequest: 3, Main: true} }, want: Deploy, after: mains},
		"merged, another holds":              {event: pullRequest(Merged), changed: gatedA, world: other, want: Fail, code: online.Locked, says: "#8"},
		"merged, main has gone on":           {event: pullRequest(Merged), changed: gatedA, world: both(own, func(w *World) { w.Past = true }), want: Pass, says: "gone on", after: nobody},
		"merged, left is forgotten":          {event: pullRequest(Merged), changed: gatedA, world: both(own, unrecorded, func(w *World) { w.Record.Left = &Left{} }), same: true, want: Pass, after: recorded},
		"merged, fork":                       {event: fork(pullRequest(Merged)), want: Pass},
		"merged, fork, gated":                {event: fork(pullRequest(Merged)), changed: gatedA, want: Fail, code: online.Refused, says: "run the workflow on main"},
		"queued, nothing gated":              {event: Event{Kind: Queued, Head: headA, Base: mainA}, want: Pass},
		"queued, what is live":               {event: Event{Kind: Queued, Head: headA, Base: mainA}, changed: gatedA, world: other, same: true, want: Pass, says: "was verified"},
		"queued, unverified":                 {event: Event{Kind: Queued, Head: headA, Base: mainA}, changed: gatedA, world: both(other, func(w *World) { w.Live.Rollout = nil }), same: true, want: Fail, code: online.Refused},
		"queued, something else":             {event: Event{Kind: Queued, Head: headA, Base: mainA}, changed: gatedA, world: other, want: Fail, code: online.Refused, says: "not what was tested"},
		"by hand on main":                    {event: dispatch("main"), want: Deploy, after: mains},
		"by hand on main, held":              {event: dispatch("main"), world: other, want: Fail, code: online.Locked, says: "gate release"},
		"by hand on main, merged holds":      {event: dispatch("main"), world: func(w *World) { w.Record.Hold = &Hold{PullRequest: 3, Main: true} }, want: Deploy, after: mains},
		"by hand on main, a branch holds":    {event: dispatch("main"), world: func(w *World) { w.Record.Hold = &Hold{Branch: "x"} }, want: Deploy, after: mains},
		"by hand on main as it was":          {event: dispatch("main"), world: func(w *World) { w.Past = true }, want: Fail, code: online.Refused, says: "main has gone on"},
		"by hand on a branch":                {event: dispatch("x"), want: Deploy, after: func(r Record) bool { return r.Hold.Branch == "x" && !r.Hold.Main }},
		"by hand on a branch, again":         {event: dispatch("x"), world: func(w *World) { w.Record.Hold = &Hold{Branch: "x"} }, want: Deploy, after: func(r Record) bool { return r.Hold.Branch == "x" }},
		"by hand on a branch, another holds": {event: dispatch("x"), world: func(w *World) { w.Record.Hold = &Hold{Branch: "y"} }, want: Fail, code: online.Locked, says: "branch y"},
		"by hand on a branch, main's on way": {event: dispatch("x"), world: func(w *World) { w.Record.Hold = &Hold{Branch: "x", Main: true} }, want: Fail, code: online.Locked},
		"by hand on a branch, adopts":        {event: dispatch("x"), world: unrecorded, want: Deploy, after: func(r Record) bool { return r.Main != nil && r.Main.Adopted }},
		"by hand, main has another name":     {event: dispatch("trunk"), world: func(w *World) { w.Record.Main.Branch = "trunk" }, want: Deploy, after: mains},
	}
	for name, tt := range rows {
		t.Run(name, func(t *testing.T) {
			f := Facts{Event: tt.event, Changed: tt.changed, Sources: "s", Forge: tt.forge, By: "alice", Run: "https://run"}
			w := &World{Record: Record{Main: mainOf()}, Now: noon, Live: liveOf(0), IsMain: true}
			if tt.world != nil {
				tt.world(w)
			}
			d := decided(t, f, w, &Tree{Same: tt.same, Changes: []Change{{What: "code"}}})
			if d.Decision != tt.want || d.Code != tt.code || !strings.Contains(d.Reason, tt.says) {
				t.Fatalf("decided %s %q: %s; want %s %q: %s", d.Decision, d.Code, d.Reason, tt.want, tt.code, tt.says)
			}
			switch {
			case tt.after == nil && d.Next != nil:
				t.Errorf("it makes the record %+v, want none", *d.Next)
			case tt.after != nil && (d.Next == nil || !tt.after(*d.Next)):
				t.Errorf("it makes the record %+v", d.Next)
			}
		})
	}
}

// decided gives a decision what it needs, in turn.
func decided(t interface{ Fatalf(string, ...any) }, f Facts, w *World, tree *Tree) Decision {
	for range 3 {
		d := Decide(f)
		switch d.Need {
		case NeedWorld:
			f.World = w
		case NeedTree:
			f.Tree = tree
		case NeedNothing:
			return d
		}
	}
	t.Fatalf("the decision needs more and more")
	return Decision{}
}

// Two runs that decide from the same record can't both write theirs; what the second decides anew is
// that the first is in the way.
func TestDecideAnew(t *testing.T) {
	f := Facts{Event: pullRequest(Open), Changed: gatedA}
	w := World{Record: Record{Main: mainOf()}, Live: liveOf(0), IsMain: true, Now: noon}
	w.Record = *decided(t, f, &w, nil).Next
	f.Event.PullRequest, f.Event.HeadBranch = 8, "other"
	if d := decided(t, f, &w, nil); d.Decision != Fail || d.Code != online.Locked {
		t.Errorf("the second one's decision is %+v", d)
	}
}
