package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"hotswap/internal/checks"
	"hotswap/internal/online"
	"hotswap/internal/rollout"
	"hotswap/schemas"
)

func newChecks(s *session) *cobra.Command {
	c := group(&cobra.Command{
		Use: "checks", Short: "Run test suites against deployments",
	})
	run := newChecksRun(s)
	s.workspaceFlags(run)
	c.AddCommand(run, newChecksSchema(s))
	return c
}

func newChecksRun(s *session) *cobra.Command {
	var (
		endpoint          endpointFlags
		report            reportFlags
		tests, deployment string
	)
	c := &cobra.Command{
		Use: "run", Short: "Run a test suite against a deployment",
		Long: `Run sends every case of a suite to one deployment, by header, and judges the answers. It takes no
lock, changes nothing and belongs to no rollout.

The suite fails, with exit code 5, if one of its cases does, or if the deployment is not the same
before and after.`,
		Example: `  hotswap checks run --tests tests.yml -e taxi-fare
  hotswap checks run --tests tests.yml -e taxi-fare --deployment green --report junit.xml --report "$GITHUB_STEP_SUMMARY"`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := report.check(s, false); err != nil {
				return err
			}
			suite, err := checks.Read(s.path(tests))
			if err != nil {
				return err
			}
			suite.Name = tests
			name, err := endpoint.endpoint(s)
			if err != nil {
				return err
			}
			client, err := s.client(c.Context())
			if err != nil {
				return err
			}
			r := rollout.Runner{Cloud: client, Endpoint: strings.ToLower(name), Say: s.say}
			found, err := r.Examine(c.Context(), suite, strings.ToLower(deployment))
			if err != nil {
				return err
			}
			return s.reported(found, report)
		},
	}
	endpoint.add(c)
	c.Flags().StringVar(&tests, "tests", "", "YAML `FILE` with the test suite")
	c.Flags().StringVar(&deployment, "deployment", "", "`NAME` of the deployment to test (default: the live one)")
	report.add(c, reportKinds)
	_ = c.MarkFlagRequired("tests")
	return c
}

// reported prints and writes a report, and makes an error of one that did not pass.
func (s *session) reported(r checks.Report, files reportFlags) error {
	write := r.WriteText
	if s.output == "json" {
		write = r.WriteJSON
	}
	if err := write(s.Stdout); err != nil {
		return err
	}
	if err := files.write(s, r); err != nil {
		return err
	}
	if !r.Passed() {
		return online.Errorf(online.Refused, "%s does not pass %s: %d of %d cases failed", r.Deployment, r.Suite, r.Failed(), len(r.Cases))
	}
	return nil
}

func newChecksSchema(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of test suites",
		Long: `Schema prints the JSON Schema of tests.yml, for editors. A suite that begins with
  # yaml-language-server: $schema=tests.schema.json
is completed and checked by them as it is typed.`,
		Example: "  hotswap checks schema > tests.schema.json",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := s.Stdout.Write(schemas.Tests)
			return err
		},
	}
}
