package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

func newDeployment(s *session) *cobra.Command {
	c := group(&cobra.Command{Use: "deployment", Short: "List, show and delete deployments, and read their logs"})
	c.AddCommand(newDeploymentList(s), newDeploymentShow(s), newDeploymentLogs(s), newDeploymentDelete(s))
	return c
}

// deploymentView is a deployment as -o json shows it.
type deploymentView struct {
	Name          string                   `json:"name"`
	Endpoint      string                   `json:"endpointName"`
	State         online.ProvisioningState `json:"provisioningState"`
	Model         string                   `json:"model"`
	InstanceType  string                   `json:"instanceType"`
	InstanceCount int                      `json:"instanceCount"`
	Tags          map[string]string        `json:"tags"`
	Properties    map[string]string        `json:"properties"`
	Fingerprint   string                   `json:"fingerprint"`
}

func viewDeployment(d azure.Deployment) deploymentView {
	return deploymentView{
		Name: d.Name, Endpoint: d.Endpoint, State: d.State, Model: d.Model.String(), InstanceType: d.InstanceType,
		InstanceCount: d.InstanceCount, Tags: orEmpty(d.Tags), Properties: orEmpty(d.Properties), Fingerprint: d.Fingerprint,
	}
}

func deploymentTable(ds ...azure.Deployment) *table {
	t := &table{head: []string{"NAME", "STATE", "MODEL", "INSTANCES"}}
	for _, d := range ds {
		t.add(d.Name, string(d.State), dash(d.Model.String()), fmt.Sprint(d.InstanceCount))
	}
	return t
}

// ofEndpoint is the -e of az ml.
func ofEndpoint(c *cobra.Command, endpoint *string) {
	c.Flags().StringVarP(endpoint, "endpoint-name", "e", "", "`NAME` of the endpoint")
	_ = c.MarkFlagRequired("endpoint-name")
}

func newDeploymentList(s *session) *cobra.Command {
	var endpoint string
	c := &cobra.Command{
		Use: "list", Short: "List the deployments of an endpoint", Example: "  hotswap deployment list -e taxi-fare", Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := s.client(c.Context())
			if err != nil {
				return err
			}
			ds, err := client.Deployments(c.Context(), endpoint)
			if err != nil {
				return err
			}
			return s.print(views(ds, viewDeployment), func() *table { return deploymentTable(ds...) })
		},
	}
	ofEndpoint(c, &endpoint)
	return c
}

func newDeploymentShow(s *session) *cobra.Command {
	var endpoint, name string
	c := &cobra.Command{
		Use: "show", Short: "Show one deployment", Example: "  hotswap deployment show -e taxi-fare -n blue -o json", Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := s.client(c.Context())
			if err != nil {
				return err
			}
			d, err := client.Deployment(c.Context(), endpoint, name)
			if err != nil {
				return err
			}
			return s.print(viewDeployment(d), func() *table { return deploymentTable(d) })
		},
	}
	ofEndpoint(c, &endpoint)
	nameFlag(c, &name, "deployment")
	return c
}

// defaultLines is how much of a log is shown (az ml online-deployment get-logs, --lines).
const defaultLines = 5000

func newDeploymentLogs(s *session) *cobra.Command {
	var (
		endpoint, name, container string
		lines                     int
	)
	c := &cobra.Command{
		Use: "logs", Short: "Print a deployment's log",
		Example: `  hotswap deployment logs -e taxi-fare -n green
  hotswap deployment logs -e taxi-fare -n green --container storage-initializer --lines 20`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			which, known := containers[container]
			switch {
			case !known:
				return usagef("--container is %q, want inference-server or storage-initializer", container)
			case lines < 1:
				return usagef("--lines is %d, want 1 or more", lines)
			}
			client, err := s.client(c.Context())
			if err != nil {
				return err
			}
			log, err := client.Logs(c.Context(), endpoint, name, which, lines)
			if err != nil {
				return err
			}
			return s.printLog(log)
		},
	}
	ofEndpoint(c, &endpoint)
	nameFlag(c, &name, "deployment")
	c.Flags().StringVarP(&container, "container", "c", "inference-server", "`WHICH` log: inference-server or storage-initializer")
	c.Flags().IntVarP(&lines, "lines", "l", defaultLines, "how many `LINES` from the end")
	return c
}

// printLog prints a log as it is, or as az ml's API has it: as the one field of an object.
func (s *session) printLog(log string) error {
	if s.output == "json" {
		return s.print(map[string]string{"content": log}, nil)
	}
	_, err := fmt.Fprintln(s.Stdout, strings.TrimRight(log, "\n"))
	return err
}

// containers maps the words of az ml to those of the API.
var containers = map[string]string{"inference-server": "InferenceServer", "storage-initializer": "StorageInitializer"}

func newDeploymentDelete(s *session) *cobra.Command {
	var (
		endpoint, name string
		yes            bool
	)
	c := &cobra.Command{
		Use: "delete", Short: "Delete a deployment that has no traffic",
		Example: "  hotswap deployment delete -e taxi-fare -n blue --yes", Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := s.confirm(yes, "delete deployment %s of %s", name, endpoint); err != nil {
				return err
			}
			client, err := s.client(c.Context())
			if err != nil {
				return err
			}
			if err := client.DeleteDeployment(c.Context(), endpoint, name); err != nil {
				return refusal(err)
			}
			s.say("deployment %s of %s is gone", name, endpoint)
			return nil
		},
	}
	ofEndpoint(c, &endpoint)
	nameFlag(c, &name, "deployment")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}
