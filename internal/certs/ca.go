package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io/fs"
	"os"
	"time"

	"hotswap/internal/online"
)

// pair is a certificate with its private key.
type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

const startAnew = "restore both files from a backup, or remove both to get a new CA, which every client must then trust"

// loadCA reads the CA, or makes one where there is no certificate.
func loadCA(crtFile, keyFile string) (pair, error) {
	if _, err := os.Stat(crtFile); errors.Is(err, fs.ErrNotExist) {
		return newCA(crtFile, keyFile)
	}
	cert, err := readCert(crtFile)
	if err != nil {
		return pair{}, online.Errorf(online.Internal, "read the CA: %w; %s", err, startAnew)
	}
	key, err := readKey(keyFile)
	if err != nil {
		return pair{}, online.Errorf(online.Internal, "read the CA: %w; %s", err, startAnew)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return pair{}, online.Errorf(online.Internal, "read the CA: %s is not the key of %s; %s", keyFile, crtFile, startAnew)
	}
	if time.Now().After(cert.NotAfter) {
		return pair{}, online.Errorf(online.Internal, "read the CA: %s ended on %s; remove it to get a new CA, which every client must then trust",
			crtFile, cert.NotAfter.Format(time.DateOnly))
	}
	return pair{cert, key}, nil
}

func newCA(crtFile, keyFile string) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, online.Errorf(online.Internal, "make the key of the CA: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "Hotswap local CA"},
		NotBefore:             time.Now().Add(-skew),
		NotAfter:              time.Now().Add(caLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return pair{}, online.Errorf(online.Internal, "sign the CA: %w", err)
	}
	cert, err := write(crtFile, keyFile, der, key)
	return pair{cert, key}, err
}
