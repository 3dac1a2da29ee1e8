package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"hotswap/internal/azure"
	"hotswap/internal/online"
	"hotswap/internal/spec"
)

func newModel(s *session) *cobra.Command {
	c := &cobra.Command{Use: "model", Short: "Register, list and show models"}
	c.AddCommand(newModelRegister(s), newModelList(s), newModelShow(s))
	return c
}

// modelView is a model version as -o json shows it.
type modelView struct {
	Name        string            `json:"name"`
	Version     string            `json:"version"`
	Type        string            `json:"type"`
	Path        string            `json:"path"`
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags"`
	Created     time.Time         `json:"createdAt"`
}

func viewModel(m online.Model) modelView {
	return modelView{
		Name: m.Ref.Name, Version: m.Ref.Version, Type: m.Type, Path: m.URI, Description: m.Description, Tags: m.Tags, Created: m.CreatedAt,
	}
}

func modelTable(ms ...online.Model) *table {
	t := &table{head: []string{"NAME", "VERSION", "TYPE", "CREATED"}}
	for _, m := range ms {
		t.add(m.Ref.Name, m.Ref.Version, m.Type, m.CreatedAt.Format(time.RFC3339))
	}
	return t
}

// modelFlags are a model to register, from a file or from flags.
type modelFlags struct {
	file, name, version, path, kind, description string
	tags                                         map[string]string
}

func newModelRegister(s *session) *cobra.Command {
	var f modelFlags
	c := &cobra.Command{
		Use: "register", Aliases: []string{"create"}, Short: "Upload a model and register it as a new version",
		Example: `  hotswap model register -n taxi-fare --path model.json
  hotswap model register -f model.yml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			m, path, err := f.model(s)
			if err != nil {
				return err
			}
			client, err := s.client(c.Context())
			if err != nil {
				return err
			}
			registered, err := client.RegisterModel(c.Context(), m, path)
			if err != nil {
				return err
			}
			return s.print(viewModel(registered), func() *table { return modelTable(registered) })
		},
	}
	c.Flags().StringVarP(&f.file, "file", "f", "", "YAML `FILE` that describes the model")
	c.Flags().StringVarP(&f.name, "name", "n", "", "`NAME` of the model")
	c.Flags().StringVar(&f.version, "version", "", "`VERSION` of the model (default: the next one)")
	c.Flags().StringVarP(&f.path, "path", "p", "", "`PATH` of the model's file or folder")
	c.Flags().StringVar(&f.kind, "type", "custom_model", "`TYPE`: custom_model, mlflow_model or triton_model")
	c.Flags().StringVar(&f.description, "description", "", "`TEXT` about the model")
	c.Flags().StringToStringVar(&f.tags, "tag", nil, "`KEY=VALUE` to tag it with, may be repeated")
	c.MarkFlagsOneRequired("file", "name")
	c.MarkFlagsRequiredTogether("name", "path")
	c.MarkFlagsMutuallyExclusive("file", "name")
	return c
}

func (f *modelFlags) model(s *session) (online.Model, string, error) {
	if f.file == "" {
		m := online.Model{Type: f.kind}
		m.Ref = online.Ref{Kind: online.Models, Name: f.name, Version: f.version}
		m.Description, m.Tags = f.description, f.tags
		return m, s.path(f.path), nil
	}
	file, err := spec.ReadModel(s.path(f.file))
	if err != nil {
		return online.Model{}, "", err
	}
	m := online.Model{Type: file.Type}
	m.Ref = online.Ref{Kind: online.Models, Name: file.Name, Version: file.Version}
	m.Description, m.Tags, m.Properties = file.Description, file.Tags, file.Properties
	if f.version != "" {
		m.Ref.Version = f.version
	}
	return m, file.Path, nil
}

func newModelList(s *session) *cobra.Command {
	var name string
	c := &cobra.Command{
		Use: "list", Short: "List models, or the versions of one", Example: "  hotswap model list -n taxi-fare", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := s.client(c.Context())
			if err != nil {
				return err
			}
			ms, err := client.Models(c.Context(), name)
			if err != nil {
				return err
			}
			return s.print(views(ms, viewModel), func() *table { return modelTable(ms...) })
		},
	}
	c.Flags().StringVarP(&name, "name", "n", "", "`NAME` of a model whose versions are listed")
	return c
}

func newModelShow(s *session) *cobra.Command {
	var name, version string
	c := &cobra.Command{
		Use: "show", Short: "Show one version of a model", Example: "  hotswap model show -n taxi-fare --version 3", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := s.client(c.Context())
			if err != nil {
				return err
			}
			m, err := showModel(c.Context(), client, name, version)
			if err != nil {
				return err
			}
			return s.print(viewModel(m), func() *table { return modelTable(m) })
		},
	}
	nameFlag(c, &name, "model")
	c.Flags().StringVar(&version, "version", "", "`VERSION` of the model (default: the latest)")
	return c
}

func showModel(ctx context.Context, client *azure.Client, name, version string) (online.Model, error) {
	if version == "" {
		return client.LatestModel(ctx, name)
	}
	return client.Model(ctx, name, version)
}
