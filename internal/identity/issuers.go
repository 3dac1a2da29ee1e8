package identity

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

const (
	fetchTimeout = 10 * time.Second // of an issuer's configuration and keys together
	maxDocument  = 1 << 20          // of either
	keysLife     = time.Hour        // after that, a key that the issuer has withdrawn is no longer trusted
	// retryAfter is how long keys are not fetched again because of a key id that none has, or after
	// a fetch that failed: anybody can make up a key id.
	retryAfter = 5 * time.Second
)

// issuers has the keys of those whose assertions are trusted.
type issuers struct {
	client *http.Client
	mu     sync.Mutex
	byURL  map[string]*issuer
}

// issuer has the keys of one. Its lock is held while they are fetched, so that one fetch serves all who wait.
type issuer struct {
	url    string
	client *http.Client

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time // when keys were
	again   time.Time // they are not fetched before that
	err     error     // of the last fetch
}

func newIssuers(transport http.RoundTripper) *issuers {
	if transport == nil {
		transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
			MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: time.Minute,
		}
	}
	return &issuers{byURL: map[string]*issuer{}, client: &http.Client{
		Transport: bounded{transport},
		// A redirect would move the trust to whoever is behind it.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// bounded cuts answers off: what comes after is missing, and the JSON with it.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return nil, fmt.Errorf("%s is no https address", r.URL.Redacted())
	}
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxDocument), resp.Body}
	}
	return resp, err
}

// verify checks that an assertion is one of an issuer for an audience, by the signature. Its times
// are the caller's to check.
func (i *issuers) verify(ctx context.Context, url, audience, assertion string) error {
	i.mu.Lock()
	of := i.byURL[url]
	if of == nil {
		of = &issuer{url: url, client: i.client}
		i.byURL[url] = of
	}
	i.mu.Unlock()
	config := &oidc.Config{ClientID: audience, SkipExpiryCheck: true}
	for _, algorithm := range algorithms {
		config.SupportedSigningAlgs = append(config.SupportedSigningAlgs, string(algorithm))
	}
	keys := &keySet{issuer: of}
	_, err := oidc.NewVerifier(url, keys, config).Verify(ctx, assertion)
	switch {
	case err == nil:
		return nil
	case keys.down != nil:
		return &GrantError{
			Code: TemporarilyUnavailable, Reason: keys.down.Error(),
			Description: fmt.Sprintf("The keys of the issuer %q can't be had at present. Try again; the server's log says why.", url),
		}
	}
	return &GrantError{
		Code: InvalidClient, Number: 700027, Reason: err.Error(),
		Description: fmt.Sprintf("Client assertion failed signature validation: it is not signed with a key of the issuer %q.", url),
	}
}

// keySet is an oidc.KeySet for one assertion.
type keySet struct {
	*issuer
	down error // why the keys could not be had, which oidc passes on as text only
}

// VerifySignature is called with the algorithm checked.
func (k *keySet) VerifySignature(ctx context.Context, assertion string) ([]byte, error) {
	parsed, err := jose.ParseSignedCompact(assertion, algorithms)
	if err != nil {
		return nil, err
	}
	header := parsed.Signatures[0].Header
	var key *jose.JSONWebKey
	if key, k.down = k.key(ctx, header.KeyID, header.Algorithm); k.down != nil {
		return nil, k.down
	}
	if key == nil {
		return nil, fmt.Errorf("the issuer has no key %q for %s", header.KeyID, header.Algorithm)
	}
	return parsed.Verify(key)
}

// key returns the key with an id, nil where the issuer has none. Keys are fetched when they are old,
// and once in a while for an id that is new; never for a wrong signature, as oidc.RemoteKeySet would.
func (i *issuer) key(ctx context.Context, id, algorithm string) (*jose.JSONWebKey, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	fresh := !i.fetched.IsZero() && time.Since(i.fetched) < keysLife
	if key := i.find(id, algorithm); key != nil && fresh {
		return key, nil
	}
	if time.Now().Before(i.again) {
		return nil, i.err
	}
	keys, err := i.fetch(context.WithoutCancel(ctx))
	if i.err = err; err != nil || fresh {
		i.again = time.Now().Add(retryAfter)
	}
	if err != nil {
		return nil, err
	}
	i.keys, i.fetched = keys, time.Now()
	return i.find(id, algorithm), nil
}

// find returns the key with an id. An assertion need not name one where there is only one.
func (i *issuer) find(id, algorithm string) *jose.JSONWebKey {
	for n := range i.keys {
		k := &i.keys[n]
		if (k.KeyID == id || id == "" && len(i.keys) == 1) && (k.Use == "" || k.Use == "sig") && (k.Algorithm == "" || k.Algorithm == algorithm) {
			return k
		}
	}
	return nil
}

// fetch asks an issuer for its keys (OpenID Connect Discovery 1.0 §4).
func (i *issuer) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, i.client), fetchTimeout)
	defer cancel()
	provider, err := oidc.NewProvider(ctx, i.url) // which compares the issuer in there with the one asked
	if err != nil {
		return nil, fmt.Errorf("read the configuration of the issuer %s: %w", i.url, err)
	}
	var configuration struct {
		KeysURL string `json:"jwks_uri"`
	}
	if err := provider.Claims(&configuration); err != nil {
		return nil, fmt.Errorf("read the configuration of the issuer %s: %w", i.url, err)
	}
	keys, err := i.get(ctx, configuration.KeysURL)
	if err != nil {
		return nil, fmt.Errorf("read the keys of the issuer %s: %w", i.url, err)
	}
	return keys, nil
}

func (i *issuer) get(ctx context.Context, address string) ([]jose.JSONWebKey, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := i.client.Do(request)
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = fmt.Errorf("%s: %w", address, e.Err)
	}
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", address, response.Status)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(response.Body).Decode(&set); err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	var keys []jose.JSONWebKey
	for _, text := range set.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(text, &key) == nil && key.IsPublic() { // others are of kinds that sign nothing here (RFC 7517 §5)
			keys = append(keys, key)
		}
	}
	return keys, nil
}
