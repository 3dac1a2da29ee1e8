package online

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// An AssetKind says what an asset holds; its text is the path segment of Azure's ids.
type AssetKind string

// The kinds.
const (
	Models       AssetKind = "models"
	Codes        AssetKind = "codes"
	Environments AssetKind = "environments"
)

// Ref names one version of an asset. The zero Ref names none.
type Ref struct {
	Kind     AssetKind
	Name     string
	Version  string // as it was registered; "@latest" is the label of the newest
	Registry string // "" for the workspace's own
}

// IsZero reports whether r names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// String is the short form that users write, like "azureml:taxi-fare:3".
func (r Ref) String() string {
	label, labelled := strings.CutPrefix(r.Version, "@")
	switch {
	case r.IsZero():
		return ""
	case r.Registry != "" && labelled:
		return "azureml://registries/" + r.Registry + "/" + string(r.Kind) + "/" + r.Name + "/labels/" + label
	case r.Registry != "":
		return "azureml://registries/" + r.Registry + "/" + string(r.Kind) + "/" + r.Name + "/versions/" + r.Version
	case labelled:
		return "azureml:" + r.Name + r.Version
	}
	return "azureml:" + r.Name + ":" + r.Version
}

// Asset is what models, codes and environments have in common.
type Asset struct {
	Ref         Ref
	Description string
	Tags        map[string]string
	Properties  map[string]string
	Anonymous   bool
	Archived    bool
	Stage       string

	// Set by the server; ignored in a request.
	CreatedAt, ModifiedAt time.Time
	CreatedBy             string
}

// Model is one version of a model's files.
type Model struct {
	Asset
	URI     string // azureml://…/paths/… or a blob URL
	Type    string // custom_model, mlflow_model or triton_model
	JobName string
	Flavors []byte // its JSON, kept and given back; nil where there is none
}

// CodeFolder is one version of a folder of source files.
type CodeFolder struct {
	Asset
	URI string // URL of the folder that holds the files
}

// Environment is one version of what a deployment's Python runs in.
type Environment struct {
	Asset
	Image           string
	CondaFile       string // the YAML text of a conda file
	BuildContext    string
	Dockerfile      string
	OSType          string // Linux
	InferenceConfig []byte // its JSON, kept and given back; nil where there is none
}

// CompareVersions orders two versions: as numbers where both are numbers, else by the time
// they were made, else by their text.
func CompareVersions(a, b Asset) int {
	m, errM := strconv.ParseUint(a.Ref.Version, 10, 63)
	n, errN := strconv.ParseUint(b.Ref.Version, 10, 63)
	if errM == nil && errN == nil {
		return cmp.Compare(m, n)
	}
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.Ref.Version, b.Ref.Version))
}
