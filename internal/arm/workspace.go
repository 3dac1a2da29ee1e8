package arm

import "time"

// Workspace is the one workspace that the server serves.
type Workspace struct {
	Scope
	GUID, Tenant, Location string
	Account, Container     string // of the default datastore, in the artifact store
	CreatedAt              time.Time
}

// DefaultDatastore is the name of the datastore that every workspace has.
const DefaultDatastore = "workspaceblobstore"

// WorkspaceReply is the workspace in a reply.
type WorkspaceReply struct {
	Resource
	Location   string              `json:"location"`
	Kind       string              `json:"kind"`
	Tags       map[string]string   `json:"tags"`
	Identity   Identity            `json:"identity"`
	SKU        map[string]string   `json:"sku"`
	Properties WorkspaceProperties `json:"properties"`
}

// WorkspaceProperties is what is special about a workspace.
type WorkspaceProperties struct {
	FriendlyName        string `json:"friendlyName"`
	Description         string `json:"description"`
	WorkspaceID         string `json:"workspaceId"`
	TenantID            string `json:"tenantId"`
	StorageAccount      string `json:"storageAccount"`
	DiscoveryURL        string `json:"discoveryUrl"`
	PublicNetworkAccess string `json:"publicNetworkAccess"`
	HBIWorkspace        bool   `json:"hbiWorkspace"`
	ProvisioningState   string `json:"provisioningState"`
}

// NewWorkspace is the reply for w; base is the URL of the server.
func NewWorkspace(w Workspace, base string) WorkspaceReply {
	id := w.ID()
	return WorkspaceReply{
		Resource: Resource{
			ID: id, Name: w.Workspace, Type: provider + "/workspaces",
			SystemData: newSystemData(w.CreatedAt, w.CreatedAt, "hotswap"),
		},
		Location: w.Location, Kind: "Default", Tags: map[string]string{},
		Identity: Identity{Type: "SystemAssigned", PrincipalID: guid(id), TenantID: w.Tenant},
		SKU:      map[string]string{"name": "Basic", "tier": "Basic"},
		Properties: WorkspaceProperties{
			FriendlyName: w.Workspace, WorkspaceID: w.GUID, TenantID: w.Tenant,
			StorageAccount: w.StorageAccountID(w.Account), DiscoveryURL: base + "/discovery",
			PublicNetworkAccess: "Enabled", ProvisioningState: "Succeeded",
		},
	}
}

// Datastore is a datastore in a reply.
type Datastore struct {
	Resource
	Properties DatastoreProperties `json:"properties"`
}

// DatastoreProperties is what is special about a datastore of blobs.
type DatastoreProperties struct {
	DatastoreType                 string            `json:"datastoreType"`
	AccountName                   string            `json:"accountName"`
	ContainerName                 string            `json:"containerName"`
	Endpoint                      string            `json:"endpoint"` // https://{account}.blob.{endpoint}; a port is fine
	Protocol                      string            `json:"protocol"`
	IsDefault                     bool              `json:"isDefault"`
	Credentials                   map[string]string `json:"credentials"`
	ServiceDataAccessAuthIdentity string            `json:"serviceDataAccessAuthIdentity"`
	SubscriptionID                string            `json:"subscriptionId"`
	ResourceGroup                 string            `json:"resourceGroup"`
	Description                   *string           `json:"description"`
	Tags                          map[string]string `json:"tags"`
	Properties                    map[string]string `json:"properties"`
}

// NewDatastore is the reply for the default datastore of w; endpoint is what follows
// "{account}.blob." in its URL.
func NewDatastore(w Workspace, endpoint string) Datastore {
	return Datastore{
		Resource: Resource{
			ID: w.DatastoreID(DefaultDatastore), Name: DefaultDatastore, Type: provider + "/workspaces/datastores",
			SystemData: newSystemData(w.CreatedAt, w.CreatedAt, "hotswap"),
		},
		Properties: DatastoreProperties{
			DatastoreType: "AzureBlob", AccountName: w.Account, ContainerName: w.Container,
			Endpoint: endpoint, Protocol: "https", IsDefault: true,
			Credentials: map[string]string{"credentialsType": "AccountKey"}, ServiceDataAccessAuthIdentity: "None",
			SubscriptionID: w.Subscription, ResourceGroup: w.ResourceGroup,
			Tags: map[string]string{}, Properties: map[string]string{},
		},
	}
}
