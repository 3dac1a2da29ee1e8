package cli

import (
	"context"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"hotswap/internal/azure"
	"hotswap/internal/gate"
	"hotswap/internal/online"
	"hotswap/internal/rollout"
)

// What the gate tells the steps after it, for hotswap gate finish.
const (
	decisionVariable = "HOTSWAP_GATE_DECISION"
	reasonVariable   = "HOTSWAP_GATE_REASON"
)

// dependabot is the actor of runs that GitHub gives no secrets, and a token that can only read
// (docs.github.com/code-security/dependabot/troubleshooting-dependabot/troubleshooting-dependabot-on-github-actions).
const dependabot = "dependabot[bot]"

// gateFlags say what a pull request would deploy, and of which event it is asked.
type gateFlags struct {
	endpointFile, deploymentFile, modelVersion string
	event, eventName                           string
	forge                                      forgeFlags
}

func (f *gateFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.endpointFile, "endpoint-file", "", "YAML `FILE` that describes the endpoint")
	c.Flags().StringVar(&f.deploymentFile, "deployment-file", "", "YAML `FILE` that describes the deployment")
	c.Flags().StringVar(&f.modelVersion, "model-version", rollout.Latest, "a registered `VERSION`, latest, or file for what the deployment file says")
	c.Flags().StringVar(&f.event, "event", "", "`FILE` with an event's JSON: say what would be decided, and change nothing (default in a workflow: $GITHUB_EVENT_PATH)")
	c.Flags().StringVar(&f.eventName, "event-name", "", "`NAME` of the event (default: $GITHUB_EVENT_NAME, else pull_request)")
	f.forge.add(c)
	_ = c.MarkFlagRequired("endpoint-file")
	_ = c.MarkFlagRequired("deployment-file")
}

func newGate(s *session) *cobra.Command {
	var flags gateFlags
	c := &cobra.Command{
		Use:   "gate",
		Short: "Decide what a pull request's run may do to the endpoint",
		Long: `Gate is the first step of the workflow. It reads the event, the files that it changes and the record
of who holds the endpoint, and decides: deploy, restore what main stands for, or pass, as nothing is to
be done; or it fails, with the reason. A pull request that is to be deployed holds the endpoint from
then on, so that production equals main again when it merges or closes. The paths that count are those
of the base commit's hotswap.yml. In a workflow the decision and its reason are the step's outputs.`,
		Example: `  hotswap gate --endpoint-file endpoint.yml --deployment-file deployment.yml
  hotswap gate --endpoint-file endpoint.yml --deployment-file deployment.yml --event event.json --event-name pull_request
  hotswap gate release -e taxi-fare -m "its author is away"`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return flags.decide(c.Context(), s) },
	}
	flags.add(c)
	s.settled(c)
	c.AddCommand(newGateFinish(s), newGateRelease(s))
	return c
}

// gateView is a decision as -o json shows it.
type gateView struct {
	Decision    string   `json:"decision"`
	Reason      string   `json:"reason"`
	Event       string   `json:"event"`
	PullRequest int      `json:"pullRequest,omitempty"`
	Paths       []string `json:"paths"`   // that are gated
	Changed     []string `json:"changed"` // of them
}

func (f *gateFlags) decide(ctx context.Context, s *session) error {
	asked := f.event != ""
	v, code, err := f.decided(ctx, s, asked)
	if err != nil {
		v.Decision, v.Reason = gate.Fail, err.Error()
	}
	if !asked {
		if e := s.tellGate(v, err == nil); e != nil && err == nil {
			err = e
		}
	}
	if err != nil {
		return err
	}
	if err := s.print(v, func() *table { return gateTable(v) }); err != nil {
		return err
	}
	if v.Decision == gate.Fail {
		return online.Errorf(code, "%s", v.Reason)
	}
	return nil
}

// tellGate gives the decision to the steps that follow, and the reason of a failure to people.
func (s *session) tellGate(v gateView, decided bool) error {
	for _, told := range []struct {
		how         func(name, value string) error
		name, value string
	}{
		{s.setOutput, "decision", v.Decision},
		{s.setOutput, "reason", v.Reason},
		{s.setVariable, decisionVariable, v.Decision},
		{s.setVariable, reasonVariable, v.Reason},
	} {
		if err := told.how(told.name, told.value); err != nil {
			return err
		}
	}
	if v.Decision == gate.Fail && decided {
		s.annotate(errorLevel, "", 0, 0, v.Reason)
	}
	return nil
}

func gateTable(v gateView) *table {
	t := &table{}
	t.add("decision", v.Decision)
	t.add("reason", visible(oneLine(v.Reason)))
	t.add("event", v.Event)
	t.add("gated paths", visible(strings.Join(v.Paths, ", ")))
	for i, name := range v.Changed {
		head := ""
		if i == 0 {
			head = "changed"
		}
		t.add(head, visible(name))
	}
	return t
}

// decided gathers the facts and decides. What is only asked changes nothing.
func (f *gateFlags) decided(ctx context.Context, s *session, asked bool) (v gateView, code online.Code, err error) {
	v.Paths, v.Changed = []string{}, []string{}
	e, err := f.readEvent(s)
	if err != nil {
		return v, code, err
	}
	v.Event, v.PullRequest = string(e.Kind), e.PullRequest
	g, err := f.gate(ctx, s)
	if err != nil {
		return v, code, err
	}
	facts, paths, err := f.facts(ctx, s, g.Git, e)
	if err != nil {
		return v, code, err
	}
	v.Paths = append(v.Paths, paths.Patterns()...)
	v.Changed = append(v.Changed, facts.Changed...)
	d, err := g.Decide(ctx, facts, asked)
	v.Decision, v.Reason = d.Decision, d.Reason
	return v, d.Code, err
}

// readEvent reads the event that is asked of, or that began this run.
func (f *gateFlags) readEvent(s *session) (gate.Event, error) {
	name, file := f.eventName, s.path(f.event)
	switch {
	case f.event == "" && s.Getenv("GITHUB_EVENT_PATH") == "":
		return gate.Event{}, usagef("this is no step of a workflow: give --event with the event's JSON, to see what would be decided")
	case f.event == "":
		file = s.Getenv("GITHUB_EVENT_PATH")
	}
	if name == "" {
		name = s.Getenv("GITHUB_EVENT_NAME")
	}
	if name == "" {
		name = "pull_request"
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return gate.Event{}, online.Errorf(online.Invalid, "read the event: %w", err)
	}
	e, err := gate.ReadEvent(gate.Run{Name: name, SHA: s.Getenv("GITHUB_SHA"), Ref: s.Getenv("GITHUB_REF")}, text)
	// Who has given Dependabot secrets of its own has its pull requests deployed like others.
	e.Dependabot = s.Getenv("GITHUB_ACTOR") == dependabot && !azure.HasCredential(s.cloud())
	return e, err
}

// gate is that of the files' endpoint. It asks the workspace nothing yet.
func (f *gateFlags) gate(ctx context.Context, s *session) (*gate.Gate, error) {
	deploy := deployFlags{endpointFile: f.endpointFile, deploymentFile: f.deploymentFile, modelVersion: f.modelVersion}
	req, err := deploy.request(s)
	if err != nil {
		return nil, err
	}
	git, err := gate.OpenRepository(ctx, s.Dir)
	if err != nil {
		return nil, err
	}
	g := s.gate(req.Endpoint.Name, git, func(ctx context.Context) (*gated, error) {
		r, err := s.runner(ctx, req.Endpoint.Name)
		return &gated{Runner: r, req: &req}, err
	})
	s.askForge(ctx, g, f.forge)
	return g, nil
}

// gate is that of an endpoint; open connects to its workspace.
func (s *session) gate(endpoint string, git *gate.Repository, open func(context.Context) (*gated, error)) *gate.Gate {
	g := &gate.Gate{Name: strings.ToLower(endpoint), Git: git, Say: s.say}
	g.Connect = func(ctx context.Context) (*gate.Workspace, error) {
		e, err := open(ctx)
		if err != nil {
			return nil, err
		}
		return &gate.Workspace{Journal: e.Journal, Endpoint: e}, nil
	}
	return g
}
