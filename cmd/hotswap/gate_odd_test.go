package main

import (
	"os"
	"strings"
	"testing"
)

// A run of a tag holds the endpoint, and knows that it does.
func TestGateTag(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	g := newGated(t, s, "tagged")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	g.git(t, "tag", "v1")
	w := g.workflow(t, "workflow_dispatch", "refs/tags/v1", map[string]any{"repository": map[string]any{"full_name": "owner/name", "default_branch": "main"}})
	w.all(t, "deploy").green(t)
	if st := g.drift(t, 0); st.Hold == nil || st.Hold.Branch != "refs/tags/v1" {
		t.Errorf("held by %+v, want the tag", st.Hold)
	}
	g.open(t, 5, "-five").run(t, "opened").all(t, "fail").red(t, 4, "held by tag v1")
	g.dispatch(t, "main").all(t, "deploy").green(t)
}

// What is released while it is on its way is live without a hold, which is told.
func TestGateReleasedUnderway(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	g := newGated(t, s, "released")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	w := g.open(t, 5, "-five").run(t, "opened")
	w.gate(t)
	s.run(t, "gate", "release", "-e", g.endpoint).expect(t, 0, "")
	w.deliver(t)
	r := w.finish(t)
	g.answers(t, "one-five")
	r.expect(t, 1, "its hold was released meanwhile")
}

// A person's rollback from a newer model is not undone by a pull request that has nothing to do with it.
func TestGateRolledBackModel(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	g := newGated(t, s, "rolledback")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	g.register(t, s, "two")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	g.answers(t, "two")
	s.run(t, "rollback", "-e", g.endpoint).expect(t, 0, "")
	g.answers(t, "one")
	p := g.open(t, 5, "")
	g.git(t, "checkout", "-q", "-B", p.branch, "main")
	g.write(t, "README.md", "another text\n")
	g.commit(t, "docs")
	p.run(t, "opened").all(t, "pass").green(t)
	g.answers(t, "one")
	g.register(t, s, "three")
	p.run(t, "synchronize").all(t, "deploy").green(t)
	g.answers(t, "three")
}

// What a person has deployed in a slot of another name, before there was a gate, is what is restored.
func TestGateAdoptsByHand(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	g := newGated(t, s, "adopted")
	s.run(t, g.rollout()...).expect(t, 0, "")
	c := s.dial(t)
	d, err := c.Deployment(t.Context(), g.endpoint, g.status(t, s).Live)
	if err != nil {
		t.Fatal(err)
	}
	d.Name, d.Tags = "default", nil
	if _, err := c.PutDeployment(t.Context(), d.Deployment); err != nil {
		t.Fatal(err)
	}
	s.moveTraffic(t, g.endpoint, map[string]int{"default": 100})
	p := g.open(t, 5, "-five")
	p.run(t, "opened").all(t, "deploy").green(t)
	p.push(t, "-six")
	p.run(t, "synchronize").all(t, "deploy").green(t)
	g.answers(t, "one-six")
	p.run(t, "closed").all(t, "restore").green(t)
	g.answers(t, "one")
	if st := g.drift(t, 0); st.Main == nil || !st.Main.Adopted || st.Hold != nil {
		t.Errorf("main %+v, hold %+v", st.Main, st.Hold)
	}
}

// An endpoint that is deleted comes back as its file has it.
func TestGateEndpointDeleted(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	g := newGated(t, s, "deleted")
	g.replace(t, "endpoint.yml", "auth_mode: key", "auth_mode: key\ntags: {team: fares}")
	g.commit(t, "described")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	s.run(t, "endpoint", "delete", "-n", g.endpoint, "--yes").expect(t, 0, "")
	g.drift(t, 6)
	s.run(t, "drift", "-e", g.endpoint, "--repair").expect(t, 1, "give --endpoint-file")
	s.run(t, "drift", "--endpoint-file", g.path("endpoint.yml"), "--repair").expect(t, 0, "")
	s.run(t, "endpoint", "show", "-n", g.endpoint, "-o", "json").prints(t, `"team": "fares"`)
	g.answers(t, "one")
	g.wantMain(t, g.git(t, "rev-parse", "main"))
}

// A pull request that is closed after its run was killed leaves nothing that keeps the next one off.
func TestGateClosedUnderway(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	g := newGated(t, s, "underway")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	p := g.open(t, 5, "-five")
	w := p.run(t, "opened")
	w.gate(t).expect(t, 0, "")
	w.step(t, w.files("deploy", "-o", "json")...).expect(t, 0, "")
	p.run(t, "closed").all(t, "restore").green(t)
	if st := g.status(t, s); st.Lock != nil {
		t.Errorf("the lock is held by %s still", st.Lock.Holder)
	}
	g.wantMain(t, g.git(t, "rev-parse", "main"))
	q := g.open(t, 6, "-six")
	q.run(t, "opened").all(t, "deploy").green(t)
	g.answers(t, "one-six")
	merge := q.merge(t)
	q.run(t, "closed").all(t, "pass").green(t)
	g.wantMain(t, merge)
}

// A run that was killed does not keep the next one of its pull request off, be that a push or the merge.
func TestGateMergedUnderway(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	g := newGated(t, s, "mergedunder")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	p := g.open(t, 5, "-five")
	w := p.run(t, "opened")
	w.gate(t).expect(t, 0, "")
	w.step(t, w.files("deploy", "-o", "json")...).expect(t, 0, "")
	p.push(t, "-six")
	w = p.run(t, "synchronize")
	w.gate(t).expect(t, 0, "")
	w.step(t, w.files("deploy", "-o", "json")...).expect(t, 0, "")
	q := g.open(t, 6, "-other")
	q.run(t, "opened").all(t, "fail").red(t, 4, "#5")
	merge := p.merge(t)
	p.run(t, "closed").all(t, "deploy").green(t)
	g.answers(t, "one-six")
	g.wantMain(t, merge)
}

// Late reads and routes, as Azure has them.
func TestGateAzureLike(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--azure-like")
	g := newGated(t, s, "azurelike")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	p := g.open(t, 5, "-five")
	p.run(t, "opened").all(t, "deploy").green(t)
	g.wantHold(t, 5)
	p.push(t, "-six")
	p.run(t, "synchronize").all(t, "deploy").green(t)
	g.wantHold(t, 5)
	p.run(t, "closed").all(t, "restore").green(t)
	g.answers(t, "one")
	g.wantMain(t, g.git(t, "rev-parse", "main"))
	p.run(t, "reopened").all(t, "deploy").green(t)
	merge := p.merge(t)
	p.run(t, "closed").all(t, "pass").green(t)
	g.wantMain(t, merge)
}

// A person's lock keeps everything off, and what was to be restored is restored after it.
func TestGateLocked(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	g := newGated(t, s, "locked")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	s.run(t, "lock", "-e", g.endpoint, "-m", "audit").expect(t, 0, "")
	p := g.open(t, 5, "-five")
	p.run(t, "opened").all(t, "deploy").red(t, 4, "audit")
	g.wantHold(t, 0)
	s.run(t, "unlock", "-e", g.endpoint).expect(t, 0, "")
	p.run(t, "synchronize").all(t, "deploy").green(t)
	s.run(t, "lock", "-e", g.endpoint, "-m", "audit").expect(t, 0, "")
	p.run(t, "closed").all(t, "restore").red(t, 4, "audit")
	g.drift(t, 6)
	s.run(t, "unlock", "-e", g.endpoint).expect(t, 0, "")
	s.run(t, "drift", "-e", g.endpoint, "--repair").expect(t, 0, "")
	g.answers(t, "one")
	g.wantHold(t, 0)
}

// Scaling by hand what a pull request has live is no reason to take it back.
func TestGateScaled(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	g := newGated(t, s, "scaled")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	p := g.open(t, 5, "-five")
	p.run(t, "opened").all(t, "deploy").green(t)
	c := s.dial(t)
	d, err := c.Deployment(t.Context(), g.endpoint, g.status(t, s).Live)
	if err != nil {
		t.Fatal(err)
	}
	d.InstanceCount = 2
	if _, err := c.PutDeployment(t.Context(), d.Deployment); err != nil {
		t.Fatal(err)
	}
	s.run(t, "drift", "-e", g.endpoint, "--repair").expect(t, 0, "")
	g.answers(t, "one-five")
	g.wantHold(t, 5)
}

// A run of main that was killed before it could record what it has made live is recorded by the next repair.
func TestGateMainCutOff(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	g := newGated(t, s, "cutoff")
	w := g.dispatch(t, "main")
	w.gate(t).expect(t, 0, "")
	w.deliver(t)
	g.answers(t, "one")
	w.step(t, w.files("drift", "--repair")...).expect(t, 0, "")
	g.wantHold(t, 0)
	g.wantMain(t, g.git(t, "rev-parse", "main"))
	w.finish(t).prints(t, "verified")
}

// Two endpoints of one repository have each their own pull request, and each its own record.
func TestGateTwoEndpoints(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	g := newGated(t, s, "pair-a")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	g.write(t, "hotswap.yml", "request_file: request.json\n")
	for _, name := range []string{"endpoint.yml", "deployment.yml", "request.json", "src/score.py"} {
		text, err := os.ReadFile(g.path(name))
		if err != nil {
			t.Fatal(err)
		}
		g.write(t, "b/"+name, strings.ReplaceAll(string(text), "pair-a", "pair-b"))
		g.write(t, "a/"+name, string(text))
	}
	g.commit(t, "two")
	b := &gated{project: &project{g.dir, "pair-b"}, s: s, clock: g.clock}
	b.register(t, s, "one")
	files := func(w *workflow, folder string, args ...string) result {
		return w.step(t, append(args, "--endpoint-file", w.path(folder+"/endpoint.yml"), "--deployment-file", w.path(folder+"/deployment.yml"))...)
	}
	for _, folder := range []string{"a", "b"} {
		w := g.dispatch(t, "main")
		files(w, folder, "gate").expect(t, 0, "")
		files(w, folder, "deploy").expect(t, 0, "")
		w.step(t, "test", "--endpoint-file", w.path(folder+"/endpoint.yml")).expect(t, 0, "")
		w.step(t, "swap", "--endpoint-file", w.path(folder+"/endpoint.yml")).expect(t, 0, "")
		files(w, folder, "gate", "finish").expect(t, 0, "")
	}
	p := g.open(t, 5, "")
	g.git(t, "checkout", "-q", "-B", p.branch, "main")
	g.write(t, "b/src/score.py", doubling+"\n# b\n")
	g.commit(t, "b alone")
	w := p.run(t, "opened")
	files(w, "a", "gate").prints(t, "pass")
	w = p.run(t, "opened")
	files(w, "b", "gate").prints(t, "deploy")
	g.wantHold(t, 0)
	b.wantHold(t, 5)
}
