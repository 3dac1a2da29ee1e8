package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hotswap/internal/azure"
	"hotswap/internal/online"
	"hotswap/internal/spec"
)

func newModel(s *session) *cobra.Command {
	c := group(&cobra.Command{Use: "model", Short: "Register, list and show models"})
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
		Name: m.Ref.Name, Version: m.Ref.Version, Type: m.Type, Path: m.URI, Description: m.Description, Tags: orEmpty(m.Tags), Created: m.CreatedAt,
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
		Args: noArguments,
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
	c.Flags().StringVar(&f.kind, "type", "", "`TYPE`: custom_model, mlflow_model or triton_model (default: custom_model)")
	c.Flags().StringVar(&f.description, "description", "", "`TEXT` about the model")
	c.Flags().StringToStringVar(&f.tags, "tag", nil, "`KEY=VALUE` to tag it with, may be repeated")
	return c
}

// modelTypes are those of az ml, the default first.
var modelTypes = []string{"custom_model", "mlflow_model", "triton_model"}

// model reads the file, if there is one; flags go over it, as with az ml.
func (f *modelFlags) model(s *session) (m online.Model, path string, err error) {
	var file spec.LocalModel
	switch {
	case f.file == "" && (f.name == "" || f.path == ""):
		return m, "", usagef("which model? give --file, or --name and --path")
	case f.file != "":
		if file, err = spec.ReadModel(s.path(f.file)); err != nil {
			return m, "", err
		}
	}
	if path = file.Path; f.path != "" {
		path = s.path(f.path)
	}
	if m.Type = cmp.Or(f.kind, file.Type, modelTypes[0]); !slices.Contains(modelTypes, m.Type) {
		return m, "", usagef("--type is %q, want %s", m.Type, strings.Join(modelTypes, " or "))
	}
	m.Ref = online.Ref{Kind: online.Models, Name: cmp.Or(f.name, file.Name), Version: cmp.Or(f.version, file.Version)}
	m.Description, m.Tags, m.Properties = cmp.Or(f.description, file.Description), file.Tags, file.Properties
	if f.tags != nil {
		m.Tags = f.tags
	}
	return m, path, nil
}

func newModelList(s *session) *cobra.Command {
	var name string
	c := &cobra.Command{
		Use: "list", Short: "List models, or the versions of one", Example: "  hotswap model list -n taxi-fare", Args: noArguments,
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
		Use: "show", Short: "Show one version of a model", Example: "  hotswap model show -n taxi-fare --version 3", Args: noArguments,
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
