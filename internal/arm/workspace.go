package arm

import "time"

// Workspace is the one workspace that the server serves.
type Workspace struct {
	Scope
	GUID, Tenant, Location string
	Account                string // of the artifact store
	CreatedAt              time.Time
}

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

// BlobDatastore is a datastore as it is told to NewDatastore and as DecodeDatastore reads it.
type BlobDatastore struct {
	Name                  string
	Container             string
	Default               bool
	Description           string
	Tags                  map[string]string
	Properties            map[string]string
	CreatedAt, ModifiedAt time.Time
}

// NewDatastore is the reply for d; suffix is what follows "{account}.blob." in its URL.
func NewDatastore(w Workspace, suffix string, d BlobDatastore) Datastore {
	return Datastore{
		Resource: Resource{
			ID: w.DatastoreID(d.Name), Name: d.Name, Type: provider + "/workspaces/datastores",
			SystemData: newSystemData(d.CreatedAt, d.ModifiedAt, "hotswap"),
		},
		Properties: DatastoreProperties{
			DatastoreType: "AzureBlob", AccountName: w.Account, ContainerName: d.Container,
			Endpoint: suffix, Protocol: "https", IsDefault: d.Default,
			Credentials: map[string]string{"credentialsType": "AccountKey"}, ServiceDataAccessAuthIdentity: "None",
			SubscriptionID: w.Subscription, ResourceGroup: w.ResourceGroup,
			Description: orNull(d.Description), Tags: orEmpty(d.Tags), Properties: orEmpty(d.Properties),
		},
	}
}

// DecodeDatastore reads the body of a PUT. A datastore is a container of the workspace's own
// account; its credentials are the server's and not read, and neither is whether it is the default.
func DecodeDatastore(w Workspace, name string, body []byte) (BlobDatastore, error) {
	r, err := decodeProperties[struct {
		DatastoreType string `json:"datastoreType"`
		AccountName   string `json:"accountName"`
		ContainerName string `json:"containerName"`
		Description   string `json:"description"`
		Tags          texts  `json:"tags"`
		Properties    texts  `json:"properties"`
	}]("datastore", body)
	if err != nil {
		return BlobDatastore{}, err
	}
	if _, err := oneOf("properties.datastoreType", r.DatastoreType, "AzureBlob", "AzureBlob"); err != nil {
		return BlobDatastore{}, err
	}
	if _, err := oneOf("properties.accountName", r.AccountName, w.Account, w.Account); err != nil {
		return BlobDatastore{}, err
	}
	return BlobDatastore{
		Name: name, Container: r.ContainerName,
		Description: r.Description, Tags: orEmpty(r.Tags), Properties: orEmpty(r.Properties),
	}, nil
}
