package azure

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// Principal is whom the service takes us for, in the claims of our own token.
type Principal struct {
	Name   string `json:"name,omitempty"` // of a person; Entra gives an application's token none
	ID     string `json:"id,omitempty"`   // the object's
	App    string `json:"app,omitempty"`  // the client's
	Tenant string `json:"tenant,omitempty"`
}

// Principal reads the claims of our token; where there is none yet it logs in. Nobody has checked
// the token's signature: it is our own, come from the login service, and says who we are, not what
// anyone else may do. One that is no JWT says nothing.
func (a *Account) Principal(ctx context.Context) (Principal, error) {
	if token := a.cred.newest(); token != "" { // whatever it is for: az, for one, takes a second to make another
		return claims(token), nil
	}
	audience := a.options.Cloud.Services[cloud.ResourceManager].Audience
	token, err := a.cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{audience + "/.default"}})
	if err != nil {
		return Principal{}, failed(err, "log in")
	}
	return claims(token.Token), nil
}

// claims are named as in v1.0 and v2.0 access tokens
// (learn.microsoft.com/entra/identity-platform/access-token-claims-reference).
func claims(token string) Principal {
	var c struct {
		Name, UPN, OID, AppID, AZP, TID string
		UniqueName                      string `json:"unique_name"`
		PreferredUsername               string `json:"preferred_username"`
	}
	if !decodeClaims(token, &c) {
		return Principal{}
	}
	return Principal{
		Name: cmp.Or(c.UPN, c.UniqueName, c.PreferredUsername, c.Name), ID: c.OID, App: cmp.Or(c.AppID, c.AZP), Tenant: c.TID,
	}
}

// decodeClaims reads what a JWT says, without checking who says so.
func decodeClaims(token string, into any) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	return err == nil && json.Unmarshal(payload, into) == nil
}
