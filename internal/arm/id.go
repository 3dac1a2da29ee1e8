package arm

import (
	"strings"

	"hotswap/internal/online"
)

// Scope is the workspace that resource ids lie in.
type Scope struct{ Subscription, ResourceGroup, Workspace string }

// ResourceGroupID is the id of the resource group.
func (s Scope) ResourceGroupID() string {
	return "/subscriptions/" + s.Subscription + "/resourceGroups/" + s.ResourceGroup
}

// ID is the id of the workspace itself.
func (s Scope) ID() string {
	return s.ResourceGroupID() + "/providers/" + provider + "/workspaces/" + s.Workspace
}

// EndpointID is the id of an endpoint.
func (s Scope) EndpointID(name string) string { return s.ID() + "/onlineEndpoints/" + name }

// DeploymentID is the id of a deployment.
func (s Scope) DeploymentID(endpoint, name string) string {
	return s.EndpointID(endpoint) + "/deployments/" + name
}

// ContainerID is the id of all versions of an asset.
func (s Scope) ContainerID(kind online.AssetKind, name string) string {
	return s.ID() + "/" + string(kind) + "/" + name
}

// DatastoreID is the id of a datastore.
func (s Scope) DatastoreID(name string) string { return s.ID() + "/datastores/" + name }

// StorageAccountID is the id of a storage account of the workspace's resource group.
func (s Scope) StorageAccountID(account string) string {
	return s.ResourceGroupID() + "/providers/Microsoft.Storage/storageAccounts/" + account
}

// OperationPath is the path that tells how an operation is, below the server's URL.
func (s Scope) OperationPath(location, id string) string {
	return s.locationPath(location) + "/mfeOperationsStatus/" + id
}

// OperationResultPath is the path that answers what came of an operation.
func (s Scope) OperationResultPath(location, id string) string {
	return s.locationPath(location) + "/mfeOperationResults/" + id
}

func (s Scope) locationPath(location string) string {
	return "/subscriptions/" + s.Subscription + "/providers/" + provider + "/locations/" + location
}

// RefID is the id of a version of an asset; "" of none. One of a registry keeps its own form.
func (s Scope) RefID(r online.Ref) string {
	if r.IsZero() {
		return ""
	}
	below, version := "/versions/", r.Version
	if label, ok := strings.CutPrefix(r.Version, "@"); ok {
		below, version = "/labels/", label
	}
	if r.Registry != "" {
		return "azureml://registries/" + r.Registry + "/" + string(r.Kind) + "/" + r.Name + below + version
	}
	return s.ContainerID(r.Kind, r.Name) + below + version
}

// ParseRef reads a reference to an asset of one kind in any form that clients send: an id of
// this workspace, the same behind "azureml:", an asset id of a registry, "azureml:name:version"
// and "azureml:name@label". "" is no asset.
func (s Scope) ParseRef(kind online.AssetKind, text string) (online.Ref, error) {
	switch rest, short := cutPrefixFold(text, "azureml:"); {
	case text == "":
		return online.Ref{}, nil
	case strings.HasPrefix(text, "/"):
		return s.parseID(kind, text)
	case short && strings.HasPrefix(rest, "//"):
		return s.parseURI(kind, text, rest)
	case short && strings.HasPrefix(rest, "/"):
		return s.parseID(kind, rest)
	case short:
		return parseShort(kind, rest)
	}
	return online.Ref{}, notARef(kind, text)
}

// parseID reads an ARM id, whose fixed words and names compare case-insensitively.
func (s Scope) parseID(kind online.AssetKind, id string) (online.Ref, error) {
	rest, ours := cutPrefixFold(id, s.ID()+"/")
	if !ours {
		return online.Ref{}, online.Errorf(online.Invalid, "%q does not lie in workspace %s", id, s.ID())
	}
	ref, ok := parseAsset(kind, strings.Split(rest, "/"))
	if !ok {
		return online.Ref{}, notARef(kind, id)
	}
	return ref, nil
}

// parseURI reads azureml://registries/R/models/N/versions/V, and the same of a workspace
// (azureml://locations/L/workspaces/GUID/…, azureml://subscriptions/…/workspaces/W/…).
func (s Scope) parseURI(kind online.AssetKind, text, rest string) (online.Ref, error) {
	const asset = 4 // kind, name, "versions", version
	words := strings.Split(strings.TrimPrefix(rest, "//"), "/")
	if len(words) <= asset {
		return online.Ref{}, notARef(kind, text)
	}
	ref, ok := parseAsset(kind, words[len(words)-asset:])
	if !ok {
		return online.Ref{}, notARef(kind, text)
	}
	switch owner := words[:len(words)-asset]; {
	case len(owner) == 2 && strings.EqualFold(owner[0], "registries"):
		ref.Registry = owner[1]
	case !strings.EqualFold(owner[0], "locations") && !strings.EqualFold(owner[0], "subscriptions"):
		return online.Ref{}, notARef(kind, text)
	}
	return ref, nil
}

// parseAsset reads kind, name, "versions" or "labels", and the version or label.
func parseAsset(kind online.AssetKind, words []string) (online.Ref, bool) {
	if len(words) != 4 || !strings.EqualFold(words[0], string(kind)) || words[1] == "" || words[3] == "" {
		return online.Ref{}, false
	}
	ref := online.Ref{Kind: kind, Name: words[1], Version: words[3]}
	switch strings.ToLower(words[2]) {
	case "labels":
		ref.Version = "@" + ref.Version
		return ref, true
	case "versions":
		return ref, true
	}
	return online.Ref{}, false
}

// parseShort reads "name:version" and "name@label".
func parseShort(kind online.AssetKind, text string) (online.Ref, error) {
	if name, label, ok := strings.Cut(text, "@"); ok && name != "" && label != "" {
		return online.Ref{Kind: kind, Name: name, Version: "@" + label}, nil
	}
	name, version, _ := strings.Cut(text, ":")
	if name == "" || version == "" {
		return online.Ref{}, notARef(kind, "azureml:"+text)
	}
	return online.Ref{Kind: kind, Name: name, Version: version}, nil
}

func notARef(kind online.AssetKind, text string) error {
	return online.Errorf(online.Invalid, "%q names no version of %s: want an id that ends in /%s/NAME/versions/VERSION, or azureml:NAME:VERSION", text, kind, kind)
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
