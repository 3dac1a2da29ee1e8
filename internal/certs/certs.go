// Package certs is the local certificate authority: it makes the CA that clients are told to
// trust, and the certificate with which the server answers.
//
// Four files lie in one folder: ca.crt and ca.key, made once, and server.crt and server.key,
// made again whenever the host names change or the certificate nears its end. Each file is
// written whole or not at all, a key before its certificate; so a certificate that is there has
// its key, and a crash in between is mended by the next start.
package certs

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"hotswap/internal/online"
)

const (
	caLife = 10 * 365 * 24 * time.Hour
	// Apple's platforms refuse a server certificate of more than 398 days from a public CA and
	// 825 from a private one (support.apple.com/102028 and 103769); this keeps to the smaller.
	serverLife = 397 * 24 * time.Hour
	renewAhead = 30 * 24 * time.Hour
	skew       = time.Hour // clients' clocks may run behind ours
)

// Authority is the CA of one folder with its current server certificate.
type Authority struct {
	dir   string
	hosts []string // the extra ones, sorted
	ca    pair

	mu     sync.Mutex
	server *tls.Certificate
}

// Load reads the authority of dir, and makes what is not there yet. The server certificate is
// valid for localhost, the loopback addresses, each of hosts, and the blob hosts below them.
func Load(dir string, hosts []string) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, online.Errorf(online.Internal, "make the folder of the certificates: %w", err)
	}
	a := &Authority{dir: dir, hosts: slices.Compact(slices.Sorted(slices.Values(hosts)))}
	var err error
	if a.ca, err = loadCA(a.CAFile(), a.path("ca.key")); err != nil {
		return nil, err
	}
	kept, err := a.loadServer()
	if err != nil {
		return nil, err
	}
	if a.server = kept; kept == nil {
		a.server, err = a.issue()
	}
	return a, err
}

// CAFile is the path of the CA certificate, for clients to trust.
func (a *Authority) CAFile() string { return a.path("ca.crt") }

// TLSConfig is for a server. It renews the certificate of a server that runs long.
func (a *Authority) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: a.certificate,
	}
}

func (a *Authority) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !nearEnd(a.server.Leaf) {
		return a.server, nil
	}
	renewed, err := a.issue()
	if err != nil && time.Now().Before(a.server.Leaf.NotAfter) {
		return a.server, nil // a full disk must not end what still works; the next handshake tries again
	}
	if err != nil {
		return nil, err
	}
	a.server = renewed
	return renewed, nil
}

func (a *Authority) path(name string) string { return filepath.Join(a.dir, name) }
