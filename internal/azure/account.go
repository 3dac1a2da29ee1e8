package azure

import (
	"errors"
	"slices"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"hotswap/internal/online"
)

// Account is a login: who we are, in which cloud, before any workspace is named.
type Account struct {
	login   login
	http    *httpClient
	cred    *tokens
	options policy.ClientOptions
}

// SignIn finds the credential. It sends nothing yet.
func SignIn(o Options) (*Account, error) {
	client, err := newHTTPClient(o.Getenv)
	if err != nil {
		return nil, err
	}
	a := &Account{http: client}
	if a.login, err = findLogin(o); err != nil {
		return nil, err
	}
	a.options = policy.ClientOptions{
		Cloud: a.login.cloud.Configuration, Transport: a.http,
		Retry: policy.RetryOptions{TryTimeout: RequestTimeout},
	}
	if a.login.assertions != nil {
		a.login.assertions.use(a.http)
	}
	over := &lastError{http: a.http}
	asking := a.options
	asking.Transport = over
	cred, err := a.login.credential(asking)
	if err != nil {
		return nil, online.Errorf(online.Invalid, "use %s from %s: %w", a.login.who, a.login.from, err)
	}
	a.cred = &tokens{TokenCredential: cred, over: over}
	return a, nil
}

// Sources tells which credential is used, in which cloud, and where that comes from.
func (a *Account) Sources() []Source {
	return []Source{{"credential", a.login.who, a.login.from}, {"cloud", a.login.cloud.arm(), a.login.from}}
}

// Sources tells what is used and where it comes from.
func (c *Client) Sources() []Source { return slices.Concat(c.Account.Sources(), c.sources) }

// ClientID is the id of the application that the credential is of, "" where the credential does
// not tell.
func (a *Account) ClientID() string { return a.login.client }

// Azure reports whether the cloud is one of Azure's own, and not hotswap serve or a private one.
func (a *Account) Azure() bool { return a.login.cloud.known }

// Mend is the command that mends a login which failed with err, nil where none is known to.
func (a *Account) Mend(err error) []string {
	refused, is := errors.AsType[*RefusedError](err)
	switch {
	case is && refused.Untrusted:
		return a.Trust(refused.Assertion)
	case is || online.CodeOf(err) != online.Unauthenticated:
		return nil
	case a.login.from == azSession:
		return []string{"az", "login"}
	case a.Azure() && a.ClientID() != "":
		return []string{"az", "ad", "app", "credential", "reset", "--id", a.ClientID(), "--append"}
	}
	return nil
}
