package azure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"hotswap/internal/online"
)

// newHTTPClient makes the one client that everything is sent with. It trusts the system's
// authorities and those in the files that SSL_CERT_FILE and REQUESTS_CA_BUNDLE name; the second
// is what the Python clients go by. Redirects are not followed: they could carry a key elsewhere.
func newHTTPClient(getenv func(string) string) (*httpClient, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	for _, name := range []string{"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"} {
		path := getenv(name)
		if path == "" {
			continue
		}
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, online.Errorf(online.Invalid, "read the certificates that %s names: %w", name, err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, online.Errorf(online.Invalid, "read the certificates that %s names: none in %s", name, path)
		}
	}
	return &httpClient{http.Client{
		Transport: &http.Transport{
			Proxy:               proxy,
			DialContext:         dial,
			TLSClientConfig:     &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: 15 * time.Second,
			ForceAttemptHTTP2:   true,
			MaxIdleConnsPerHost: 16,
			IdleConnTimeout:     90 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// httpClient is an http.Client that tells the SDK not to try again where a server isn't trusted,
// and whose errors hold no secret.
type httpClient struct{ http.Client }

// Do sends a request.
func (c *httpClient) Do(r *http.Request) (*http.Response, error) {
	resp, err := c.Client.Do(r)
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return nil, &untrustedError{host: r.URL.Host, err: e}
	}
	if e, ok := errors.AsType[*url.Error](err); ok { // its text has the whole address, which may be signed
		return nil, &url.Error{Op: e.Op, URL: r.URL.Scheme + "://" + r.URL.Host + r.URL.Path, Err: e.Err}
	}
	return resp, err
}

// untrustedError is of a server whose certificate no known authority has signed.
type untrustedError struct {
	host string
	err  error
}

func (e *untrustedError) Error() string {
	return e.host + ": " + e.err.Error() + "; name the file of its authority in SSL_CERT_FILE or REQUESTS_CA_BUNDLE"
}
func (e *untrustedError) Unwrap() error { return e.err }

// NonRetriable marks the error for azcore.
func (e *untrustedError) NonRetriable() {}

// isLocalhost reports whether a name is this machine by RFC 6761, section 6.3, which most
// resolvers don't know of. The blob host of hotswap serve is such a name.
func isLocalhost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func proxy(r *http.Request) (*url.URL, error) {
	if isLocalhost(r.URL.Hostname()) {
		return nil, nil
	}
	return http.ProxyFromEnvironment(r)
}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	host, port, err := net.SplitHostPort(address)
	if err != nil || !isLocalhost(host) {
		return dialer.DialContext(ctx, network, address)
	}
	conn, err := dialer.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		if six, errSix := dialer.DialContext(ctx, network, net.JoinHostPort("::1", port)); errSix == nil {
			return six, nil
		}
	}
	return conn, err
}
