package cli

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"hotswap/internal/rollout"
)

func newDeploy(s *session) *cobra.Command {
	var (
		flags deployFlags
		hook  webhookFlags
	)
	c := &cobra.Command{
		Use:   "deploy",
		Short: "Deploy a model to the slot that carries no traffic",
		Long: `Deploy creates the endpoint if it is absent, takes the endpoint's lock, chooses the free slot
and creates the candidate there at 0 % of the traffic. Then run hotswap test and hotswap swap; the
lock is kept for them.`,
		Example: `  hotswap deploy --endpoint-file endpoint.yml --deployment-file deployment.yml
  hotswap deploy --endpoint-file endpoint.yml --deployment-file deployment.yml --model-version 7 --logs logs`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			req, err := flags.request(s)
			if err != nil {
				return err
			}
			r, err := flags.runner(c.Context(), s, &req)
			if err != nil {
				return err
			}
			done, err := hook.attach(c.Context(), s, r)
			if err != nil {
				return err
			}
			defer done()
			state, err := r.Deploy(c.Context(), req)
			return s.begun(state, err)
		},
	}
	flags.add(c)
	hook.add(c)
	s.settled(c)
	return c
}

// saveLog returns what keeps a deployment's log in dir, or nil where dir is "".
func (s *session) saveLog(dir string) func(deployment, log string) error {
	if dir == "" {
		return nil
	}
	return func(deployment, log string) error {
		dir := s.path(dir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		file := filepath.Join(dir, deployment+".log")
		s.say("log of %s: %s", deployment, file)
		return os.WriteFile(file, []byte(log), 0o644)
	}
}

// told prints where the rollout is, also when the command failed on the way: a rollout that has
// begun has an id that the next command needs.
func (s *session) told(state rollout.State, err error) error {
	if state.Phase == "" { // what was locked and let go
		return err
	}
	if e := s.tellSteps(state); err == nil {
		err = e
	}
	if e := s.print(viewRollout(state), func() *table { return rolloutTable(state) }); err == nil {
		err = e
	}
	return err
}

// rolloutView is a rollout as -o json shows it.
type rolloutView struct {
	Rollout     string        `json:"rollout"`
	Endpoint    string        `json:"endpoint"`
	Deployment  string        `json:"deployment"`
	Model       string        `json:"model"`
	Commit      string        `json:"commit,omitempty"`
	Fingerprint string        `json:"fingerprint,omitempty"`
	Phase       rollout.Phase `json:"phase"`
	Tested      bool          `json:"tested"`
	Forced      bool          `json:"forced"`
	Before      string        `json:"before"`
	After       string        `json:"after"`
	Reason      string        `json:"reason,omitempty"`
}

func viewRollout(s rollout.State) rolloutView {
	return rolloutView{
		Rollout: s.ID, Endpoint: s.Plan.Endpoint, Deployment: s.Plan.Slot, Model: s.Plan.Model.String(), Commit: s.Plan.Commit,
		Fingerprint: s.Candidate.Fingerprint, Phase: s.Phase, Tested: s.Verdict != nil && s.Verdict.Passed, Forced: s.Forced,
		Before: s.Plan.Before.Traffic.String(), After: s.Plan.After.String(), Reason: s.Reason,
	}
}

func rolloutTable(s rollout.State) *table {
	v := viewRollout(s)
	t := &table{head: []string{"ROLLOUT", "ENDPOINT", "DEPLOYMENT", "MODEL", "PHASE"}}
	t.add(v.Rollout, v.Endpoint, dash(v.Deployment), dash(v.Model), string(v.Phase))
	return t
}
