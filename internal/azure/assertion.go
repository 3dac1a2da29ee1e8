package azure

import (
	"context"
	"encoding/json"
	"slices"
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
var jobClaims = []string{"repository", "repository_id", "environment", "ref", "event_name", "job_workflow_ref"}

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
