package azure

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// tokens asks for tokens and tells why the login service could not be reached: the SDK has only
// the text of that, within its own.
type tokens struct {
	azcore.TokenCredential
	over *lastError

	mu     sync.Mutex
	issued string // the newest token: each says whose it is
}

// GetToken asks for a token.
func (t *tokens) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := t.TokenCredential.GetToken(ctx, o)
	if e, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); ok && e.RawResponse == nil {
		if cause := t.over.get(); cause != nil {
			return token, &unreachableError{cause}
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.issued = cmp.Or(token.Token, t.issued)
	return token, err
}

// newest is the newest token that was had, "" where none was yet.
func (t *tokens) newest() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.issued
}

// lastError sends requests and keeps the error of the last one.
type lastError struct {
	http *httpClient
	mu   sync.Mutex
	err  error
}

// Do sends a request.
func (l *lastError) Do(r *http.Request) (*http.Response, error) {
	resp, err := l.http.Do(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err = err; err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok { // its text has the whole address
			l.err = &url.Error{Op: e.Op, URL: r.URL.Scheme + "://" + r.URL.Host, Err: e.Err}
		}
	}
	return resp, err
}

func (l *lastError) get() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// unreachableError is of a login service that gave no answer.
type unreachableError struct{ err error }

func (e *unreachableError) Error() string {
	return "the login service can't be reached: " + e.err.Error()
}
func (e *unreachableError) Unwrap() error { return e.err }

// NonRetriable marks the error for azcore: the credential has tried again itself.
func (e *unreachableError) NonRetriable() {}
