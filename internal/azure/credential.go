package azure

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	_ "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm/runtime" // fills in the clouds' management endpoints
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"hotswap/internal/online"
)

// principal is the JSON of a service principal, as `az ad sp create-for-rbac --json-auth` prints
// it and hotswap serve writes it, which adds the workspace.
type principal struct {
	ClientID       string `json:"clientId"`
	ClientSecret   string `json:"clientSecret"`
	TenantID       string `json:"tenantId"`
	SubscriptionID string `json:"subscriptionId"`
	ResourceGroup  string `json:"resourceGroup"`
	WorkspaceName  string `json:"workspaceName"`
	LoginURL       string `json:"activeDirectoryEndpointUrl"`
	ManagerURL     string `json:"resourceManagerEndpointUrl"`
}

// azSession is where the last credential of all comes from.
const azSession = "the az session"

// login is who to be, and in which cloud.
type login struct {
	who, from  string // for people: no secret
	cloud      place
	workspace  Workspace // that the credential itself names
	client     string    // its id, where the credential has one
	assertions *issuer   // of a federated login
	credential func(policy.ClientOptions) (azcore.TokenCredential, error)
}

// findLogin takes the first credential that is there; docs/login.md has the order. A variable that
// is empty counts as not there: a workflow's missing secret is the empty text.
func findLogin(o Options) (login, error) {
	if o.CredentialsFile != "" {
		text, err := os.ReadFile(o.CredentialsFile)
		if err != nil {
			return login{}, online.Errorf(online.Invalid, "read the credentials: %w", err)
		}
		return principalLogin(text, "--credentials "+o.CredentialsFile)
	}
	if text := o.Getenv("AZURE_CREDENTIALS"); text != "" {
		return principalLogin([]byte(text), "AZURE_CREDENTIALS")
	}
	if o.Getenv("AZURE_TENANT_ID") != "" && o.Getenv("AZURE_CLIENT_ID") != "" {
		if o.Getenv("AZURE_CLIENT_SECRET")+o.Getenv("AZURE_CLIENT_CERTIFICATE_PATH")+o.Getenv("AZURE_USERNAME") != "" {
			return variablesLogin(o)
		}
		if l, ok, err := federatedLogin(o); ok || err != nil {
			return l, err
		}
	}
	return login{
		who: "the signed-in account", from: azSession, cloud: place{cloud.AzurePublic, true},
		credential: func(policy.ClientOptions) (azcore.TokenCredential, error) {
			return azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{Subscription: o.Workspace.Subscription})
		},
	}, nil
}

// HasCredential reports whether a credential is given, right or wrong. An az session is none: that
// there is one is not known before az is asked.
func HasCredential(o Options) bool {
	l, err := findLogin(o)
	if err != nil {
		return online.CodeOf(err) != online.Unauthenticated
	}
	return l.from != azSession
}

func principalLogin(text []byte, from string) (login, error) {
	var p principal
	if json.Unmarshal(text, &p) != nil { // whose error may quote what it read
		return login{}, online.Errorf(online.Invalid, "read the credentials from %s: they are not the JSON of a service principal", from)
	}
	for _, key := range []struct{ name, value string }{{"clientId", p.ClientID}, {"clientSecret", p.ClientSecret}, {"tenantId", p.TenantID}} {
		if key.value == "" {
			return login{}, online.Errorf(online.Invalid, "read the credentials from %s: %q is missing", from, key.name)
		}
	}
	in, err := findPlace(p.LoginURL, p.ManagerURL)
	if err != nil {
		return login{}, online.Errorf(online.Invalid, "read the credentials from %s: %w", from, err)
	}
	return login{
		who: "service principal " + p.ClientID, from: from, cloud: in, client: p.ClientID,
		workspace: Workspace{p.SubscriptionID, p.ResourceGroup, p.WorkspaceName},
		credential: func(o policy.ClientOptions) (azcore.TokenCredential, error) {
			return azidentity.NewClientSecretCredential(p.TenantID, p.ClientID, p.ClientSecret,
				&azidentity.ClientSecretCredentialOptions{ClientOptions: o, DisableInstanceDiscovery: !in.known})
		},
	}, nil
}

func variablesLogin(o Options) (login, error) {
	in, err := findPlace(o.Getenv("AZURE_AUTHORITY_HOST"), "")
	if err != nil {
		return login{}, online.Errorf(online.Invalid, "read AZURE_AUTHORITY_HOST: %w", err)
	}
	return login{
		who: "service principal " + o.Getenv("AZURE_CLIENT_ID"), from: "the AZURE_* variables", cloud: in, client: o.Getenv("AZURE_CLIENT_ID"),
		credential: func(o policy.ClientOptions) (azcore.TokenCredential, error) {
			return azidentity.NewEnvironmentCredential(&azidentity.EnvironmentCredentialOptions{ClientOptions: o, DisableInstanceDiscovery: !in.known})
		},
	}, nil
}

// place is a cloud.
type place struct {
	cloud.Configuration
	known bool // one of Azure's own, whose login knows its instances
}

func (p place) arm() string { return p.Services[cloud.ResourceManager].Endpoint }

// findPlace finds the cloud of a login and a management address, of which either may be "". With
// both empty it is Azure's public one. Where only one is given and it is not Azure's, both are
// taken to be at that address, as hotswap serve has them.
func findPlace(loginURL, managerURL string) (place, error) {
	if loginURL == "" && managerURL == "" {
		return place{cloud.AzurePublic, true}, nil
	}
	if loginURL == "" {
		loginURL = managerURL
	}
	if managerURL == "" {
		managerURL = loginURL
	}
	for _, address := range []string{loginURL, managerURL} {
		u, err := url.Parse(address)
		switch {
		case err == nil && u.User != nil: // which may be a password: neither quoted now nor shown later
			return place{}, online.Errorf(online.Invalid, "the address at %q has a user in it, who is not sent anywhere: take it out", u.Host)
		case err != nil || u.Scheme != "https" || u.Host == "":
			return place{}, online.Errorf(online.Invalid, "%q is no https address", address)
		}
	}
	for _, known := range []cloud.Configuration{cloud.AzurePublic, cloud.AzureGovernment, cloud.AzureChina} {
		if sameHost(managerURL, known.Services[cloud.ResourceManager].Endpoint) || sameHost(managerURL, known.ActiveDirectoryAuthorityHost) {
			return place{known, true}, nil
		}
	}
	base := strings.TrimSuffix(managerURL, "/")
	return place{cloud.Configuration{
		ActiveDirectoryAuthorityHost: strings.TrimSuffix(loginURL, "/"),
		Services:                     map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: base, Audience: base}},
	}, false}, nil
}

func sameHost(a, b string) bool {
	u, errU := url.Parse(a)
	v, errV := url.Parse(b)
	return errU == nil && errV == nil && strings.EqualFold(u.Host, v.Host)
}
