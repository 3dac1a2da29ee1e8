package azure_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

const ours = "/providers/hotswap/principals"

func TestServicePrincipals(t *testing.T) {
	f, o := newFakeAzure(t)
	c := connect(t, o)
	var sent []string
	answer := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			sent = append(sent, string(body))
			reply(w, status, text)
		}
	}
	const one = `{"name":"ci","properties":{"clientId":"id","roles":[{"role":"deployer","endpoint":"taxi"}],"federatedCredentials":[]`
	f.hooks["PUT "+ours+"/ci"] = answer(201, one+`,"credential":{"clientSecret":"s"}}}`)
	f.hooks["POST "+ours+"/ci/federate"] = answer(200, one+`}}`)
	f.hooks["GET "+ours] = func(w http.ResponseWriter, r *http.Request) {
		next := ""
		if r.URL.Query().Get("$skip") == "" {
			next = `,"nextLink":"` + f.base + r.URL.Path + `?$skip=1"`
		}
		reply(w, 200, `{"value":[`+one+`}}]`+next+`}`)
	}
	f.hooks["DELETE "+ours+"/ci"] = answer(200, ``)

	role := azure.RoleAssignment{Role: "deployer", Endpoint: "taxi"}
	made, err := c.CreatePrincipal(t.Context(), "ci", role)
	if err != nil || string(made.Properties.Credential) != `{"clientSecret":"s"}` || !cmp.Equal(made.Properties.Roles, []azure.RoleAssignment{role}) {
		t.Errorf("created %+v, %v", made, err)
	}
	credential := azure.FederatedCredential{Issuer: "https://i", Audience: "a", Subjects: []string{"s", "t"}, Claims: map[string]string{"repository_id": "1"}}
	if _, err := c.Federate(t.Context(), "ci", credential); err != nil {
		t.Error(err)
	}
	if all, err := c.ServicePrincipals(t.Context()); err != nil || len(all) != 2 || all[1].Properties.ClientID != "id" {
		t.Errorf("listed %+v, %v; want both pages", all, err)
	}
	if err := c.RevokePrincipal(t.Context(), "ci"); err != nil {
		t.Error(err)
	}
	want := []string{
		`{"properties":{"roles":[{"role":"deployer","endpoint":"taxi"}]}}`,
		`{"issuer":"https://i","audience":"a","subjects":["s","t"],"claims":{"repository_id":"1"}}`, ``,
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Error(diff)
	}
}

func TestServicePrincipalsFail(t *testing.T) {
	f, o := newFakeAzure(t)
	c := connect(t, o)
	wantCode(t, "revoke nobody", c.RevokePrincipal(t.Context(), "nobody"), online.NotFound, "nobody")
	f.hooks["PUT "+ours+"/ci"] = func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 403, `{"error":{"code":"AuthorizationFailed","message":"The client 'x' may not"}}`)
	}
	_, err := c.CreatePrincipal(t.Context(), "ci", azure.RoleAssignment{Role: "reader"})
	wantCode(t, "as no owner", err, online.Forbidden, "The client 'x' may not", `ask for the role "owner"`)
	f.hooks["PUT "+ours+"/ci"] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("x-hotswap-role", "owner")
		reply(w, 403, `{"error":{"code":"AuthorizationFailed","message":"It takes the role owner."}}`)
	}
	if _, err = c.CreatePrincipal(t.Context(), "ci", azure.RoleAssignment{Role: "reader"}); err == nil || !strings.HasSuffix(err.Error(), "It takes the role owner.") {
		t.Errorf("where the server names its role: %v", err)
	}
	f.hooks["PUT "+ours+"/ci"] = func(w http.ResponseWriter, _ *http.Request) { reply(w, 409, `{"error":{"message":"taken"}}`) }
	_, err = c.CreatePrincipal(t.Context(), "ci", azure.RoleAssignment{Role: "reader"})
	wantCode(t, "a name that is taken", err, online.Conflict, "taken")
	if strings.Contains(err.Error(), "revoke it before") {
		t.Errorf("an answer was not lost: %v", err)
	}
	// The principal may have been made, and its secret is lost: sent again, it would find its own name taken.
	f.hooks["PUT "+ours+"/ci"] = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	f.calls = nil
	_, err = c.CreatePrincipal(t.Context(), "ci", azure.RoleAssignment{Role: "reader"})
	wantCode(t, "a lost answer", err, online.Unavailable, "revoke it before you create it again")
	if n := f.count("PUT " + ours + "/ci"); n != 1 {
		t.Errorf("the request was sent %d times", n)
	}
}
