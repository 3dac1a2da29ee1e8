package azure_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

// jwt is a token with those claims; nobody looks at its head and signature here.
func jwt(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func TestPrincipal(t *testing.T) {
	tests := map[string]struct {
		token string
		want  azure.Principal
	}{
		"an application": {
			jwt(`{"aud":"https://management.azure.com","oid":"o1","appid":"a1","tid":"t1","roles":["r"]}`),
			azure.Principal{ID: "o1", App: "a1", Tenant: "t1"},
		},
		"a person": {
			jwt(`{"name":"Alice Doe","upn":"alice@example.com","unique_name":"alice#","oid":"o2","appid":"a2","tid":"t2"}`),
			azure.Principal{Name: "alice@example.com", ID: "o2", App: "a2", Tenant: "t2"},
		},
		"version 2":        {jwt(`{"name":"Bob","oid":"o3","azp":"a3","tid":"t3"}`), azure.Principal{Name: "Bob", ID: "o3", App: "a3", Tenant: "t3"}},
		"a guest":          {jwt(`{"unique_name":"live.com#carol@example.com","oid":"o4"}`), azure.Principal{Name: "live.com#carol@example.com", ID: "o4"}},
		"no JWT":           {"token", azure.Principal{}},
		"garbled payload":  {"e30.!.c2ln", azure.Principal{}},
		"payload not JSON": {jwt("x"), azure.Principal{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, o := newFakeAzure(t)
			f.bearer = tt.token
			c := connect(t, o)
			for _, when := range []string{"before any call", "after one"} {
				if got, err := c.Principal(t.Context()); err != nil || got != tt.want {
					t.Errorf("Principal %s = %+v, %v; want %+v", when, got, err, tt.want)
				}
				if _, err := c.Endpoints(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestPrincipalNeedsALogin(t *testing.T) {
	_, o := newFakeAzure(t)
	good := o.Getenv
	o.Getenv = func(name string) string { return strings.Replace(good(name), secret, "wrong", 1) }
	_, err := connect(t, o).Principal(t.Context())
	wantCode(t, "log in", err, online.Unauthenticated, "refused the credential")
}
