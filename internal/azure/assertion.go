package azure

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Assertion is what an OIDC assertion says, without the assertion itself.
type Assertion struct {
	Issuer   string    `json:"issuer"`
	Subject  string    `json:"subject"`
	Audience []string  `json:"audience"`
	Expires  time.Time `json:"expires"`
	// What the forge says of the job beside it, by the names of its claims.
	Job map[string]string `json:"job,omitempty"`
}

// jobClaims are what GitHub and Forgejo say of a job, as far as it explains a subject
// (docs.github.com/actions/reference/security/oidc).
var jobClaims = []string{"repository", "repository_id", "repository_owner_id", "environment", "ref", "event_name", "job_workflow_ref"}

// Assertion asks for a new assertion and returns what it says; false where the login is not by
// federation, or the assertion is no JWT.
func (a *Account) Assertion(ctx context.Context) (Assertion, bool, error) {
	if a.login.assertions == nil {
		return Assertion{}, false, nil
	}
	text, err := a.login.assertions.assertion(ctx)
	if err != nil {
		return Assertion{}, false, err
	}
	said, ok := readAssertion(text)
	return said, ok, nil
}

// Federated reports whether the login is by an assertion instead of a secret.
func (a *Account) Federated() bool { return a.login.assertions != nil }

// Trust is the command that makes the service trust an assertion: Entra's own, or the one of
// hotswap serve.
func (a *Account) Trust(said Assertion) []string {
	audience := FederationAudience
	if len(said.Audience) > 0 {
		audience = said.Audience[0]
	}
	if !a.Azure() {
		command := []string{"hotswap", "principal", "federate", a.ClientID(), "--issuer", said.Issuer, "--subject", said.Subject, "--audience", audience}
		if id, owner := said.Job["repository_id"], said.Job["repository_owner_id"]; id != "" && owner != "" { // whoever takes over the name has others
			command = append(command, "--repository-id", id, "--owner-id", owner)
		}
		return command
	}
	return TrustCommand(a.ClientID(), said.Issuer, said.Subject, audience)
}

// TrustCommand is the command that makes Entra trust an issuer's assertions for an application
// (learn.microsoft.com/cli/azure/ad/app/federated-credential).
func TrustCommand(application, issuer, subject, audience string) []string {
	parameters, _ := json.Marshal(struct { // of texts only, which can't fail
		Name      string   `json:"name"`
		Issuer    string   `json:"issuer"`
		Subject   string   `json:"subject"`
		Audiences []string `json:"audiences"`
	}{credentialName(subject), issuer, subject, []string{audience}})
	return []string{"az", "ad", "app", "federated-credential", "create", "--id", application, "--parameters", string(parameters)}
}

// credentialName makes a name of 3 to 120 characters, as Entra wants it, of a subject.
func credentialName(subject string) string {
	const longest = 120
	name := "hotswap-" + strings.Trim(notInNames.ReplaceAllString(subject, "-"), "-")
	return strings.TrimRight(name[:min(len(name), longest)], "-")
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9]+`)

func readAssertion(text string) (Assertion, bool) {
	var claims struct {
		Issuer   string   `json:"iss"`
		Subject  string   `json:"sub"`
		Audience oneOrAll `json:"aud"`
		Expires  float64  `json:"exp"` // RFC 7519 allows fractions
	}
	all := map[string]any{}
	if !decodeClaims(text, &claims) || !decodeClaims(text, &all) {
		return Assertion{}, false
	}
	a := Assertion{Issuer: claims.Issuer, Subject: claims.Subject, Audience: claims.Audience, Job: map[string]string{}}
	if claims.Expires > 0 {
		a.Expires = time.Unix(int64(claims.Expires), 0).UTC()
	}
	for _, name := range jobClaims {
		if value, ok := all[name].(string); ok && value != "" {
			a.Job[name] = value
		}
	}
	return a, true
}

func (a Assertion) isFor(audience string) bool { return slices.Contains(a.Audience, audience) }

// oneOrAll is an audience, which is a text or a list of them (RFC 7519, section 4.1.3).
type oneOrAll []string

// UnmarshalJSON reads either.
func (o *oneOrAll) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*o = oneOrAll{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(o))
}
