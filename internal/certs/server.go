package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io/fs"
	"net"
	"slices"
	"time"

	"hotswap/internal/online"
)

// loadServer reads the server certificate, nil where it has to be made: because it isn't there,
// or a crash left only one of its files new, or it is for other hosts, or from another CA, or near
// its end.
func (a *Authority) loadServer() (*tls.Certificate, error) {
	cert, err := readCert(a.path("server.crt"))
	key, keyErr := readKey(a.path("server.key"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(keyErr, fs.ErrNotExist) {
		return nil, nil
	}
	if err := errors.Join(err, keyErr); err != nil {
		return nil, online.Errorf(online.Internal, "read the server certificate: %w; remove the file to get a new one", err)
	}
	if !key.PublicKey.Equal(cert.PublicKey) || cert.CheckSignatureFrom(a.ca.cert) != nil || nearEnd(cert) || !a.names(cert) {
		return nil, nil
	}
	return serving(cert, key), nil
}

// issue makes a new server certificate and saves it.
func (a *Authority) issue() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, online.Errorf(online.Internal, "make the key of the server: %w", err)
	}
	end := time.Now().Add(serverLife)
	if a.ca.cert.NotAfter.Before(end) {
		end = a.ca.cert.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: "Hotswap server"},
		NotBefore:    time.Now().Add(-skew),
		NotAfter:     end,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	template.DNSNames, template.IPAddresses = alternatives(a.hosts)
	der, err := x509.CreateCertificate(rand.Reader, template, a.ca.cert, key.Public(), a.ca.key)
	if err != nil {
		return nil, online.Errorf(online.Internal, "sign the server certificate: %w", err)
	}
	cert, err := write(a.path("server.crt"), a.path("server.key"), der, key)
	if err != nil {
		return nil, err
	}
	return serving(cert, key), nil
}

func serving(cert *x509.Certificate, key *ecdsa.PrivateKey) *tls.Certificate {
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// alternatives are the names that the certificate is valid for. The blob hosts have a wildcard
// of their own because one label is all that a wildcard stands for (RFC 9525 §6.3), and because
// OpenSSL refuses one with a single label behind it, as in *.localhost.
func alternatives(hosts []string) (names []string, addresses []net.IP) {
	names = []string{"localhost", "*.localhost", "*.blob.localhost"}
	addresses = []net.IP{net.IPv4(127, 0, 0, 1).To4(), net.IPv6loopback}
	for _, host := range hosts {
		ip := net.ParseIP(host)
		switch {
		case ip != nil && !slices.ContainsFunc(addresses, ip.Equal):
			addresses = append(addresses, ip)
		case ip == nil && !slices.Contains(names, host):
			names = append(names, host, "*.blob."+host)
		}
	}
	return names, addresses
}

// names reports whether cert is for exactly the hosts of a.
func (a *Authority) names(cert *x509.Certificate) bool {
	names, addresses := alternatives(a.hosts)
	return slices.Equal(cert.DNSNames, names) && slices.EqualFunc(cert.IPAddresses, addresses, net.IP.Equal)
}

func nearEnd(cert *x509.Certificate) bool { return time.Until(cert.NotAfter) < renewAhead }
