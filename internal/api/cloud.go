package api

import (
	"encoding/json"
	"net/http"
	"strings"

	"hotswap/internal/arm"
)

// storageSuffix follows "{account}.blob." in the host of the artifact store.
func (s *Server) storageSuffix() string { return strings.TrimPrefix(s.BaseURL, "https://") }

// getCloud describes the cloud. "az cloud register" asks for 2022-09-01 and wants one object;
// az wants a list from the URL in ARM_CLOUD_METADATA_URL, azure-ai-ml takes either.
func (s *Server) getCloud(r *request) (reply, error) {
	cloud := arm.NewCloud(s.BaseURL, s.storageSuffix())
	if r.URL.Query().Get("api-version") == "2022-09-01" {
		return ok(cloud)
	}
	return ok([]arm.Cloud{cloud})
}

// getOpenID answers for every tenant alike, so that it doesn't tell which one there is.
func (s *Server) getOpenID(r *request) (reply, error) {
	base := s.BaseURL + "/" + r.PathValue("tenant")
	return ok(map[string]any{
		"issuer":                                base + "/v2.0",
		"token_endpoint":                        base + "/oauth2/v2.0/token",
		"authorization_endpoint":                base + "/oauth2/v2.0/authorize",
		"device_authorization_endpoint":         base + "/oauth2/v2.0/devicecode",
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"response_types_supported":              []string{"token"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"ES256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt"},
		"scopes_supported":                      []string{"openid"},
		"claims_supported":                      []string{"sub", "iss", "aud", "exp", "iat", "appid", "oid", "tid"},
		"cloud_instance_name":                   s.storageSuffix(),
		"tenant_region_scope":                   nil,
	})
}

func (s *Server) getSigningKeys(*request) (reply, error) {
	keys, err := s.Authority.JWKS()
	return reply{status: http.StatusOK, body: json.RawMessage(keys)}, err
}
