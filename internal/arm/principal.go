package arm

import "time"

// OurProvider is the namespace of the resources that Azure has elsewhere: principals are in Entra,
// whose API is another one.
const OurProvider = "Hotswap"

// Permission is what a role assignment allows, in the words of Azure's roles.
type Permission struct {
	Actions        []string `json:"actions"`
	NotActions     []string `json:"notActions"`
	DataActions    []string `json:"dataActions"`
	NotDataActions []string `json:"notDataActions"`
}

// RoleAssignment is a role and where it holds: on an endpoint, or on the workspace where that is "".
type RoleAssignment struct {
	Role     string `json:"role"`
	Endpoint string `json:"endpoint,omitempty"`
}

// FederatedCredential is what a principal may log in with instead of a secret.
type FederatedCredential struct {
	Issuer   string            `json:"issuer"`
	Audience string            `json:"audience"`
	Subjects []string          `json:"subjects"`
	Claims   map[string]string `json:"claims,omitempty"`
}

// Principal is a service principal in a reply.
type Principal struct {
	Resource
	Properties PrincipalProperties `json:"properties"`
}

// PrincipalProperties is what is special about a principal.
type PrincipalProperties struct {
	ClientID   string                `json:"clientId"`
	ObjectID   string                `json:"objectId"`
	TenantID   string                `json:"tenantId"`
	CreatedAt  string                `json:"createdAt,omitempty"`
	Roles      []RoleAssignment      `json:"roles"`
	Federated  []FederatedCredential `json:"federatedCredentials"`
	Credential *Credential           `json:"credential,omitempty"` // of a new one, and never again
}

// NewPrincipal is the reply for a principal of w.
func NewPrincipal(w Workspace, name string, createdAt time.Time, p PrincipalProperties) Principal {
	if !createdAt.IsZero() {
		p.CreatedAt = Time(createdAt)
	}
	p.Roles, p.Federated = append([]RoleAssignment{}, p.Roles...), append([]FederatedCredential{}, p.Federated...)
	id := w.ID() + "/providers/" + OurProvider + "/principals/" + name
	return Principal{Resource: Resource{ID: id, Name: name, Type: OurProvider + "/principals"}, Properties: p}
}

// Credential is what a client logs in with, with the names of "az ad sp create-for-rbac --json-auth"
// and the two that name the workspace.
type Credential struct {
	ClientID                   string `json:"clientId"`
	ClientSecret               string `json:"clientSecret"`
	TenantID                   string `json:"tenantId"`
	SubscriptionID             string `json:"subscriptionId"`
	ResourceGroup              string `json:"resourceGroup"`
	WorkspaceName              string `json:"workspaceName"`
	ActiveDirectoryEndpointURL string `json:"activeDirectoryEndpointUrl"`
	ResourceManagerEndpointURL string `json:"resourceManagerEndpointUrl"`
	ManagementEndpointURL      string `json:"managementEndpointUrl"`
	ActiveDirectoryGraphID     string `json:"activeDirectoryGraphResourceId"`
	SQLManagementEndpointURL   string `json:"sqlManagementEndpointUrl"`
	GalleryEndpointURL         string `json:"galleryEndpointUrl"`
}

// NewCredential is the credential of a principal of w; base is the URL of the server.
func NewCredential(w Workspace, base, clientID, secret string) Credential {
	return Credential{
		ClientID: clientID, ClientSecret: secret, TenantID: w.Tenant, SubscriptionID: w.Subscription,
		ResourceGroup: w.ResourceGroup, WorkspaceName: w.Workspace,
		ActiveDirectoryEndpointURL: base, ResourceManagerEndpointURL: base, ManagementEndpointURL: base,
		ActiveDirectoryGraphID: base, SQLManagementEndpointURL: base, GalleryEndpointURL: base,
	}
}

// DecodePrincipal reads the roles that a new principal is to have.
func DecodePrincipal(body []byte) ([]RoleAssignment, error) {
	r, err := decodeProperties[struct {
		Roles []RoleAssignment `json:"roles"`
	}]("principal", body)
	return r.Roles, err
}

// DecodeFederated reads a federated credential.
func DecodeFederated(body []byte) (FederatedCredential, error) {
	return decode[FederatedCredential]("federated credential", body)
}
