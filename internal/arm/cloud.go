package arm

// Cloud is the description of a cloud that clients read before anything else: az, azure-ai-ml
// and everything else that is told only the URL of Azure Resource Manager.
type Cloud struct {
	Name                     string            `json:"name"`
	Portal                   string            `json:"portal"`
	Authentication           Authentication    `json:"authentication"`
	ResourceManager          string            `json:"resourceManager"`
	Suffixes                 map[string]string `json:"suffixes"`
	Graph                    string            `json:"graph"`
	GraphAudience            string            `json:"graphAudience"`
	MicrosoftGraphResourceID string            `json:"microsoftGraphResourceId"`
	Batch                    string            `json:"batch"`
	Gallery                  string            `json:"gallery"`
	Media                    string            `json:"media"`
	SQLManagement            string            `json:"sqlManagement"`
	VMImageAliasDoc          string            `json:"vmImageAliasDoc"`
	ActiveDirectoryDataLake  string            `json:"activeDirectoryDataLake"`
}

// Authentication says where tokens come from and for whom they are.
type Authentication struct {
	LoginEndpoint    string   `json:"loginEndpoint"`
	Audiences        []string `json:"audiences"`
	Tenant           string   `json:"tenant"`
	IdentityProvider string   `json:"identityProvider"`
}

// NewCloud describes the cloud whose every service is at base; storage is what follows
// "{account}.blob." in the URL of its blobs. The portal doesn't exist, but azure-ai-ml 1.34.0
// wants a host of at least three words there.
func NewCloud(base, storage string) Cloud {
	return Cloud{
		Name: "Hotswap", Portal: "https://portal.hotswap.localhost",
		Authentication: Authentication{
			LoginEndpoint: base, Audiences: []string{base}, Tenant: "common", IdentityProvider: "AAD",
		},
		ResourceManager: base,
		Suffixes: map[string]string{
			"storage": storage, "keyVaultDns": "vault.hotswap.localhost", "acrLoginServer": "azurecr.hotswap.localhost",
		},
		Graph: base, GraphAudience: base, MicrosoftGraphResourceID: base, Batch: base, Gallery: base, Media: base,
		SQLManagement: base, VMImageAliasDoc: base, ActiveDirectoryDataLake: base,
	}
}
