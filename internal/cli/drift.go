package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hotswap/internal/gate"
	"hotswap/internal/online"
	"hotswap/internal/rollout"
	"hotswap/internal/spec"
)

// driftFlags name the endpoint and the checkout, with what a restored deployment must pass.
type driftFlags struct {
	endpoint       endpointFlags
	deploymentFile string
	modelVersion   string
	test           testFlags
	wait           waitFlag
	forge          forgeFlags
	repair         bool
}

func newDrift(s *session) *cobra.Command {
	var flags driftFlags
	c := &cobra.Command{
		Use:   "drift",
		Short: "Compare what is live with what main stands for",
		Long: `Drift compares what has the traffic with the model, code and environment that were last verified on
main, and ends with 6 where they differ. While a pull request that is open holds the endpoint that is
told, and is no drift. With --repair it restores main's: at once where the other slot still holds it, else
by deploying it again, after the tests of hotswap.yml where there are some.`,
		Example: `  hotswap drift -e taxi-fare
  hotswap drift --repair --endpoint-file endpoint.yml --deployment-file deployment.yml`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return flags.run(c.Context(), s) },
	}
	flags.endpoint.add(c)
	c.Flags().StringVar(&flags.deploymentFile, "deployment-file", "", "YAML `FILE` that describes the deployment that main has, to verify a merge that no run has recorded")
	c.Flags().StringVar(&flags.modelVersion, "model-version", rollout.Latest, "a registered `VERSION`, latest, or file for what the deployment file says")
	c.Flags().BoolVar(&flags.repair, "repair", false, "restore what main stands for")
	flags.forge.add(c)
	flags.test.add(c)
	flags.wait.add(c)
	s.settled(c)
	return c
}

func (f *driftFlags) run(ctx context.Context, s *session) error {
	name, err := f.endpoint.endpoint(s)
	if err != nil {
		return err
	}
	var req *rollout.Request
	if f.endpoint.file != "" && f.deploymentFile != "" {
		deploy := deployFlags{endpointFile: f.endpoint.file, deploymentFile: f.deploymentFile, modelVersion: f.modelVersion}
		r, err := deploy.request(s)
		if err != nil {
			return err
		}
		req = &r
	}
	git, err := gate.OpenRepository(ctx, s.Dir)
	if err != nil {
		git = nil // what it would tell is where a merge is recorded only
	}
	g := s.gate(name, git, func(ctx context.Context) (*gated, error) { return f.open(ctx, s, name, req) })
	if git != nil && req != nil {
		g.Gated = f.checkout(ctx, s, git)
	}
	s.askForge(ctx, g, f.forge)
	var d gate.Drift
	if f.repair {
		d, err = g.Repair(ctx, gate.Event{}, s.by(), s.runURL())
	} else {
		d, err = g.Drift(ctx, gate.Event{})
	}
	return s.toldDrift(d, err, f.repair)
}

// checkout is what of the checkout is gated, by its own settings; nil where the files are of none.
func (f *driftFlags) checkout(ctx context.Context, s *session, git *gate.Repository) *gate.Checkout {
	head, err := git.Head(ctx)
	if err != nil {
		return nil
	}
	files := gateFlags{endpointFile: f.endpoint.file, deploymentFile: f.deploymentFile}
	paths, err := files.paths(ctx, s, git, gate.Event{Head: head})
	if err != nil {
		return nil
	}
	return &gate.Checkout{Branch: s.branch(ctx), Paths: paths}
}

// branch is the branch that is checked out; "" where it is none, or not known.
func (s *session) branch(ctx context.Context) string {
	if s.inWorkflow() { // which checks out a commit
		name, is := strings.CutPrefix(s.Getenv("GITHUB_REF"), "refs/heads/")
		if !is {
			return ""
		}
		return name
	}
	name, err := s.git(ctx, "symbolic-ref", "--quiet", "--short", "HEAD")
	if err != nil {
		return ""
	}
	return name
}

// open connects. A restored deployment is tested where there is something to test it with.
func (f *driftFlags) open(ctx context.Context, s *session, endpoint string, req *rollout.Request) (*gated, error) {
	r, err := s.runner(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	f.test.tell(s, r)
	tests := func() (rollout.Tests, error) {
		if !f.test.given() {
			return rollout.Tests{}, nil
		}
		return f.test.tests(s)
	}
	made := &gated{Runner: r, req: req, tests: tests}
	if f.endpoint.file != "" {
		e, err := spec.ReadEndpoint(s.path(f.endpoint.file))
		if err != nil {
			return nil, err
		}
		made.endpoint = &e
	}
	return made, f.wait.set(r)
}

// driftView is a drift as -o json shows it.
type driftView struct {
	gate.Drift
	Live *liveView `json:"live"` // null where nothing is
	Main *mainView `json:"main"` // null where nothing was verified on it yet
	Hold *holdView `json:"hold"` // null while nobody holds the endpoint
}

// liveView is what has the traffic.
type liveView struct {
	Traffic     string `json:"traffic"`
	Deployment  string `json:"deployment,omitempty"` // "" where several have it
	Model       string `json:"model,omitempty"`
	Commit      string `json:"commit,omitempty"`
	Rollout     string `json:"rollout,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
}

func viewDrift(d gate.Drift) driftView {
	v := driftView{Drift: d, Main: viewMain(d.Main), Hold: viewHold(d.Hold)}
	if d.Live.Traffic == "" {
		return v
	}
	v.Live = &liveView{Traffic: d.Live.Traffic, Fingerprint: d.Live.Fingerprint}
	if l := d.Live.Deployment; l != nil {
		v.Live.Deployment, v.Live.Model, v.Live.Commit = l.Name, l.Model.String(), l.Tags[rollout.TagCommit]
	}
	if r := d.Live.Rollout; r != nil {
		v.Live.Rollout = r.ID
	}
	return v
}

// toldDrift prints it. What was repaired is a drift no more.
func (s *session) toldDrift(d gate.Drift, err error, repaired bool) error {
	if d.State == "" {
		return err
	}
	v := viewDrift(d)
	if s.output == "json" {
		if e := s.print(v, nil); err == nil {
			err = e
		}
	} else if _, e := s.Stdout.Write([]byte(driftText(v))); err == nil && e != nil {
		err = e
	}
	switch {
	case err != nil:
		if s.inWorkflow() {
			s.annotate(errorLevel, "", 0, 0, err.Error())
		}
		return err
	case d.State == gate.Drifted && !repaired:
		s.annotate(errorLevel, "", 0, 0, d.Reason)
		if d.Refusal != nil {
			return driftError{d.Refusal}
		}
		return driftError{online.Errorf(online.Conflict, "%s: hotswap drift --repair restores what main stands for", d.Reason)}
	}
	return nil
}

// driftError ends the program with the exit code of a drift.
type driftError struct{ error }

func (e driftError) Unwrap() error { return e.error }

func driftText(v driftView) string {
	t := new(sections)
	t.head(fmt.Sprintf("drift of %s: %s", v.Endpoint, v.State))
	t.add("%s", v.Reason)
	t.section("main stands for")
	if m := v.Main; m == nil {
		t.add("nothing yet: nothing was verified on it")
	} else {
		t.add("%s, commit %s, rollout %s, fingerprint %s", dash(m.Model), dash(m.Commit), dash(m.Rollout), m.Fingerprint)
		if m.Adopted {
			t.add("it was live before the gate's first pull request")
		}
	}
	t.section("live")
	switch l := v.Live; {
	case l == nil:
		t.add("nothing")
	case l.Deployment == "":
		t.add("traffic %s", l.Traffic)
	default:
		t.add("%s in %s, commit %s, rollout %s, fingerprint %s", dash(l.Model), l.Deployment, dash(l.Commit), dash(l.Rollout), l.Fingerprint)
	}
	if v.Hold != nil {
		t.section("held by")
		t.add("%s since %s", v.Hold.text, stamp(v.Hold.Since))
	}
	if len(v.Changes) > 0 {
		t.section("what of main's differs from live")
	}
	for _, c := range v.Changes {
		t.change(c)
	}
	for _, note := range append(v.Notes, v.Repaired) {
		if note != "" {
			fmt.Fprintln(t)
			t.add("%s", note)
		}
	}
	return t.String()
}

func (t *sections) change(c gate.Change) {
	switch {
	case c.Live == "" && c.Wanted == "":
		t.add("%s", c.What)
	default:
		t.add("%s: main has %s, live is %s", c.What, orNothing(c.Wanted), orNothing(c.Live))
	}
	for _, line := range c.Lines {
		t.detail(line)
	}
}

func orNothing(s string) string {
	if strings.TrimSpace(s) == "" {
		return "none"
	}
	return s
}
