package arm

import (
	"maps"
	"slices"
	"strings"

	"hotswap/internal/online"
)

// Endpoint is an online endpoint in a reply.
type Endpoint struct {
	Resource
	Location   string             `json:"location"`
	Kind       string             `json:"kind"`
	Tags       map[string]string  `json:"tags"`
	Identity   Identity           `json:"identity"`
	Properties EndpointProperties `json:"properties"`
}

// EndpointProperties is what is special about an endpoint.
type EndpointProperties struct {
	AuthMode            string            `json:"authMode"`
	Description         *string           `json:"description"`
	Compute             *string           `json:"compute"`
	PublicNetworkAccess string            `json:"publicNetworkAccess"`
	Traffic             map[string]int    `json:"traffic"`
	MirrorTraffic       map[string]int    `json:"mirrorTraffic"`
	Keys                *struct{}         `json:"keys"` // always null; listKeys answers them
	ProvisioningState   string            `json:"provisioningState"`
	ScoringURI          string            `json:"scoringUri"`
	SwaggerURI          string            `json:"swaggerUri"`
	Properties          map[string]string `json:"properties"`
}

// The keys of properties.properties that the server or a client makes from other fields, and
// that come back when a client writes a resource that it has read (the last three: azure-ai-ml
// 1.34.0).
const (
	operationKey  = "AzureAsyncOperationUri"
	endpointIDKey = "azureml.onlineendpointid"
)

var derivedKeys = []string{operationKey, endpointIDKey, "createdBy", "createdAt", "lastModifiedAt"}

// NewEndpoint is the reply for e. The operation is the URL of the one that changes it, or "":
// azureml-examples' cli/deploy-rest.sh reads it from the body.
func NewEndpoint(s Scope, tenant, operation string, e online.Endpoint) Endpoint {
	id := s.EndpointID(e.Name)
	properties := withOperation(e.Properties, operation)
	properties[endpointIDKey] = strings.ToLower(id)
	return Endpoint{
		Resource: Resource{
			ID: id, Name: e.Name, Type: provider + "/workspaces/onlineEndpoints",
			SystemData: newSystemData(e.CreatedAt, e.ModifiedAt, e.CreatedBy),
		},
		Location: e.Location, Kind: "Managed", Tags: orEmpty(e.Tags),
		Identity: newIdentity(e.Identity, id, tenant),
		Properties: EndpointProperties{
			AuthMode: string(e.AuthMode), Description: orNull(e.Description), Compute: orNull(e.Compute),
			PublicNetworkAccess: e.PublicNetworkAccess,
			Traffic:             e.Traffic.Shares(), MirrorTraffic: e.Mirror.Shares(),
			ProvisioningState: string(e.State),
			ScoringURI:        e.ScoringURI, SwaggerURI: strings.TrimSuffix(e.ScoringURI, "/score") + "/swagger.json",
			Properties: properties,
		},
	}
}

func withOperation(properties map[string]string, operation string) map[string]string {
	all := maps.Clone(orEmpty(properties))
	if operation != "" {
		all[operationKey] = operation
	}
	return all
}

func withoutDerived(properties texts) map[string]string {
	for _, key := range derivedKeys {
		delete(properties, key)
	}
	return orEmpty(properties)
}

type identityRequest struct {
	Type         string              `json:"type"`
	UserAssigned map[string]struct{} `json:"userAssignedIdentities"`
}

type endpointRequest struct {
	Location   string           `json:"location"`
	Tags       texts            `json:"tags"`
	Identity   *identityRequest `json:"identity"`
	Properties *struct {
		AuthMode            string   `json:"authMode"`
		Description         string   `json:"description"`
		Compute             string   `json:"compute"`
		PublicNetworkAccess string   `json:"publicNetworkAccess"`
		Traffic             percents `json:"traffic"`
		MirrorTraffic       percents `json:"mirrorTraffic"`
		Keys                Keys     `json:"keys"`
		Properties          texts    `json:"properties"`
	} `json:"properties"`
}

// DecodeEndpoint reads the body of a PUT, which replaces the endpoint whole: traffic that it
// doesn't name is taken away.
func DecodeEndpoint(name string, body []byte) (online.Endpoint, error) {
	r, err := decode[endpointRequest]("endpoint", body)
	switch {
	case err != nil:
		return online.Endpoint{}, err
	case r.Properties == nil:
		return online.Endpoint{}, online.Errorf(online.Invalid, "read the endpoint: it has no properties")
	case r.Identity == nil: // Azure refuses it too
		return online.Endpoint{}, online.Errorf(online.Invalid, `read the endpoint: it has no identity, want for example {"type":"SystemAssigned"}`)
	}
	p := r.Properties
	e := online.Endpoint{
		Name: name, Location: r.Location, Description: p.Description, Tags: orEmpty(r.Tags),
		Properties: withoutDerived(p.Properties), Compute: p.Compute, Keys: online.Keys(p.Keys),
	}
	mode, err := oneOf("properties.authMode", p.AuthMode, string(online.KeyAuth),
		string(online.KeyAuth), string(online.AMLTokenAuth), string(online.AADTokenAuth))
	if err != nil {
		return online.Endpoint{}, err
	}
	e.AuthMode = online.AuthMode(mode)
	if e.PublicNetworkAccess, err = enabled("properties.publicNetworkAccess", p.PublicNetworkAccess); err != nil {
		return online.Endpoint{}, err
	}
	if e.Identity, err = r.Identity.decode(); err != nil {
		return online.Endpoint{}, err
	}
	if e.Traffic, err = online.NewTraffic(p.Traffic); err != nil {
		return online.Endpoint{}, err
	}
	e.Mirror, err = online.NewMirror(p.MirrorTraffic)
	return e, err
}

func enabled(field, value string) (string, error) {
	return oneOf(field, value, "Enabled", "Enabled", "Disabled")
}

// decode accepts any case of the type and blanks around its comma.
func (i *identityRequest) decode() (online.Identity, error) {
	kind, err := oneOf("identity.type", strings.ReplaceAll(i.Type, " ", ""), "None",
		"None", "SystemAssigned", "UserAssigned", "SystemAssigned,UserAssigned")
	if err != nil {
		return online.Identity{}, err
	}
	return online.Identity{Type: kind, UserAssigned: slices.Sorted(maps.Keys(i.UserAssigned))}, nil
}

// Patch is the body of a PATCH; what it leaves out is nil and stays as it is.
type Patch struct {
	Tags     map[string]string
	Identity *online.Identity // endpoints only
	Capacity *int             // deployments only: the number of instances
}

// DecodePatch reads the body of a PATCH of an endpoint or a deployment.
func DecodePatch(body []byte) (Patch, error) {
	r, err := decode[struct {
		Tags     texts            `json:"tags"`
		Identity *identityRequest `json:"identity"`
		SKU      *struct {
			Capacity *int `json:"capacity"`
		} `json:"sku"`
	}]("change", body)
	if err != nil {
		return Patch{}, err
	}
	p := Patch{Tags: r.Tags}
	if r.SKU != nil {
		p.Capacity = r.SKU.Capacity
	}
	if r.Identity != nil {
		identity, err := r.Identity.decode()
		if err != nil {
			return Patch{}, err
		}
		p.Identity = &identity
	}
	return p, nil
}
