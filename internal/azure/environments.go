package azure

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"hotswap/internal/online"
)

// anonymousEnvironment is the name under which deployments' own environments are registered, by
// the hash of what they are (azure-ai-ml 1.34.0).
const anonymousEnvironment = "CliV2AnonymousEnvironment"

// PutEnvironment registers an environment and returns the version that a deployment can name.
// Without a name its version is the hash of its content, so the same content is the same
// version. A build context is a folder on this machine, which is uploaded.
func (c *Client) PutEnvironment(ctx context.Context, e online.Environment) (online.Ref, error) {
	ref := online.Ref{Kind: online.Environments, Name: e.Ref.Name, Version: e.Ref.Version}
	p := &armmachinelearning.EnvironmentVersionProperties{
		Image: some(e.Image), CondaFile: some(e.CondaFile), OSType: new(armmachinelearning.OperatingSystemTypeLinux),
		Description: some(e.Description), Tags: pointers(e.Tags), Properties: pointers(e.Properties), IsAnonymous: new(ref.Name == ""), IsArchived: new(false),
	}
	if e.OSType != "" {
		p.OSType = new(armmachinelearning.OperatingSystemType(e.OSType))
	}
	if len(e.InferenceConfig) > 0 {
		p.InferenceConfig = new(armmachinelearning.InferenceContainerProperties)
		if err := json.Unmarshal(e.InferenceConfig, p.InferenceConfig); err != nil {
			return online.Ref{}, online.Errorf(online.Invalid, "environment %q: read its inference config: %w", ref.Name, err)
		}
	}
	if e.BuildContext != "" {
		uri, err := c.uploadBuildContext(ctx, e.BuildContext)
		if err != nil {
			return online.Ref{}, err
		}
		p.Build = &armmachinelearning.BuildContext{ContextURI: &uri, DockerfilePath: some(e.Dockerfile)}
	}
	ref, err := c.nameEnvironment(ctx, ref, p)
	if err != nil {
		return online.Ref{}, err
	}
	_, err = c.factory.NewEnvironmentVersionsClient().CreateOrUpdate(ctx, c.workspace.ResourceGroup, c.workspace.Name, ref.Name, ref.Version,
		armmachinelearning.EnvironmentVersion{Properties: p}, nil)
	if err != nil {
		return online.Ref{}, failed(err, "register environment %q version %q", ref.Name, ref.Version)
	}
	return ref, nil
}

// Environment reads one version of an environment of the workspace; the newest where the reference
// says so.
func (c *Client) Environment(ctx context.Context, ref online.Ref) (e online.Environment, err error) {
	if ref, err = c.resolve(ctx, ref); err != nil {
		return e, err
	}
	e.Ref = ref
	resp, err := c.factory.NewEnvironmentVersionsClient().Get(ctx, c.workspace.ResourceGroup, c.workspace.Name, ref.Name, ref.Version, nil)
	if err != nil {
		return e, failed(err, "read environment %q version %q", ref.Name, ref.Version)
	}
	p := value(resp.Properties)
	e.Image, e.CondaFile, e.OSType = value(p.Image), value(p.CondaFile), string(value(p.OSType))
	e.BuildContext, e.Dockerfile = value(value(p.Build).ContextURI), value(value(p.Build).DockerfilePath)
	if p.InferenceConfig != nil {
		if e.InferenceConfig, err = json.Marshal(p.InferenceConfig); err != nil {
			return e, online.Errorf(online.Internal, "read environment %q version %q: %w", ref.Name, ref.Version, err)
		}
	}
	return e, nil
}

// nameEnvironment gives an environment the name and the version that it lacks.
func (c *Client) nameEnvironment(ctx context.Context, ref online.Ref, p *armmachinelearning.EnvironmentVersionProperties) (online.Ref, error) {
	if ref.Name == "" {
		content, err := json.Marshal(p)
		if err != nil {
			return ref, online.Errorf(online.Internal, "hash the environment: %w", err)
		}
		sum := sha256.Sum256(content)
		ref.Name, ref.Version = anonymousEnvironment, hex.EncodeToString(sum[:])
	}
	if ref.Version != "" {
		return ref, nil
	}
	resp, err := c.factory.NewEnvironmentContainersClient().Get(ctx, c.workspace.ResourceGroup, c.workspace.Name, ref.Name, nil)
	if err != nil {
		if err = failed(err, "read environment %q", ref.Name); online.CodeOf(err) != online.NotFound {
			return ref, err
		}
		ref.Version = "1"
		return ref, nil
	}
	if resp.Properties == nil || value(resp.Properties.NextVersion) == "" {
		return ref, online.Errorf(online.Invalid, "environment %q has versions that are no numbers, so the next can't be told; give one", ref.Name)
	}
	ref.Version = *resp.Properties.NextVersion
	return ref, nil
}

func (c *Client) uploadBuildContext(ctx context.Context, dir string) (string, error) {
	up, err := readUpload(dir)
	if err != nil {
		return "", err
	}
	store, err := c.defaultStore(ctx)
	if err != nil {
		return "", err
	}
	below := "LocalUpload/" + up.hash
	if err := c.upload(ctx, store.client, up, below, online.Ref{Kind: online.Environments, Name: up.hash, Version: "1"}); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s/%s/%s/", store.url, below, up.base), nil
}

// latestEnvironment returns the newest version of an environment that is not archived.
func (c *Client) latestEnvironment(ctx context.Context, name string) (online.Ref, error) {
	var versions []online.Asset
	pager := c.factory.NewEnvironmentVersionsClient().NewListPager(c.workspace.ResourceGroup, c.workspace.Name, name,
		&armmachinelearning.EnvironmentVersionsClientListOptions{ListViewType: new(armmachinelearning.ListViewTypeActiveOnly)})
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return online.Ref{}, failed(err, "list the versions of environment %q", name)
		}
		for _, item := range page.Value {
			a := online.Asset{Ref: online.Ref{Kind: online.Environments, Name: name, Version: value(item.Name)}}
			a.CreatedAt, _, _ = created(item.SystemData)
			if item.Properties == nil || !value(item.Properties.IsArchived) {
				versions = append(versions, a)
			}
		}
	}
	if len(versions) == 0 {
		return online.Ref{}, online.Errorf(online.NotFound, "environment %q has no version that is not archived", name)
	}
	return slices.MaxFunc(versions, online.CompareVersions).Ref, nil
}
