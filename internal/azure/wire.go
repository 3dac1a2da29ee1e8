package azure

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"hotswap/internal/online"
)

// value is what p points at, or the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// some points at v, or is nil where v is the zero value, which the wire leaves out.
func some[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// pointers and values convert the SDK's maps. A map on the wire is never null, which Azure's own
// clients stumble over.
func pointers[V any](m map[string]V) map[string]*V {
	out := make(map[string]*V, len(m))
	for k, v := range m {
		out[k] = &v
	}
	return out
}

func values[V any](m map[string]*V) map[string]V {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]V, len(m))
	for k, v := range m {
		out[k] = value(v)
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// contains reports whether all of want is in got.
func contains(got, want map[string]string) bool {
	for k, v := range want {
		if g, ok := got[k]; !ok || g != v {
			return false
		}
	}
	return true
}

// created reads who made a resource and when.
func created(s *armmachinelearning.SystemData) (at, modified time.Time, by string) {
	if s == nil {
		return at, modified, by
	}
	return value(s.CreatedAt), value(s.LastModifiedAt), value(s.CreatedBy)
}

const registries = "azureml://registries/"

// assetID writes a reference as the API has it.
func (c *Client) assetID(r online.Ref) *string {
	if r.IsZero() {
		return nil
	}
	if r.Registry != "" {
		id := r.String()
		if label, ok := strings.CutPrefix(r.Version, "@"); ok {
			id = registries + r.Registry + "/" + string(r.Kind) + "/" + r.Name + "/labels/" + label
		}
		return &id
	}
	id := c.workspaceID() + "/" + string(r.Kind) + "/" + r.Name + "/versions/" + r.Version
	return &id
}

func (c *Client) workspaceID() string {
	return "/subscriptions/" + c.workspace.Subscription + "/resourceGroups/" + c.workspace.ResourceGroup +
		"/providers/Microsoft.MachineLearningServices/workspaces/" + c.workspace.Name
}

// parseAssetID reads an ARM id, an azureml:// address or azureml:NAME:VERSION. What is none of
// them is kept as the name, so that it is seen.
func parseAssetID(kind online.AssetKind, id string) online.Ref {
	if id == "" {
		return online.Ref{}
	}
	segments := strings.Split(id, "/")
	at := slices.IndexFunc(segments, func(s string) bool { return strings.EqualFold(s, string(kind)) })
	if at >= 0 && at+3 < len(segments) {
		r := online.Ref{Kind: kind, Name: segments[at+1], Version: segments[at+3]}
		if strings.EqualFold(segments[at+2], "labels") {
			r.Version = "@" + r.Version
		}
		if rest, ok := strings.CutPrefix(id, registries); ok {
			r.Registry, _, _ = strings.Cut(rest, "/")
		}
		return r
	}
	name, version, _ := strings.Cut(strings.TrimPrefix(id, "azureml:"), ":")
	return online.Ref{Kind: kind, Name: name, Version: version}
}
