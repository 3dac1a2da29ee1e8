package online

import "time"

// A ProvisioningState says where a resource is on its way to what was asked for.
type ProvisioningState string

// The states (azure-sdk-for-go, armmachinelearning/v4, DeploymentProvisioningState).
const (
	Creating  ProvisioningState = "Creating"
	Updating  ProvisioningState = "Updating"
	Scaling   ProvisioningState = "Scaling" // deployments only
	Deleting  ProvisioningState = "Deleting"
	Succeeded ProvisioningState = "Succeeded"
	Failed    ProvisioningState = "Failed"
	Canceled  ProvisioningState = "Canceled"
)

// Busy reports whether an operation is still under way.
func (s ProvisioningState) Busy() bool {
	return s == Creating || s == Updating || s == Scaling || s == Deleting
}

// An AuthMode says what a scoring request must carry.
type AuthMode string

// The modes.
const (
	KeyAuth      AuthMode = "Key"
	AMLTokenAuth AuthMode = "AMLToken"
	AADTokenAuth AuthMode = "AADToken"
)

// Identity is the managed identity asked for; the server keeps it and gives it back.
type Identity struct {
	Type         string   // None, SystemAssigned, UserAssigned or "SystemAssigned,UserAssigned"
	UserAssigned []string // ARM ids
}

// Keys are the two secrets that open an endpoint with KeyAuth.
type Keys struct{ Primary, Secondary string }

// Endpoint is a stable name and URL that clients score against.
type Endpoint struct {
	Name                string // in lower case
	Location            string
	Description         string
	Tags                map[string]string
	Properties          map[string]string
	AuthMode            AuthMode
	Identity            Identity
	Compute             string
	PublicNetworkAccess string // Enabled or Disabled
	Traffic             Traffic
	Mirror              Mirror
	Keys                Keys // to be set; only in a request, "" keeps or makes one

	// Set by the server; ignored in a request.
	State                 ProvisioningState
	ScoringURI            string
	CreatedAt, ModifiedAt time.Time
	CreatedBy             string
}
