package identity

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json" // unlike encoding/json it takes "Sub" for no "sub", and no name twice
	"github.com/go-jose/go-jose/v4/jwt"

	"hotswap/internal/online"
)

const (
	// assertionType is the one kind of assertion that is taken (RFC 7523 §2.2).
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// maxAssertion bounds what is parsed. GitHub's are of about 2 KB.
	maxAssertion = 16 << 10
	// leeway is how far an issuer's clock and ours may be apart.
	leeway = time.Minute
)

// algorithms are those that only the holder of a private key can use: not "none", and no HMAC,
// whose secret might be taken from the public key.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// Assertions remembers which assertions were used.
type Assertions interface {
	// Spend notes the use of something that may be used once, until a time, and reports whether it
	// is the first.
	Spend(ctx context.Context, key string, until time.Time) (first bool, err error)
}

// byAssertion finds the principal that an assertion proves its caller to be (RFC 7523 §3).
//
// What the assertion says of itself is compared with the principal's federated credentials before
// its signature is checked: keys are fetched from issuers only that one of them names, and only for
// a subject and audience that it trusts.
func (a *Authority) byAssertion(ctx context.Context, form url.Values, resource string) (Principal, error) {
	if got := form.Get("client_assertion_type"); got != assertionType {
		return Principal{}, &GrantError{Code: InvalidRequest, Description: fmt.Sprintf("client_assertion_type is %q, want %s", got, assertionType)}
	}
	assertion := form.Get("client_assertion")
	said, times, err := parseAssertion(assertion)
	if err != nil {
		return Principal{}, err
	}
	record, _ := a.options.Principals.Find(strings.ToLower(form.Get("client_id"))) // without credentials where there is none
	trusted, err := match(record.Federated, said)
	if err != nil {
		return Principal{}, err
	}
	if err := checkTimes(times); err != nil {
		return Principal{}, err
	}
	if err := a.issuers.verify(ctx, trusted.Issuer, trusted.Audience, assertion); err != nil {
		return Principal{}, err
	}
	return record.Principal, a.spend(ctx, said, times, resource)
}

// parseAssertion reads what an assertion says. Nothing of it is proven by that.
func parseAssertion(assertion string) (presented, jwt.Claims, error) {
	malformed := func(reason string) error {
		return &GrantError{
			Code: InvalidClient, Number: 50027, Reason: reason,
			Description: "The client assertion is no JWT that is signed with one of RS256, PS256, ES256, their longer forms, or EdDSA.",
		}
	}
	if len(assertion) > maxAssertion {
		return presented{}, jwt.Claims{}, malformed(fmt.Sprintf("the assertion has more than %d bytes", maxAssertion))
	}
	parsed, err := jose.ParseSignedCompact(assertion, algorithms)
	if err != nil {
		return presented{}, jwt.Claims{}, malformed(err.Error())
	}
	var (
		times   jwt.Claims
		all     map[string]any
		payload = parsed.UnsafePayloadWithoutVerification()
		decoder = json.NewDecoder(bytes.NewReader(payload))
	)
	decoder.SetNumberType(json.UnmarshalJSONNumber) // ids stay what they are
	if err := errors.Join(json.Unmarshal(payload, &times), decoder.Decode(&all)); err != nil {
		return presented{}, jwt.Claims{}, malformed(err.Error())
	}
	id := times.ID
	if id == "" { // what is signed: the text around it can be written in several ways
		id = string(payload)
	}
	return presented{Issuer: times.Issuer, Subject: times.Subject, Audience: times.Audience, ID: id, all: all}, times, nil
}

func checkTimes(c jwt.Claims) error {
	now := time.Now()
	err := c.ValidateWithLeeway(jwt.Expected{Time: now}, leeway)
	if err == nil && (c.Expiry == nil || c.IssuedAt == nil) {
		err = errors.New("it lacks exp or iat")
	}
	if err == nil {
		return nil
	}
	shown := func(d *jwt.NumericDate) string {
		if d == nil {
			return "none"
		}
		return d.Time().UTC().Format(time.RFC3339)
	}
	return &GrantError{
		Code: InvalidClient, Number: 700024, Reason: err.Error(),
		Description: fmt.Sprintf("Client assertion is not within its valid time range: issued %s, not before %s, expires %s, and here it is %s. Ask the issuer for a fresh one.",
			shown(c.IssuedAt), shown(c.NotBefore), shown(c.Expiry), now.UTC().Format(time.RFC3339)),
	}
}

// spend lets an assertion have one token for each resource: az uses one for several resources,
// and nobody has a use for two of one.
func (a *Authority) spend(ctx context.Context, said presented, times jwt.Claims, resource string) error {
	sum := sha256.Sum256([]byte(said.Issuer + "\x00" + said.ID + "\x00" + resource))
	first, err := a.options.Assertions.Spend(ctx, hex.EncodeToString(sum[:]), times.Expiry.Time().Add(leeway))
	if err != nil {
		return online.Errorf(online.CodeOf(err), "note the use of an assertion: %w", err)
	}
	if !first {
		return &GrantError{
			Code: InvalidClient, Reason: "the assertion was used before",
			Description: fmt.Sprintf("The client assertion was already exchanged for a token for %q. Ask the issuer for a fresh one.", resource),
		}
	}
	return nil
}
