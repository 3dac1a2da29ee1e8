package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"hotswap/internal/online"
)

// FederationAudience is whom an assertion must be for
// (learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust).
const FederationAudience = "api://AzureADTokenExchange"

// federatedLogin is a login without a secret, by an assertion of somebody whom the service trusts.
// It is ok where there is one to be had.
//
// A runner's goes before a file's: a job is given it only where its workflow asks for it, while
// the file is every pod's, the runner's own among them.
func federatedLogin(o Options) (l login, ok bool, err error) {
	from, source, err := findIssuer(o)
	if err != nil || source == nil {
		return login{}, false, err
	}
	in, err := findPlace(o.Getenv("AZURE_AUTHORITY_HOST"), "")
	if err != nil {
		return login{}, false, online.Errorf(online.Invalid, "read AZURE_AUTHORITY_HOST: %w", err)
	}
	tenant, client := o.Getenv("AZURE_TENANT_ID"), o.Getenv("AZURE_CLIENT_ID")
	i := &issuer{source: source}
	return login{
		who: "service principal " + client, from: from, cloud: in, client: client, assertions: i,
		credential: func(o policy.ClientOptions) (azcore.TokenCredential, error) {
			o.Retry.MaxRetries = -1 // an assertion may be good for one request only: federated asks again with another
			cred, err := azidentity.NewClientAssertionCredential(tenant, client, i.forToken,
				&azidentity.ClientAssertionCredentialOptions{ClientOptions: o, DisableInstanceDiscovery: !in.known})
			return &federated{TokenCredential: cred, issuer: i}, err
		},
	}, true, nil
}

// findIssuer finds who gives out assertions; nil where nobody does.
func findIssuer(o Options) (from string, source assertionSource, err error) {
	address, bearer, file := o.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), o.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN"), o.Getenv("AZURE_FEDERATED_TOKEN_FILE")
	switch {
	case address != "" && bearer != "":
		u, err := url.Parse(address)
		if err != nil || u.Host == "" {
			return "", nil, online.Errorf(online.Invalid, "read ACTIONS_ID_TOKEN_REQUEST_URL: it is no address")
		}
		return "the OIDC token of the workflow's job", &runnerSource{address: u, bearer: bearer}, nil
	case file != "":
		return "AZURE_FEDERATED_TOKEN_FILE " + file, fileSource(file), nil
	case o.Getenv("GITEA_ACTIONS") == "true":
		return "", nil, online.Errorf(online.Unauthenticated, "find a credential: AZURE_CLIENT_ID and AZURE_TENANT_ID are there, but the runner offers this job no OIDC token: "+
			"Forgejo does from v15 where the job has `enable-openid-connect: true`, Gitea has none; give AZURE_CREDENTIALS a secret instead. "+
			"A pull request from a fork gets neither")
	case o.Getenv("GITHUB_ACTIONS") == "true":
		return "", nil, online.Errorf(online.Unauthenticated, "find a credential: AZURE_CLIENT_ID and AZURE_TENANT_ID are there, but the job may not ask for an OIDC token: "+
			"give it `permissions: id-token: write`, or AZURE_CREDENTIALS a secret. A pull request from a fork gets neither")
	}
	return "", nil, nil
}

// issuer gives assertions, each made anew, and remembers what the newest said.
type issuer struct {
	source assertionSource

	mu     sync.Mutex
	newest string
}

// assertionSource makes an assertion.
type assertionSource interface {
	use(*httpClient)
	assertion(ctx context.Context) (string, error)
}

func (i *issuer) use(c *httpClient) { i.source.use(c) }

func (i *issuer) assertion(ctx context.Context) (string, error) {
	text, err := i.source.assertion(ctx)
	if err != nil {
		return "", err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.newest = text
	return text, nil
}

// failureKey is of the place in a context where forToken leaves its error: of an error of its
// callback the SDK keeps only the text.
type failureKey struct{}

// forToken is called by the SDK once for each token request.
func (i *issuer) forToken(ctx context.Context) (string, error) {
	text, err := i.assertion(ctx)
	if failure, ok := ctx.Value(failureKey{}).(*error); ok {
		*failure = err
	}
	return text, err
}

func (i *issuer) last() (Assertion, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return readAssertion(i.newest)
}

// federated asks for tokens, each time with an assertion of its own.
type federated struct {
	azcore.TokenCredential
	issuer *issuer
}

// How often a token is asked for, and how long federated waits before it asks again, doubled each time.
const (
	tokenTries = 4
	tokenPause = 500 * time.Millisecond
)

// GetToken asks for a token.
func (f *federated) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	for try, pause := 1, tokenPause; ; try, pause = try+1, 2*pause {
		var failure error
		token, err := f.TokenCredential.GetToken(context.WithValue(ctx, failureKey{}, &failure), o)
		if failure != nil {
			return token, &finalError{failure}
		}
		refused, ok := errors.AsType[*azidentity.AuthenticationFailedError](err)
		if !ok || ctx.Err() != nil {
			return token, err
		}
		if !inPassing(refused) {
			return token, f.refused(refused)
		}
		if try == tokenTries {
			return token, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return token, err
		}
	}
}

// inPassing reports whether the service may yet give a token.
func inPassing(e *azidentity.AuthenticationFailedError) bool {
	if e.RawResponse == nil {
		return true
	}
	status := e.RawResponse.StatusCode
	return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
}

// refused tells what was presented, for whoever is to trust it. It is not secret: the assertion's
// signature is what nobody may see.
func (f *federated) refused(e *azidentity.AuthenticationFailedError) error {
	said := fmt.Sprintf("status %d", e.RawResponse.StatusCode)
	var answer struct {
		Description string `json:"error_description"`
		Codes       []int  `json:"error_codes"`
	}
	if json.Unmarshal(payload(e.RawResponse), &answer) == nil && answer.Description != "" {
		said, _, _ = strings.Cut(line(answer.Description), " Trace ID:") // Entra goes on with ids and the time
	}
	refused := &RefusedError{Said: said, Untrusted: len(answer.Codes) == 0 || slices.ContainsFunc(answer.Codes, ofTrust)}
	refused.Assertion, _ = f.issuer.last()
	return &finalError{online.Errorf(online.Unauthenticated, "log in by federation: %w", refused)}
}

// ofTrust reports whether an error of Entra's is AADSTS70021 or one of those that have come after
// it, which say what exactly no federated credential matches
// (learn.microsoft.com/entra/identity-platform/reference-error-codes).
func ofTrust(code int) bool { return strings.HasPrefix(strconv.Itoa(code), "70021") }

// RefusedError is of a login service that takes no token for an assertion.
type RefusedError struct {
	Said      string // by the service
	Assertion Assertion
	Untrusted bool // nobody has told the service to trust it
}

func (e *RefusedError) Error() string {
	text := fmt.Sprintf("the login service refuses (%s)", e.Said)
	if e.Assertion.Subject != "" {
		text += fmt.Sprintf("; the assertion has issuer %q, subject %q, audience %q", e.Assertion.Issuer, e.Assertion.Subject, strings.Join(e.Assertion.Audience, ", "))
	}
	if e.Untrusted {
		text += "; hotswap login prints the command that makes it trusted"
	}
	return text
}

// finalError tells azcore not to try again what was tried again already, or can't be helped by it.
type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

// NonRetriable marks the error for azcore.
func (e *finalError) NonRetriable() {}

// fileSource is a file with an assertion, which somebody keeps fresh.
type fileSource string

func (fileSource) use(*httpClient) {}

func (name fileSource) assertion(context.Context) (string, error) {
	text, err := os.ReadFile(string(name))
	if err != nil {
		return "", online.Errorf(online.Unauthenticated, "read the assertion that AZURE_FEDERATED_TOKEN_FILE names: %w", err)
	}
	assertion := strings.TrimSpace(string(text))
	if assertion == "" {
		return "", online.Errorf(online.Unauthenticated, "read the assertion that AZURE_FEDERATED_TOKEN_FILE names: %s is empty", string(name))
	}
	return assertion, nil
}

// runnerSource asks the runner of a workflow, which asks its forge
// (docs.github.com/actions/reference/security/oidc; forgejo.org/docs, "Security OpenID Connect").
type runnerSource struct {
	address *url.URL
	bearer  string
	client  runtime.Pipeline
}

// runnerTimeout bounds one attempt to get an assertion.
const runnerTimeout = 15 * time.Second

func (s *runnerSource) use(c *httpClient) {
	s.client = runtime.NewPipeline("hotswap", "", runtime.PipelineOptions{}, &policy.ClientOptions{
		Transport: c, Retry: policy.RetryOptions{TryTimeout: runnerTimeout}, Telemetry: policy.TelemetryOptions{Disabled: true},
	})
}

const askingRunner = "ask the runner for an OIDC token"

func (s *runnerSource) assertion(ctx context.Context) (string, error) {
	u := *s.address
	query := u.Query()
	query.Set("audience", FederationAudience)
	u.RawQuery = query.Encode()
	req, err := runtime.NewRequest(ctx, http.MethodGet, u.String())
	if err != nil {
		return "", online.Errorf(online.Invalid, "%s: ACTIONS_ID_TOKEN_REQUEST_URL is no address that can be asked", askingRunner)
	}
	req.Raw().Header.Set("Authorization", "Bearer "+s.bearer)
	req.Raw().Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return "", online.Errorf(online.Unavailable, "%s: %w; run the job again", askingRunner, err)
	}
	defer resp.Body.Close()
	body := payload(resp)
	switch {
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return "", online.Errorf(online.Unauthenticated, "%s: it is refused (status %d); give the job `permissions: id-token: write`; a pull request from a fork gets none, "+
			"and a job's right to ask ends with the job", askingRunner, resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return "", online.Errorf(codeOf(resp.StatusCode), "%s: status %d; run the job again", askingRunner, resp.StatusCode)
	}
	var answer struct {
		Value string `json:"value"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Value == "" { // the body may hold a token: it isn't quoted
		return "", online.Errorf(online.Unavailable, "%s: the answer holds none; run the job again", askingRunner)
	}
	if a, ok := readAssertion(answer.Value); ok && !a.isFor(FederationAudience) {
		return "", online.Errorf(online.Unavailable, "%s: it is for the audience %q, want %q: this runner can't be asked for another, so give AZURE_CREDENTIALS a secret",
			askingRunner, strings.Join(a.Audience, ", "), FederationAudience)
	}
	return answer.Value, nil
}
