package main

import (
	"testing"
)

// A pull request goes live, holds the endpoint, merges, and is what main stands for.
func TestGateMerge(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	g := newGated(t, s, "merging")
	first := g.dispatch(t, "main").all(t, "deploy")
	first.green(t)
	g.answers(t, "one")
	g.wantMain(t, g.git(t, "rev-parse", "main"))

	p := g.open(t, 12, "-twelve")
	p.run(t, "opened").all(t, "deploy").green(t)
	g.answers(t, "one-twelve")
	g.wantHold(t, 12)
	p.run(t, "synchronize").all(t, "pass").green(t)
	merge := p.merge(t)
	p.run(t, "closed").all(t, "pass").green(t)
	g.answers(t, "one-twelve")
	g.wantMain(t, merge)
	g.wantHold(t, 0)
}

// Closing a pull request unmerged restores exactly what main stands for.
func TestGateClose(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for name, pushes := range map[string][]string{"quick": {"-a"}, "redeployed": {"-a", "-b"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGated(t, s, "closing-"+name)
			g.dispatch(t, "main").all(t, "deploy").green(t)
			before := g.drift(t, 0)
			p := g.open(t, 3, pushes[0])
			p.run(t, "opened").all(t, "deploy").green(t)
			for _, mark := range pushes[1:] {
				p.push(t, mark)
				p.run(t, "synchronize").all(t, "deploy").green(t)
			}
			g.answers(t, "one"+pushes[len(pushes)-1])
			p.run(t, "closed").all(t, "restore").green(t)
			g.answers(t, "one")
			after := g.drift(t, 0)
			if after.Hold != nil || after.Main.Commit != before.Main.Commit || (name == "quick") != (after.Live.Fingerprint == before.Live.Fingerprint) {
				t.Errorf("before %+v %+v, after %+v %+v", before.Main, before.Live, after.Main, after.Live)
			}
			p.run(t, "closed").all(t, "pass").green(t)
		})
	}
}

// While one pull request's content is live and unmerged, another one's check fails and names it, until
// it is released.
func TestGateHeld(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	g := newGated(t, s, "held")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	first, second := g.open(t, 21, "-x"), g.open(t, 22, "-y")
	first.run(t, "opened").all(t, "deploy").green(t)
	second.run(t, "opened").all(t, "fail").red(t, 4, "held by pull request #21 (https://forge.example/owner/name/pull/21)")
	g.dispatch(t, "main").all(t, "fail").red(t, 4, "#21")
	g.answers(t, "one-x")
	g.wantHold(t, 21)
	s.run(t, "status", "-e", g.endpoint).expect(t, 0, "held by pull request #21")

	s.run(t, "gate", "release", "-e", g.endpoint, "-m", "its author is away").prints(t, "pull request #21")
	s.run(t, "gate", "release", "-e", g.endpoint).expect(t, 0, "held by nobody")
	g.drift(t, 6)
	second.run(t, "opened").all(t, "deploy").green(t)
	g.answers(t, "one-y")
	first.run(t, "closed").all(t, "pass").green(t)
	g.answers(t, "one-y")
	second.run(t, "closed").all(t, "restore").green(t)
	g.answers(t, "one")
	g.wantHold(t, 0)
}

// Traffic that somebody moves by hand, and a deployment that is changed by hand, are drift, which a
// repair undoes; a rollback is not undone.
func TestGateDrift(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	g := newGated(t, s, "drifting")
	s.run(t, "drift", "-e", g.endpoint).prints(t, "nothing is live, and nothing was verified on main yet")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	g.git(t, "checkout", "-q", "main")
	g.write(t, "src/score.py", doubling+"\n# mended\n")
	main := g.commit(t, "mended")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	live := g.status(t, s).Live
	idle := map[string]string{"blue": "green", "green": "blue"}[live]

	s.moveTraffic(t, g.endpoint, map[string]int{idle: 100})
	if st := g.drift(t, 6); st.State != "drift" || len(st.Changes) != 1 || st.Changes[0].What != "code" {
		t.Errorf("moved by hand: %+v, want the code to differ", st)
	}
	s.run(t, "drift", "-e", g.endpoint).expect(t, 6, "hotswap drift --repair")
	s.run(t, "drift", "-e", g.endpoint, "--repair").prints(t, "is live again")
	g.wantMain(t, main)

	s.moveTraffic(t, g.endpoint, map[string]int{idle: 30, live: 70})
	g.drift(t, 6)
	s.run(t, "drift", "-e", g.endpoint, "--repair").expect(t, 0, "")
	g.wantMain(t, main)

	s.updateByHand(t, g.endpoint, live)
	if st := g.drift(t, 6); len(st.Changes) != 1 || st.Changes[0].What != "environment variables" {
		t.Errorf("changed by hand: %+v, want the variables to differ", st.Changes)
	}
	r := s.run(t, "drift", "--endpoint-file", g.path("endpoint.yml"), "--repair")
	r.expect(t, 0, "") // with the request of hotswap.yml, which is answered
	g.wantMain(t, main)

	s.run(t, "rollback", "-e", g.endpoint).expect(t, 0, "")
	g.drift(t, 6)
	s.run(t, "drift", "-e", g.endpoint, "--repair").expect(t, 5, "revert the change on main")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	g.wantMain(t, main)
}

// A merge whose run never came leaves main ahead of what is live: a checkout of main shows it, and
// another branch, or a change of nothing that is gated, does not.
func TestGateDriftOfMainAhead(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	g := newGated(t, s, "ahead")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	g.git(t, "checkout", "-q", "main")
	drift := func(args ...string) result {
		c := s.client(nil, append([]string{"drift", "--endpoint-file", "endpoint.yml", "--deployment-file", "deployment.yml"}, args...)...)
		c.Dir = g.dir
		return finish(t, c)
	}
	g.write(t, "README.md", "of the endpoint, in more words\n")
	g.commit(t, "words")
	drift().expect(t, 0, "")

	g.git(t, "checkout", "-q", "-b", "elsewhere")
	g.write(t, "src/score.py", doubling+"\n# mended\n")
	g.commit(t, "mended")
	drift().expect(t, 0, "")

	g.git(t, "checkout", "-q", "main")
	g.git(t, "merge", "-q", "--ff-only", "elsewhere")
	drift().expect(t, 6, "run the workflow on main")
	drift("--repair").expect(t, 5, "run the workflow on main")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	g.git(t, "checkout", "-q", "main")
	drift().expect(t, 0, "")
}
