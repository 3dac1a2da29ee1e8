package cli

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

func newEndpoint(s *session) *cobra.Command {
	c := group(&cobra.Command{Use: "endpoint", Short: "Show, invoke and delete endpoints"})
	c.AddCommand(newEndpointShow(s), newEndpointList(s), newEndpointInvoke(s), newEndpointDelete(s))
	return c
}

// endpointView is an endpoint as -o json shows it.
type endpointView struct {
	Name       string                   `json:"name"`
	State      online.ProvisioningState `json:"provisioningState"`
	Traffic    map[string]int           `json:"traffic"`
	Mirror     map[string]int           `json:"mirrorTraffic"`
	AuthMode   online.AuthMode          `json:"authMode"`
	ScoringURI string                   `json:"scoringUri"`
	Tags       map[string]string        `json:"tags"`
}

func viewEndpoint(e online.Endpoint) endpointView {
	return endpointView{
		Name: e.Name, State: e.State, Traffic: e.Traffic.Shares(), Mirror: e.Mirror.Shares(),
		AuthMode: e.AuthMode, ScoringURI: e.ScoringURI, Tags: orEmpty(e.Tags),
	}
}

func endpointTable(es ...online.Endpoint) *table {
	t := &table{head: []string{"NAME", "STATE", "TRAFFIC", "SCORING URI"}}
	for _, e := range es {
		t.add(e.Name, string(e.State), e.Traffic.String(), e.ScoringURI)
	}
	return t
}

// refusal is of a delete whose command line is right and that the workspace does not allow.
func refusal(err error) error {
	if online.CodeOf(err) == online.Invalid {
		return online.Errorf(online.Refused, "%w", err)
	}
	return err
}

// nameFlag is the -n of az ml, which every command on one resource needs.
func nameFlag(c *cobra.Command, name *string, what string) {
	c.Flags().StringVarP(name, "name", "n", "", "`NAME` of the "+what)
	_ = c.MarkFlagRequired("name")
}

func newEndpointShow(s *session) *cobra.Command {
	var name string
	c := &cobra.Command{
		Use: "show", Short: "Show one endpoint", Example: "  hotswap endpoint show -n taxi-fare", Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := s.client(c.Context())
			if err != nil {
				return err
			}
			e, err := client.Endpoint(c.Context(), name)
			if err != nil {
				return err
			}
			return s.print(viewEndpoint(e), func() *table { return endpointTable(e) })
		},
	}
	nameFlag(c, &name, "endpoint")
	return c
}

func newEndpointList(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the workspace's endpoints", Example: "  hotswap endpoint list -o json", Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := s.client(c.Context())
			if err != nil {
				return err
			}
			es, err := client.Endpoints(c.Context())
			if err != nil {
				return err
			}
			return s.print(views(es, viewEndpoint), func() *table { return endpointTable(es...) })
		},
	}
}

// views maps a list for JSON, where an empty one is [].
func views[T, V any](items []T, view func(T) V) []V {
	out := make([]V, 0, len(items))
	for _, item := range items {
		out = append(out, view(item))
	}
	return out
}

func newEndpointInvoke(s *session) *cobra.Command {
	var name, deployment, request string
	c := &cobra.Command{
		Use: "invoke", Short: "Send a scoring request and print the answer",
		Example: `  hotswap endpoint invoke -n taxi-fare --request-file request.json
  hotswap endpoint invoke -n taxi-fare --deployment-name green --request-file request.json`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			body, err := s.read("request-file", request)
			if err != nil {
				return err
			}
			client, err := s.client(c.Context())
			if err != nil {
				return err
			}
			e, err := client.Endpoint(c.Context(), name)
			if err != nil {
				return err
			}
			return s.invoke(c, client, azure.Request{Endpoint: e, Deployment: deployment, Body: body})
		},
	}
	nameFlag(c, &name, "endpoint")
	c.Flags().StringVar(&deployment, "deployment-name", "", "`NAME` of the deployment that is to answer (default: by the traffic)")
	c.Flags().StringVarP(&request, "request-file", "r", "", "JSON `FILE` to send")
	_ = c.MarkFlagRequired("request-file")
	return c
}

func (s *session) invoke(c *cobra.Command, client *azure.Client, r azure.Request) error {
	a, err := client.Score(c.Context(), r)
	if err != nil {
		return err
	}
	if a.Status != http.StatusOK {
		return online.Errorf(online.Internal, "endpoint %s answered %d: %s", r.Endpoint.Name, a.Status, a.Body)
	}
	s.say("answered by %s in %.1f ms", a.Deployment, a.Duration.Seconds()*1000)
	fmt.Fprintln(s.Stdout, string(a.Body))
	return nil
}

func newEndpointDelete(s *session) *cobra.Command {
	var (
		name string
		yes  bool
	)
	c := &cobra.Command{
		Use: "delete", Short: "Delete an endpoint with its deployments",
		Example: "  hotswap endpoint delete -n taxi-fare --yes", Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := s.confirm(yes, "delete endpoint %s with its deployments", name); err != nil {
				return err
			}
			client, err := s.client(c.Context())
			if err != nil {
				return err
			}
			if err := client.DeleteEndpoint(c.Context(), name); err != nil {
				return refusal(err)
			}
			s.say("endpoint %s is gone", name)
			return nil
		},
	}
	nameFlag(c, &name, "endpoint")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}
