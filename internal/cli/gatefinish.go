package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"hotswap/internal/gate"
	"hotswap/internal/online"
	"hotswap/internal/rollout"
)

func newGateFinish(s *session) *cobra.Command {
	var flags gateFlags
	c := &cobra.Command{
		Use:   "finish",
		Short: "Settle who holds the endpoint by what is live, and tell people",
		Long: `Finish is the last step of the workflow, whatever became of those before. It looks at what is live, and
settles by that who holds the endpoint and what main stands for; then it writes the job's summary, a
comment on the pull request, which it edits in place, and a commit status. A comment or a status that
can't be written is a warning. It may be run again. It fails where what was decided has not come about.`,
		Example: `  hotswap gate finish --endpoint-file endpoint.yml --deployment-file deployment.yml`,
		Args:    noArguments,
		RunE:    func(c *cobra.Command, _ []string) error { return flags.finish(c.Context(), s) },
	}
	flags.add(c)
	s.settled(c)
	return c
}

// finishView is how a run has ended, as -o json shows it.
type finishView struct {
	Decision string    `json:"decision,omitempty"`
	State    string    `json:"state"`
	Text     string    `json:"text"`
	Hold     *holdView `json:"hold"` // null while nobody holds the endpoint
	Main     *mainView `json:"main"` // null where nothing was verified on it yet
}

func (f *gateFlags) finish(ctx context.Context, s *session) error {
	e, err := f.readEvent(s)
	if err != nil {
		return err
	}
	g, err := f.gate(ctx, s)
	if err != nil {
		return err
	}
	ended := gate.Ended{
		Facts:    gate.Facts{Event: e, By: s.by(), Run: s.runURL()},
		Decision: s.Getenv(decisionVariable), Reason: s.Getenv(reasonVariable), Rollout: s.Getenv(rolloutVariable),
	}
	page := gatePage{name: g.Name, ended: ended}
	if e.Fork || e.Dependabot { // it has no credential
		page.outcome = forked(ended)
	} else if page.outcome, page.world, err = g.Finish(ctx, ended); err != nil {
		page.outcome = gate.Outcome{State: gate.Failed, Text: err.Error(), Wrong: true}
	} else {
		page.rollout = s.rolloutOf(ctx, g.Name, ended, page.world)
	}
	s.tellPeople(ctx, g.Forge, page)
	v := finishView{
		Decision: ended.Decision, State: page.outcome.State, Text: page.outcome.Text,
		Hold: viewHold(page.world.Record.Hold), Main: viewMain(page.world.Record.Main),
	}
	if e := s.print(v, func() *table { return finishTable(v) }); err == nil && e != nil {
		err = e
	}
	if err != nil {
		return err
	}
	return page.outcome.Err()
}

func forked(f gate.Ended) gate.Outcome {
	if f.Decision == gate.Fail {
		return gate.Outcome{State: gate.Failed, Text: f.Reason}
	}
	return gate.Outcome{State: gate.Passed, Text: f.Reason}
}

func finishTable(v finishView) *table {
	t := &table{}
	t.add("state", v.State)
	t.add("outcome", visible(oneLine(v.Text)))
	if v.Hold != nil {
		t.add("held by", visible(v.Hold.text))
	}
	if v.Main != nil {
		t.add("main stands for", fmt.Sprintf("%s, commit %s", dash(v.Main.Model), dash(short(v.Main.Commit))))
	}
	return t
}

// rolloutOf is the rollout that the page is about: this run's, else what is live. That it can't be
// read is told, and leaves the page without it.
func (s *session) rolloutOf(ctx context.Context, endpoint string, f gate.Ended, w gate.World) *rollout.State {
	id := f.Rollout
	if id == "" && w.Live.Rollout != nil && (f.Decision == gate.Deploy || w.Record.Hold != nil || f.Event.Kind == gate.Merged) {
		id = w.Live.Rollout.ID
	}
	if id == "" {
		return nil
	}
	r, err := s.runner(ctx, endpoint)
	if err == nil {
		var record rollout.Record
		if record, err = r.Show(ctx, id); err == nil {
			return &record.State
		}
	}
	if online.CodeOf(err) != online.NotFound {
		s.warn("the page of the rollout could not be read: %v", err)
	}
	return nil
}

// warn tells of what has failed and stops nothing.
func (s *session) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if s.inWorkflow() {
		s.annotate(warningLevel, "", 0, 0, text)
		return
	}
	s.say("warning: %s", text)
}

// tellPeople writes the summary, the comment and the status. None of them fails a pipeline.
func (s *session) tellPeople(ctx context.Context, forge gate.Forge, page gatePage) {
	text := page.markdown()
	if err := s.summarise(text); err != nil {
		s.warn("the job's summary could not be written: %v", err)
	}
	e := page.ended.Event
	if forge == nil {
		return
	}
	if page.worthTelling() {
		if err := forge.Comment(ctx, e.PullRequest, "hotswap "+page.name, text); err != nil {
			s.warn("the comment on %s could not be written: %v", e, err)
		}
	}
	if s.onGitea() { // where the job itself is a status, and a token that may set another one may push
		return
	}
	commit := e.Head
	if e.Kind == gate.Merged {
		commit = e.Merge
	}
	if err := forge.SetStatus(ctx, commit, page.status()); err != nil {
		s.warn("the status of commit %s could not be set: %v", short(commit), err)
	}
}
