package app_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// Each kind of token opens what it is for and nothing else. Behind the gateway's check is no
// deployment, so a token that is let in gets its 404.
func TestTokens(t *testing.T) {
	t.Parallel()
	server, _ := start(t, options(stateDir(t)))
	c := server.client(t, server.made.ClientSecret)
	credential := server.credential(t)
	entra := func(scope string) string {
		token, err := credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{scope}})
		return must(t, token, err).Token
	}
	urls := map[string]string{}
	for name, mode := range map[string]ml.EndpointAuthMode{"aml-token": ml.EndpointAuthModeAMLToken, "aad-token": ml.EndpointAuthModeAADToken, "with-key": ml.EndpointAuthModeKey} {
		urls[name] = *c.putProperties(t, name, ml.OnlineEndpointProperties{AuthMode: &mode}).Properties.ScoringURI
	}
	aml, err := c.NewOnlineEndpointsClient().GetToken(t.Context(), c.group, c.workspace, "aml-token", nil)
	tests := map[string]struct {
		url, token string
		status     int
	}{
		"aml":                   {urls["aml-token"], *must(t, aml, err).AccessToken, http.StatusNotFound},
		"entra":                 {urls["aad-token"], entra("https://ml.azure.com/.default"), http.StatusNotFound},
		"of another endpoint":   {urls["aad-token"], *aml.AccessToken, http.StatusUnauthorized},
		"management":            {urls["aad-token"], entra(server.URL() + "/.default"), http.StatusUnauthorized},
		"storage":               {urls["aml-token"], entra("https://storage.azure.com/.default"), http.StatusUnauthorized},
		"where a key is wanted": {urls["with-key"], entra("https://ml.azure.com/.default"), http.StatusUnauthorized},
		"none":                  {urls["aad-token"], "", http.StatusUnauthorized},
	}
	for name, tt := range tests {
		if status, answer, _ := server.score(t, tt.url, tt.token, `{}`); status != tt.status {
			t.Errorf("%s: %d %s, want %d", name, status, answer, tt.status)
		}
	}

	url := "https://hotswap.blob." + server.URL()[len("https://"):] + "/token-test"
	blobs, err := container.NewClient(url, credential, &container.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: server.http, Retry: policy.RetryOptions{MaxRetries: -1}}})
	if _, err := must(t, blobs, err).Create(t.Context(), nil); err != nil {
		t.Errorf("a token for storage does not open the artifact store: %v", err)
	}
	blobs, err = container.NewClient(url, fixed(entra(server.URL()+"/.default")), &container.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: server.http, Retry: policy.RetryOptions{MaxRetries: -1}}})
	if _, err := must(t, blobs, err).GetProperties(t.Context(), nil); err == nil {
		t.Error("a token for the management plane opens the artifact store")
	}
}

// fixed is a credential that is one token.
type fixed string

func (f fixed) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(f)}, nil
}

func (r *running) credential(t *testing.T) *azidentity.ClientSecretCredential {
	t.Helper()
	common := policy.ClientOptions{Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: r.made.ActiveDirectoryEndpointURL}, Transport: r.http}
	credential, err := azidentity.NewClientSecretCredential(r.made.TenantID, r.made.ClientID, r.made.ClientSecret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: common, DisableInstanceDiscovery: true})
	return must(t, credential, err)
}
