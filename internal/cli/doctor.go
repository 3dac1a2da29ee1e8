package cli

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"hotswap"
	"hotswap/internal/azure"
	"hotswap/internal/doctor"
	"hotswap/internal/forge"
	"hotswap/internal/online"
)

// doctorFlags say what to look at.
type doctorFlags struct {
	place                                          forgeFlags
	rule                                           forge.Rule
	workflow, endpointFile, deploymentFile, config string
}

func newDoctor(s *session) *cobra.Command {
	var f doctorFlags
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check what a first run needs, and print what mends each failure",
		Long: `Doctor looks at the credential, the roles and the store of the workspace, the files of the deployment,
the workflow and its actions, and the rule of the branch. It changes nothing, but that it writes a blob
below hotswap/ in the workspace's default datastore, and deletes it again.

A check is ok, failed, unknown or not needed. Unknown is what can't be seen from here, such as the rule
of a branch without a token of the forge. The exit code is 0 if no check failed, else 1: unknown is
shown, and is neither. Run it as a step of the workflow's job too: only there has a login by OIDC its
subject.`,
		Example: `  hotswap doctor -g my-group -w my-workspace
  HOTSWAP_FORGE_TOKEN=… hotswap doctor --endpoint-file endpoint.yml --deployment-file deployment.yml -o json`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return s.examine(c.Context(), f) },
	}
	f.place.add(c)
	c.Flags().StringVar(&f.rule.Branch, "branch", "main", "`NAME` of the branch that is production's")
	c.Flags().StringVar(&f.rule.Check, "check", checkName, "`NAME` of the job whose check is required")
	c.Flags().Int64Var(&f.rule.App, "app-id", 0, "`ID` of the GitHub app that makes the check (default: GitHub Actions)")
	c.Flags().StringVar(&f.workflow, "workflow", "", "`FILE` of the workflow (default: "+doctor.WorkflowName+" in the forge's folder of workflows)")
	c.Flags().StringVar(&f.endpointFile, "endpoint-file", "", "YAML `FILE` that describes the endpoint (default: the workflow's ENDPOINT_FILE)")
	c.Flags().StringVar(&f.deploymentFile, "deployment-file", "", "YAML `FILE` that describes the deployment (default: the workflow's DEPLOYMENT_FILE)")
	c.Flags().StringVar(&f.config, "config", "", "`FILE` with settings (default: hotswap.yml beside the endpoint's file, else here)")
	return c
}

func (s *session) examine(ctx context.Context, f doctorFlags) error {
	findings := doctor.Examine(ctx, s.patient(ctx, f))
	if err := s.print(findings, func() *table { return findingsTable(findings) }); err != nil {
		return err
	}
	count := map[doctor.Status]int{}
	for _, found := range findings {
		count[found.Status]++
		if s.output == "table" {
			for _, fix := range found.Fix {
				s.say("%s: %s", found.Check, fix)
			}
		}
	}
	if n := count[doctor.Failed]; n > 0 {
		return online.Errorf(online.Internal, "%d of %d checks failed, %d are unknown; what mends them is named above, or in fix of -o json",
			n, len(findings), count[doctor.Unknown])
	}
	if n := count[doctor.Unknown]; n > 0 {
		s.say("no check failed, but %d are unknown", n)
	}
	return nil
}

// patient is what there is to look at.
func (s *session) patient(ctx context.Context, f doctorFlags) doctor.Options {
	root, err := s.git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		root = s.Dir // in no repository, then
	}
	path := func(name string) string {
		if name == "" {
			return ""
		}
		return s.path(name)
	}
	return doctor.Options{
		Root: root, Workflow: path(f.workflow), EndpointFile: path(f.endpointFile), DeploymentFile: path(f.deploymentFile), ConfigFile: path(f.config),
		Rule: f.rule, InJob: s.inWorkflow(), Shipped: hotswap.GitHub, Sight: s.sight(f),
	}
}

// sight is how the doctor sees the cloud and the forge.
func (s *session) sight(f doctorFlags) doctor.Sight {
	var account *azure.Account // one for both, so that there is one login
	return doctor.Sight{
		SignIn: func() (doctor.Account, error) {
			var err error
			account, err = azure.SignIn(s.cloud())
			return account, err
		},
		Open: func(named azure.Workspace) (doctor.Workspace, error) {
			o := s.cloud()
			o.Workspace.ResourceGroup = cmp.Or(o.Workspace.ResourceGroup, named.ResourceGroup)
			o.Workspace.Name = cmp.Or(o.Workspace.Name, named.Name)
			return account.Open(o)
		},
		Repository: func(ctx context.Context) (doctor.Forge, error) { return s.repository(ctx, f.place) },
	}
}

func findingsTable(all []doctor.Finding) *table {
	t := &table{head: []string{"CHECK", "STATUS", "DETAIL"}}
	for _, f := range all {
		t.add(f.Check, string(f.Status), strings.Join(strings.Fields(f.Detail), " "))
	}
	return t
}
