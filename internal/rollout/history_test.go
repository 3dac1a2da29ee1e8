package rollout

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/azure"
	"hotswap/internal/journal"
	"hotswap/internal/online"
)

func wantCode(t *testing.T, doing string, err error, want online.Code, words ...string) {
	t.Helper()
	if err == nil || online.CodeOf(err) != want {
		t.Errorf("%s: error %v, want code %s", doing, err, want)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s: the error %q has no %q", doing, err, word)
		}
	}
}

func TestHistory(t *testing.T) {
	r := newRig(t)
	r.Actor = Actor{Principal: azure.Principal{Name: "alice"}, Forge: &Forge{Actor: "bob", PullRequest: 12}}
	r.live(t, "1", "2")
	bad := wanting("[2]")
	if _, err := r.Rollout(t.Context(), request("3"), bad, false); online.CodeOf(err) != online.Refused {
		t.Fatalf("a candidate that answers wrong: %v", err)
	}
	r.Actor = Actor{Local: "carol@laptop"}
	if _, _, err := r.Rollback(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	h, err := r.History(t.Context(), 20)
	if err != nil || len(h) != 4 {
		t.Fatalf("History = %+v, %v; want 4 rollouts", h, err)
	}
	var got []string
	for _, s := range h {
		if s.Started.IsZero() || s.Updated.Before(s.Started) || s.Rollout == "" {
			t.Errorf("%+v has no id or no times", s)
		}
		got = append(got, fmt.Sprintf("%s pr=%d %s %s %s %s", s.By, s.PullRequest, s.Model, s.Deployment, s.Phase, s.Traffic))
	}
	want := []string{
		"carol@laptop pr=0 azureml:m:1 blue Promoted blue=100",
		"bob pr=12 azureml:m:3 blue Refused green=100",
		"bob pr=12 azureml:m:2 green Promoted green=100",
		"bob pr=12 azureml:m:1 blue Promoted blue=100",
	}
	if !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	if h[0].Undoes != h[2].Rollout || !strings.Contains(h[1].Reason, "not the expected one") {
		t.Errorf("the rollback undoes %q, and the refusal has reason %q", h[0].Undoes, h[1].Reason)
	}
	two, err := r.History(t.Context(), 2)
	if err != nil || !cmp.Equal(two, h[:2]) {
		t.Errorf("History of 2 = %+v, %v; want the newest two", two, err)
	}
}

func TestNoHistory(t *testing.T) {
	if h, err := newRig(t).History(t.Context(), 20); err != nil || len(h) != 0 {
		t.Errorf("History of a new endpoint = %+v, %v; want none", h, err)
	}
}

// More rollouts than are read at once come in their order, each from one entry.
func TestLongHistory(t *testing.T) {
	r := newRig(t)
	if h, err := r.History(t.Context(), 20); err != nil || len(h) != 0 {
		t.Errorf("History of a new endpoint = %+v, %v; want none", h, err)
	}
	const n = 3*readsAtOnce + 1
	for fence := range n {
		data, err := json.Marshal(State{ID: fmt.Sprint("r", fence), Phase: Promoted})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Journal.Append(t.Context(), journal.Entry{Fence: int64(fence), Rollout: fmt.Sprint("r", fence), Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	h, err := r.History(t.Context(), 1000)
	if err != nil || len(h) != n {
		t.Fatalf("%d rollouts, %v; want %d", len(h), err, n)
	}
	for i, s := range h {
		if want := fmt.Sprint("r", n-1-i); s.Rollout != want {
			t.Errorf("rollout %d is %s, want %s", i, s.Rollout, want)
		}
	}
	if err := r.Journal.Append(t.Context(), journal.Entry{Fence: n, Rollout: "garbled", Data: json.RawMessage("[]")}); err != nil {
		t.Fatal(err)
	}
	_, err = r.History(t.Context(), 1000)
	wantCode(t, "read a garbled entry", err, online.Internal, "garbled")
}

func TestShow(t *testing.T) {
	r := newRig(t)
	_, err := r.Show(t.Context(), "")
	wantCode(t, "show what is not there", err, online.NotFound)
	r.Actor = Actor{Principal: azure.Principal{Name: "alice"}}
	r.live(t, "1", "2")
	three := request("3")
	three.Deployment.Variables = map[string]string{"PASSWORD": "hunter2"}
	if _, err := r.Rollout(t.Context(), three, wanting(""), false); err != nil {
		t.Fatal(err)
	}
	id := r.newest(t).ID
	decided := journal.Decision{Rollout: id, Kind: journal.Abort, By: "bob", Time: time.Unix(1, 0).UTC()}
	if _, err := r.Journal.Decide(t.Context(), decided); err != nil {
		t.Fatal(err)
	}
	record, err := r.Show(t.Context(), id[:30])
	if err != nil || record.State.ID != id || record.State.By != r.Actor || !cmp.Equal(record.Decisions, []journal.Decision{decided}) {
		t.Fatalf("Show = %+v, %v", record, err)
	}
	var got []string
	for _, m := range record.Timeline {
		if m.Time.IsZero() {
			t.Errorf("%+v has no time", m)
		}
		got = append(got, fmt.Sprintf("%s %s %s", m.Phase, m.Traffic, m.Note))
	}
	want := []string{
		"Planned green=100 ",
		"Deploying green=100 ",
		"Deployed green=100 blue is up, fingerprint " + record.State.Candidate.Fingerprint,
		"Tested green=100 the test passed",
		"Swapping green=100 ",
		"Promoted blue=100 ",
	}
	if v := record.State.Candidate.Content.Variables["PASSWORD"]; v != "(not shown)" {
		t.Errorf("the record shows the variable as %q", v)
	}
	if !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	if newest, err := r.Show(t.Context(), ""); err != nil || newest.State.ID != id {
		t.Errorf("Show without an id = %+v, %v; want %s", newest, err, id)
	}
}

func TestNotes(t *testing.T) {
	up := State{Candidate: Candidate{Deployment: "blue", Fingerprint: "f"}}
	forced := up
	forced.Forced = true
	over := forced
	over.Reason = "the slot is gone"
	first, second := over, over
	first.Analyses = []Analysis{{Percent: 5, Outcome: Passed}}
	second.Analyses = append(first.Analyses, Analysis{Percent: 25, Outcome: Worse, Reasons: []string{"p99 is 3 s"}})
	tests := map[string]struct {
		before, now State
		want        string
	}{
		"a step was watched": {over, first, "5 % passed"},
		"another step":       {first, second, "25 % worse: p99 is 3 s"},
		"no step since":      {second, second, ""},
		"nothing new":        {over, over, ""},
		"all new":            {State{}, over, "blue is up, fingerprint f; forced, without a passing test; the slot is gone"},
		"forced":             {up, forced, "forced, without a passing test"},
		"ended":              {forced, over, "the slot is gone"},
		"no reason":          {over, forced, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := note(tt.before, tt.now); got != tt.want {
				t.Errorf("note = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPick(t *testing.T) {
	groups := []journal.RolloutID{{Fence: 4, Rollout: "abc"}, {Fence: 3, Rollout: "ab"}, {Fence: 2, Rollout: "xyz"}}
	tests := map[string]struct {
		groups []journal.RolloutID
		id     string
		want   int64
		code   online.Code
		words  string
	}{
		"the newest":           {groups, "", 4, "", ""},
		"a whole id":           {groups, "ab", 3, "", ""},
		"the beginning of one": {groups, "x", 2, "", ""},
		"of two":               {groups, "a", 0, online.Invalid, "abc and ab"},
		"of none":              {groups, "q", 0, online.NotFound, "no rollout q"},
		"no rollouts":          {nil, "", 0, online.NotFound, "run hotswap deploy"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g, err := (&Runner{Endpoint: "e"}).pick(tt.groups, tt.id)
			if tt.code != "" {
				wantCode(t, "pick", err, tt.code, tt.words)
				return
			}
			if err != nil || g.Fence != tt.want {
				t.Errorf("pick = %+v, %v; want fence %d", g, err, tt.want)
			}
		})
	}
}
