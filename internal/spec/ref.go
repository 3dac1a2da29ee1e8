package spec

import (
	"regexp"
	"strings"

	"hotswap/internal/document"
	"hotswap/internal/online"
)

// assetName is what the name and the version of an asset may be (learn.microsoft.com, REST
// reference of Azure Machine Learning, Model Versions).
var assetName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,254}$`)

const (
	shortScheme    = "azureml:"
	registryScheme = "azureml://registries/"
)

// ParseRef reads a reference to an asset as users write it: azureml:NAME:VERSION,
// azureml:NAME@latest, or azureml://registries/REGISTRY/KIND/NAME/versions/VERSION, where
// labels/latest may stand for the version.
func ParseRef(kind online.AssetKind, text string) (online.Ref, error) {
	ref := online.Ref{Kind: kind}
	ok := false
	if rest, found := strings.CutPrefix(text, registryScheme); found {
		ref, ok = registryRef(kind, strings.Split(rest, "/"))
	} else if rest, found := strings.CutPrefix(text, shortScheme); found {
		var label bool
		if ref.Name, ref.Version, ok = strings.Cut(rest, ":"); !ok {
			ref.Name, ref.Version, label = strings.Cut(rest, "@")
			ok = label && ref.Version == "latest"
			ref.Version = "@" + ref.Version
		}
	}
	if !ok || !assetName.MatchString(ref.Name) || !assetName.MatchString(strings.TrimPrefix(ref.Version, "@")) {
		return online.Ref{}, online.Errorf(online.Invalid, "%q is no reference, want azureml:NAME:VERSION, azureml:NAME@latest or azureml://registries/…", text)
	}
	return ref, nil
}

func registryRef(kind online.AssetKind, segments []string) (online.Ref, bool) {
	if len(segments) != 5 || !strings.EqualFold(segments[1], string(kind)) || segments[0] == "" {
		return online.Ref{}, false
	}
	ref := online.Ref{Kind: kind, Registry: segments[0], Name: segments[2], Version: segments[4]}
	if segments[3] == "labels" {
		ref.Version = "@" + ref.Version
	}
	return ref, segments[3] == "versions" || segments[3] == "labels"
}

// ref reads a reference of a file.
func (m *mapping) ref(n *document.Node, key string, kind online.AssetKind) online.Ref {
	ref, err := ParseRef(kind, n.Text)
	if err != nil {
		m.Fail(n.At, "%s: %v", key, err)
	}
	return ref
}
