package azure

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"hotswap/internal/online"
)

// Model reads one version of a model.
func (c *Client) Model(ctx context.Context, name, version string) (online.Model, error) {
	resp, err := c.factory.NewModelVersionsClient().Get(ctx, c.workspace.ResourceGroup, c.workspace.Name, name, version, nil)
	if err != nil {
		return online.Model{}, failed(err, "read model %q version %q", name, version)
	}
	return readModel(name, resp.ModelVersion)
}

// Models returns the versions of a model that are not archived, the newest first; of each model
// the newest version where name is "".
func (c *Client) Models(ctx context.Context, name string) ([]online.Model, error) {
	if name != "" {
		return c.modelVersions(ctx, name)
	}
	names, err := c.modelNames(ctx)
	if err != nil {
		return nil, err
	}
	var newest []online.Model
	for _, name := range names {
		versions, err := c.modelVersions(ctx, name)
		if err != nil {
			return nil, err
		}
		if len(versions) > 0 {
			newest = append(newest, versions[0])
		}
	}
	return newest, nil
}

// LatestModel returns the newest version of a model that is not archived.
func (c *Client) LatestModel(ctx context.Context, name string) (online.Model, error) {
	versions, err := c.modelVersions(ctx, name)
	if err != nil {
		return online.Model{}, err
	}
	if len(versions) == 0 {
		return online.Model{}, online.Errorf(online.NotFound, "model %q has no version that is not archived; register one first", name)
	}
	return versions[0], nil
}

func (c *Client) modelNames(ctx context.Context) ([]string, error) {
	var names []string
	pager := c.factory.NewModelContainersClient().NewListPager(c.workspace.ResourceGroup, c.workspace.Name,
		&armmachinelearning.ModelContainersClientListOptions{ListViewType: new(armmachinelearning.ListViewTypeActiveOnly)})
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, failed(err, "list the models")
		}
		for _, item := range page.Value {
			names = append(names, value(item.Name))
		}
	}
	return names, nil
}

// modelVersions reads every page: the order in which versions come is the service's own.
func (c *Client) modelVersions(ctx context.Context, name string) ([]online.Model, error) {
	var versions []online.Model
	pager := c.factory.NewModelVersionsClient().NewListPager(c.workspace.ResourceGroup, c.workspace.Name, name,
		&armmachinelearning.ModelVersionsClientListOptions{ListViewType: new(armmachinelearning.ListViewTypeActiveOnly)})
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, failed(err, "list the versions of model %q", name)
		}
		for _, item := range page.Value {
			m, err := readModel(name, *item)
			if err != nil {
				return nil, err
			}
			if !m.Archived {
				versions = append(versions, m)
			}
		}
	}
	slices.SortStableFunc(versions, func(a, b online.Model) int { return online.CompareVersions(b.Asset, a.Asset) })
	return versions, nil
}

// RegisterModel uploads a file or a folder and registers it as a version of the model. Without a
// version it becomes the next one; without a name it is registered as a deployment's own model,
// under the hash of its content.
func (c *Client) RegisterModel(ctx context.Context, m online.Model, path string) (online.Model, error) {
	up, err := readUpload(path)
	if err != nil {
		return online.Model{}, err
	}
	if m.Ref.Name == "" {
		m.Ref.Name, m.Ref.Version, m.Anonymous = up.hash, "1", true
	}
	if m.Ref.Version == "" {
		if m.Ref.Version, err = c.nextModelVersion(ctx, m.Ref.Name); err != nil {
			return online.Model{}, err
		}
	}
	store, err := c.defaultStore(ctx)
	if err != nil {
		return online.Model{}, err
	}
	below := "LocalUpload/" + up.hash
	if err := c.upload(ctx, store.client, up, below, m.Ref); err != nil {
		return online.Model{}, err
	}
	m.URI = "azureml://subscriptions/" + c.workspace.Subscription + "/resourcegroups/" + c.workspace.ResourceGroup +
		"/workspaces/" + c.workspace.Name + "/datastores/" + store.name + "/paths/" + below + "/" + up.base
	body, err := modelBody(m)
	if err != nil {
		return online.Model{}, err
	}
	resp, err := c.factory.NewModelVersionsClient().CreateOrUpdate(ctx, c.workspace.ResourceGroup, c.workspace.Name, m.Ref.Name, m.Ref.Version, body, nil)
	if err != nil {
		return online.Model{}, failed(err, "register model %q version %q", m.Ref.Name, m.Ref.Version)
	}
	return readModel(m.Ref.Name, resp.ModelVersion)
}

func (c *Client) nextModelVersion(ctx context.Context, name string) (string, error) {
	resp, err := c.factory.NewModelContainersClient().Get(ctx, c.workspace.ResourceGroup, c.workspace.Name, name, nil)
	if err != nil {
		if err = failed(err, "read model %q", name); online.CodeOf(err) == online.NotFound {
			return "1", nil
		}
		return "", err
	}
	if resp.Properties == nil || value(resp.Properties.NextVersion) == "" {
		return "", online.Errorf(online.Invalid, "model %q has versions that are no numbers, so the next can't be told; give one", name)
	}
	return *resp.Properties.NextVersion, nil
}

func modelBody(m online.Model) (armmachinelearning.ModelVersion, error) {
	kind := m.Type
	if kind == "" {
		kind = "custom_model"
	}
	p := &armmachinelearning.ModelVersionProperties{
		ModelURI: &m.URI, ModelType: &kind, Description: some(m.Description), Tags: pointers(m.Tags), Properties: pointers(m.Properties),
		IsAnonymous: &m.Anonymous, IsArchived: &m.Archived, Stage: some(m.Stage), JobName: some(m.JobName),
	}
	if len(m.Flavors) > 0 {
		if err := json.Unmarshal(m.Flavors, &p.Flavors); err != nil {
			return armmachinelearning.ModelVersion{}, online.Errorf(online.Invalid, "model %q: read its flavors: %w", m.Ref.Name, err)
		}
	}
	return armmachinelearning.ModelVersion{Properties: p}, nil
}

func readModel(name string, w armmachinelearning.ModelVersion) (online.Model, error) {
	p := value(w.Properties)
	m := online.Model{
		Asset: online.Asset{
			Ref:         online.Ref{Kind: online.Models, Name: name, Version: value(w.Name)},
			Description: value(p.Description), Tags: values(p.Tags), Properties: values(p.Properties),
			Anonymous: value(p.IsAnonymous), Archived: value(p.IsArchived), Stage: value(p.Stage),
		},
		URI: value(p.ModelURI), Type: value(p.ModelType), JobName: value(p.JobName),
	}
	m.CreatedAt, m.ModifiedAt, m.CreatedBy = created(w.SystemData)
	if len(p.Flavors) > 0 {
		var err error
		if m.Flavors, err = json.Marshal(p.Flavors); err != nil {
			return m, online.Errorf(online.Internal, "read model %q: %w", name, err)
		}
	}
	return m, nil
}
