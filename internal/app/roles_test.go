package app_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// manage makes a call of the management plane below the workspace.
func (r *running) manage(t *testing.T, token, method, path, body string) (int, string) {
	t.Helper()
	workspace := r.URL() + "/subscriptions/" + r.made.SubscriptionID + "/resourceGroups/hotswap/providers/Microsoft.MachineLearningServices/workspaces/local"
	request, err := http.NewRequestWithContext(t.Context(), method, workspace+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := r.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// tokens gives the tokens of one principal, by their resource.
type tokens func(resource string) string

func (r *running) principal(t *testing.T, owner tokens, name, role, endpoint string) tokens {
	t.Helper()
	status, text := r.manage(t, owner(r.URL()), http.MethodPut, "/providers/Hotswap/principals/"+name,
		`{"properties":{"roles":[{"role":"`+role+`","endpoint":"`+endpoint+`"}]}}`)
	var made struct {
		Properties struct{ Credential secrets }
	}
	if err := json.Unmarshal([]byte(text), &made); err != nil || status != http.StatusCreated {
		t.Fatalf("%d %s: %v", status, text, err)
	}
	c := made.Properties.Credential
	credential, err := azidentity.NewClientSecretCredential(c.TenantID, c.ClientID, c.ClientSecret, &azidentity.ClientSecretCredentialOptions{
		ClientOptions:            policy.ClientOptions{Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: c.ActiveDirectoryEndpointURL}, Transport: r.http},
		DisableInstanceDiscovery: true,
	})
	return tokensOf(t, must(t, credential, err))
}

func tokensOf(t *testing.T, credential azcore.TokenCredential) tokens {
	return func(resource string) string {
		t.Helper()
		token, err := credential.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{resource + "/.default"}})
		return must(t, token, err).Token
	}
}

// The scoring plane and the artifact store go by the roles too. Behind the gateway's check is no
// deployment, so a token that is let in gets its 404.
func TestRolesOnTheDataPlanes(t *testing.T) {
	t.Parallel()
	server, _ := start(t, options(stateDir(t)))
	c := server.client(t, server.made.ClientSecret)
	owner := tokensOf(t, server.credential(t))
	url := *c.putProperties(t, "taxi", ml.OnlineEndpointProperties{AuthMode: new(ml.EndpointAuthModeAADToken)}).Properties.ScoringURI
	const in, out = http.StatusNotFound, http.StatusUnauthorized
	for name, tt := range map[string]struct {
		role, endpoint string
		scores         int
		reads, writes  bool
	}{
		"reader":                  {"reader", "", out, true, false},
		"reader-of-endpoint":      {"reader", "taxi", out, false, false},
		"scorer":                  {"scorer", "", in, true, false},
		"scorer-of-endpoint":      {"scorer", "taxi", in, false, false},
		"scorer-of-another":       {"scorer", "fare", out, false, false},
		"deployer":                {"deployer", "", in, true, true},
		"deployer-of-endpoint":    {"deployer", "taxi", in, true, true},
		"deployer-of-another":     {"deployer", "fare", out, true, true},
		"owner-beside-the-first":  {"owner", "", in, true, true},
		"scorer-of-it-in-capital": {"Scorer", "TAXI", in, false, false},
	} {
		token := server.principal(t, owner, name, tt.role, tt.endpoint)
		if status, answer, _ := server.score(t, url, token("https://ml.azure.com"), `{}`); status != tt.scores {
			t.Errorf("%s scores: %d %s, want %d", name, status, answer, tt.scores)
		}
		blobs, err := container.NewClient("https://hotswap.blob."+server.URL()[len("https://"):]+"/roles", fixed(token("https://storage.azure.com")),
			&container.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: server.http, Retry: policy.RetryOptions{MaxRetries: -1}}})
		_, errWrite := must(t, blobs, err).Create(t.Context(), nil)
		if refused := bloberror.HasCode(errWrite, bloberror.AuthorizationPermissionMismatch); refused == tt.writes {
			t.Errorf("%s writes: %v, want allowed = %t", name, errWrite, tt.writes)
		}
		_, errRead := blobs.GetProperties(t.Context(), nil)
		if refused := bloberror.HasCode(errRead, bloberror.AuthorizationPermissionMismatch) || errRead != nil && strings.Contains(errRead.Error(), "403"); refused == tt.reads {
			t.Errorf("%s reads: %v, want allowed = %t", name, errRead, tt.reads)
		}
		if status, text := server.manage(t, owner(server.URL()), http.MethodDelete, "/providers/Hotswap/principals/"+name, ""); status != http.StatusOK {
			t.Errorf("revoke %s: %d %s", name, status, text)
		}
		if status, _, _ := server.score(t, url, token("https://ml.azure.com"), `{}`); status != out {
			t.Errorf("%s scores after it was revoked: %d", name, status)
		}
		if _, err := blobs.GetProperties(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("%s reads after it was revoked: %v", name, err)
		}
	}
}

// A token of an endpoint's own lives as long as the one whom it was given to.
func TestEndpointTokenOfARevokedPrincipal(t *testing.T) {
	t.Parallel()
	server, _ := start(t, options(stateDir(t)))
	c := server.client(t, server.made.ClientSecret)
	owner := tokensOf(t, server.credential(t))
	url := *c.putProperties(t, "taxi", ml.OnlineEndpointProperties{AuthMode: new(ml.EndpointAuthModeAMLToken)}).Properties.ScoringURI
	app := server.principal(t, owner, "app", "scorer", "taxi")
	status, text := server.manage(t, app(server.URL()), http.MethodPost, "/onlineEndpoints/taxi/token", "")
	var given struct{ AccessToken string }
	if err := json.Unmarshal([]byte(text), &given); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	if status, answer, _ := server.score(t, url, given.AccessToken, `{}`); status != http.StatusNotFound {
		t.Errorf("%d %s, want it let in", status, answer)
	}
	server.manage(t, owner(server.URL()), http.MethodDelete, "/providers/Hotswap/principals/app", "")
	if status, _, _ := server.score(t, url, given.AccessToken, `{}`); status != http.StatusUnauthorized {
		t.Errorf("after it was revoked: %d", status)
	}
}

// A folder whose owner was revoked, or whose file is gone, has another one at the next start.
func TestCredentialsAfterTheOwnerIsRevoked(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	server, stop := start(t, options(dir))
	owner := tokensOf(t, server.credential(t))
	second := server.principal(t, owner, "second", "owner", "")
	if status, text := server.manage(t, second(server.URL()), http.MethodDelete, "/providers/Hotswap/principals/hotswap", ""); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	stop()
	again, _ := start(t, options(dir))
	if again.made.ClientID == server.made.ClientID {
		t.Error("the file still has the revoked principal")
	}
	if status, text := again.manage(t, tokensOf(t, again.credential(t))(again.URL()), http.MethodGet, "/providers/Hotswap/principals", ""); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
}
