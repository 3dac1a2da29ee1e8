package azure

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"hotswap/internal/online"
)

// ServicePrincipal is one of those who may log in to hotswap serve. Those of Azure are Entra's.
type ServicePrincipal struct {
	Name       string
	Properties PrincipalProperties
}

// PrincipalProperties is what the server tells of a principal.
type PrincipalProperties struct {
	ClientID   string                `json:"clientId"`
	ObjectID   string                `json:"objectId"`
	CreatedAt  string                `json:"createdAt"`
	Roles      []RoleAssignment      `json:"roles"`
	Federated  []FederatedCredential `json:"federatedCredentials"`
	Credential json.RawMessage       `json:"credential,omitempty"` // of a new one: its JSON, with the secret
}

// RoleAssignment is a role on an endpoint, on the workspace where that is "".
type RoleAssignment struct {
	Role     string `json:"role"`
	Endpoint string `json:"endpoint,omitempty"`
}

// FederatedCredential is what a principal may log in with instead of a secret: an assertion of the
// issuer for the audience, about one of the subjects, with these values of claims.
type FederatedCredential struct {
	Issuer   string            `json:"issuer"`
	Audience string            `json:"audience"`
	Subjects []string          `json:"subjects"`
	Claims   map[string]string `json:"claims,omitempty"`
}

// ServicePrincipals lists those who may log in.
func (c *Client) ServicePrincipals(ctx context.Context) (all []ServicePrincipal, err error) {
	next := c.principalURL("")
	for next != "" {
		var page struct {
			Value    []ServicePrincipal `json:"value"`
			NextLink string             `json:"nextLink"`
		}
		if _, err := c.manage(ctx, http.MethodGet, next, nil, &page); err != nil {
			return nil, failedOurs(err, "list the principals")
		}
		all, next = append(all, page.Value...), page.NextLink
	}
	return all, nil
}

// CreatePrincipal makes a principal. Its credential is in the answer, and told this once only.
func (c *Client) CreatePrincipal(ctx context.Context, name string, role RoleAssignment) (p ServicePrincipal, err error) {
	body := map[string]any{"properties": map[string]any{"roles": []RoleAssignment{role}}}
	// Sent once: a second one would find the name taken by the first, whose reply was lost.
	_, err = c.manage(once(ctx), http.MethodPut, c.principalURL("/"+url.PathEscape(name)), body, &p)
	if err = failedOurs(err, "create principal %q", name); online.CodeOf(err) == online.Unavailable {
		err = online.Errorf(online.Unavailable, "%w; it may be there all the same, with a secret that nobody knows: revoke it before you create it again", err)
	}
	return p, err
}

// Federate lets a principal log in with assertions. Doing it again changes nothing.
func (c *Client) Federate(ctx context.Context, name string, f FederatedCredential) (p ServicePrincipal, err error) {
	_, err = c.manage(ctx, http.MethodPost, c.principalURL("/"+url.PathEscape(name)+"/federate"), f, &p)
	return p, failedOurs(err, "federate principal %q", name)
}

// RevokePrincipal ends a principal, and the tokens that it has.
func (c *Client) RevokePrincipal(ctx context.Context, name string) error {
	status, err := c.manage(ctx, http.MethodDelete, c.principalURL("/"+url.PathEscape(name)), nil, nil)
	if err == nil && status == http.StatusNoContent {
		return online.Errorf(online.NotFound, "revoke principal %q: there is none of that name or client id", name)
	}
	return failedOurs(err, "revoke principal %q", name)
}

func (c *Client) principalURL(below string) string {
	return strings.TrimSuffix(c.login.cloud.arm(), "/") + c.workspace.ID() + "/providers/Hotswap/principals" + below + "?api-version=2026-11-01"
}

// once is a context whose requests are sent once.
func once(ctx context.Context) context.Context {
	return policy.WithRetryOptions(ctx, policy.RetryOptions{MaxRetries: -1, TryTimeout: RequestTimeout})
}

// ownerRole is one of hotswap serve's own.
const ownerRole = "owner"

// failedOurs is failed for what hotswap serve alone has.
func failedOurs(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return classify(err, ownerRole, fmt.Sprintf(format, args...))
}

// manage sends a request to the management plane and reads its answer.
func (c *Client) manage(ctx context.Context, method, address string, body, into any) (status int, err error) {
	client, err := arm.NewClient("hotswap", "v0.0.0", c.cred, &arm.ClientOptions{ClientOptions: c.options, DisableRPRegistration: true})
	if err != nil {
		return 0, err
	}
	req, err := runtime.NewRequest(ctx, method, address)
	if err != nil {
		return 0, err
	}
	if body != nil {
		if err := runtime.MarshalAsJSON(req, body); err != nil {
			return 0, err
		}
	}
	resp, err := client.Pipeline().Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if !runtime.HasStatusCode(resp, http.StatusOK, http.StatusCreated, http.StatusNoContent) {
		return resp.StatusCode, runtime.NewResponseError(resp)
	}
	text, err := runtime.Payload(resp)
	if err == nil && into != nil && len(bytes.TrimSpace(text)) > 0 {
		err = json.Unmarshal(text, into)
	}
	return resp.StatusCode, err
}
