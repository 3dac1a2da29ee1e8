package arm

import (
	"encoding/json"

	"hotswap/internal/online"
)

// Asset is a version of a model, a code folder or an environment in a reply.
type Asset struct {
	Resource
	Properties any `json:"properties"`
}

// AssetProperties is what the versions of all kinds have in common.
type AssetProperties struct {
	Description       *string           `json:"description"`
	Tags              map[string]string `json:"tags"`
	Properties        map[string]string `json:"properties"`
	IsAnonymous       bool              `json:"isAnonymous"`
	IsArchived        bool              `json:"isArchived"`
	ProvisioningState string            `json:"provisioningState"`
}

// ModelProperties is what is special about a model. azure-ai-ml 1.34.0 fails on one without flavors.
type ModelProperties struct {
	AssetProperties
	ModelURI  string          `json:"modelUri"`
	ModelType string          `json:"modelType"`
	JobName   *string         `json:"jobName"`
	Stage     *string         `json:"stage"`
	Flavors   json.RawMessage `json:"flavors"`
}

// CodeProperties is what is special about a code folder.
type CodeProperties struct {
	AssetProperties
	CodeURI string `json:"codeUri"`
}

// EnvironmentProperties is what is special about an environment.
type EnvironmentProperties struct {
	AssetProperties
	Image           *string         `json:"image"`
	CondaFile       *string         `json:"condaFile"`
	Build           *Build          `json:"build"`
	InferenceConfig json.RawMessage `json:"inferenceConfig"`
	OSType          string          `json:"osType"`
	EnvironmentType string          `json:"environmentType"`
	AutoRebuild     string          `json:"autoRebuild"`
	Stage           *string         `json:"stage"`
}

// Build is the folder and the file that an image is built from.
type Build struct {
	ContextURI     string `json:"contextUri"`
	DockerfilePath string `json:"dockerfilePath"`
}

func newAsset(s Scope, a online.Asset, properties any) Asset {
	return Asset{
		Resource: Resource{
			ID: s.RefID(a.Ref), Name: a.Ref.Version, Type: provider + "/workspaces/" + string(a.Ref.Kind) + "/versions",
			SystemData: newSystemData(a.CreatedAt, a.ModifiedAt, a.CreatedBy),
		},
		Properties: properties,
	}
}

func newAssetProperties(a online.Asset) AssetProperties {
	return AssetProperties{
		Description: orNull(a.Description), Tags: orEmpty(a.Tags), Properties: orEmpty(a.Properties),
		IsAnonymous: a.Anonymous, IsArchived: a.Archived, ProvisioningState: string(online.Succeeded),
	}
}

// NewModel is the reply for m.
func NewModel(s Scope, m online.Model) Asset {
	flavors := json.RawMessage("{}")
	if len(m.Flavors) > 0 {
		flavors = m.Flavors
	}
	return newAsset(s, m.Asset, ModelProperties{
		AssetProperties: newAssetProperties(m.Asset), ModelURI: m.URI, ModelType: m.Type,
		JobName: orNull(m.JobName), Stage: orNull(m.Stage), Flavors: flavors,
	})
}

// NewCode is the reply for c.
func NewCode(s Scope, c online.CodeFolder) Asset {
	return newAsset(s, c.Asset, CodeProperties{AssetProperties: newAssetProperties(c.Asset), CodeURI: c.URI})
}

// NewEnvironment is the reply for e.
func NewEnvironment(s Scope, e online.Environment) Asset {
	var build *Build
	if e.BuildContext != "" {
		build = &Build{ContextURI: e.BuildContext, DockerfilePath: e.Dockerfile}
	}
	return newAsset(s, e.Asset, EnvironmentProperties{
		AssetProperties: newAssetProperties(e.Asset), Image: orNull(e.Image), CondaFile: orNull(e.CondaFile), Build: build,
		InferenceConfig: raw(e.InferenceConfig), OSType: e.OSType, EnvironmentType: "UserCreated",
		AutoRebuild: "Disabled", Stage: orNull(e.Stage),
	})
}

type assetRequest struct {
	Description string `json:"description"`
	Tags        texts  `json:"tags"`
	Properties  texts  `json:"properties"`
	IsAnonymous bool   `json:"isAnonymous"`
	IsArchived  bool   `json:"isArchived"`
	Stage       string `json:"stage"`
}

func (r assetRequest) decode(ref online.Ref) online.Asset {
	return online.Asset{
		Ref: ref, Description: r.Description, Tags: orEmpty(r.Tags), Properties: orEmpty(r.Properties),
		Anonymous: r.IsAnonymous, Archived: r.IsArchived, Stage: r.Stage,
	}
}

// decodeProperties reads the "properties" of a body, the only part that counts in an asset's.
func decodeProperties[T any](what string, body []byte) (T, error) {
	r, err := decode[struct {
		Properties *T `json:"properties"`
	}](what, body)
	if err == nil && r.Properties == nil {
		err = online.Errorf(online.Invalid, "read the %s: it has no properties", what)
	}
	if err != nil {
		var none T
		return none, err
	}
	return *r.Properties, nil
}

// DecodeModel reads the body of a PUT of the version ref of a model.
func DecodeModel(ref online.Ref, body []byte) (online.Model, error) {
	r, err := decodeProperties[struct {
		assetRequest
		ModelURI  string `json:"modelUri"`
		ModelType string `json:"modelType"`
		JobName   string `json:"jobName"`
		Flavors   object `json:"flavors"`
	}]("model", body)
	if err != nil {
		return online.Model{}, err
	}
	m := online.Model{Asset: r.decode(ref), URI: r.ModelURI, Type: r.ModelType, JobName: r.JobName, Flavors: r.Flavors}
	if m.Type == "" {
		m.Type = "custom_model"
	}
	return m, nil
}

// DecodeCode reads the body of a PUT of the version ref of a code folder.
func DecodeCode(ref online.Ref, body []byte) (online.CodeFolder, error) {
	r, err := decodeProperties[struct {
		assetRequest
		CodeURI string `json:"codeUri"`
	}]("code", body)
	if err != nil {
		return online.CodeFolder{}, err
	}
	return online.CodeFolder{Asset: r.decode(ref), URI: r.CodeURI}, nil
}

// DecodeEnvironment reads the body of a PUT of the version ref of an environment.
func DecodeEnvironment(ref online.Ref, body []byte) (online.Environment, error) {
	r, err := decodeProperties[struct {
		assetRequest
		Image           string `json:"image"`
		CondaFile       string `json:"condaFile"`
		Build           Build  `json:"build"`
		InferenceConfig object `json:"inferenceConfig"`
		OSType          string `json:"osType"`
	}]("environment", body)
	if err != nil {
		return online.Environment{}, err
	}
	os, err := oneOf("properties.osType", r.OSType, "Linux", "Linux")
	if err != nil {
		return online.Environment{}, err
	}
	return online.Environment{
		Asset: r.decode(ref), Image: r.Image, CondaFile: r.CondaFile,
		BuildContext: r.Build.ContextURI, Dockerfile: r.Build.DockerfilePath,
		OSType: os, InferenceConfig: r.InferenceConfig,
	}, nil
}

// Container is an asset as a whole, above its versions: as it is told to NewContainer and as
// DecodeContainer reads it.
type Container struct {
	online.Asset        // the version in its Ref is ""
	Latest       string // version; "" where there is none
	Next         string // a version that a client may take next
}

// ContainerProperties is what an asset as a whole shows.
type ContainerProperties struct {
	Description       *string           `json:"description"`
	Tags              map[string]string `json:"tags"`
	Properties        map[string]string `json:"properties"`
	IsArchived        bool              `json:"isArchived"`
	LatestVersion     *string           `json:"latestVersion"`
	NextVersion       *string           `json:"nextVersion"`
	ProvisioningState string            `json:"provisioningState"`
}

// NewContainer is the reply for c.
func NewContainer(s Scope, c Container) Asset {
	a := c.Asset
	return Asset{
		Resource: Resource{
			ID: s.ContainerID(a.Ref.Kind, a.Ref.Name), Name: a.Ref.Name, Type: provider + "/workspaces/" + string(a.Ref.Kind),
			SystemData: newSystemData(a.CreatedAt, a.ModifiedAt, a.CreatedBy),
		},
		Properties: ContainerProperties{
			Description: orNull(a.Description), Tags: orEmpty(a.Tags), Properties: orEmpty(a.Properties), IsArchived: a.Archived,
			LatestVersion: orNull(c.Latest), NextVersion: orNull(c.Next), ProvisioningState: string(online.Succeeded),
		},
	}
}

// DecodeContainer reads the body of a PUT of an asset as a whole.
func DecodeContainer(kind online.AssetKind, name string, body []byte) (online.Asset, error) {
	r, err := decodeProperties[assetRequest]("container", body)
	if err != nil {
		return online.Asset{}, err
	}
	return r.decode(online.Ref{Kind: kind, Name: name}), nil
}
