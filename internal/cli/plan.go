package cli

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"hotswap/internal/online"
	"hotswap/internal/rollout"
)

// planFlags ask for the plan of a rollout, or bind a rollout to one.
type planFlags struct {
	only bool
	file string
}

func (f *planFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.only, "plan", false, "print what would happen, and change nothing")
	c.Flags().StringVar(&f.file, "plan-file", "", "`FILE` with the plan that --plan -o json made: nothing is done if another would be made now")
	c.MarkFlagsMutuallyExclusive("plan", "plan-file")
}

// read gives the request the plan that it is bound to.
func (f *planFlags) read(s *session, req *rollout.Request) error {
	if f.file == "" {
		return nil
	}
	text, err := s.read("plan-file", f.file)
	if err != nil {
		return err
	}
	var p rollout.Preview
	if err := json.Unmarshal(text, &p); err != nil {
		return online.Errorf(online.Invalid, "--plan-file: %s is no plan: %w", f.file, err)
	}
	req.Expect = &p
	return nil
}

// plan prints what a rollout would do.
func (f *settingFlags) plan(ctx context.Context, s *session, req rollout.Request, tests rollout.Tests) error {
	r, err := f.deploy.runner(ctx, s, &req)
	if err != nil {
		return err
	}
	p, err := r.Preview(ctx, req, tests)
	if err != nil {
		return err
	}
	if s.output == "json" {
		return s.print(p, nil)
	}
	_, err = s.Stdout.Write([]byte(planText(p)))
	return err
}
