package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"

	"hotswap/internal/online"
)

const (
	certBlock = "CERTIFICATE"
	keyBlock  = "PRIVATE KEY"
)

// write saves a key and then its certificate, and returns the certificate parsed.
func write(crtFile, keyFile string, der []byte, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, online.Errorf(online.Internal, "encode %s: %w", keyFile, err)
	}
	if err := replace(keyFile, keyBlock, pkcs8, 0o600); err != nil {
		return nil, online.Errorf(online.Internal, "save the key of a certificate: %w", err)
	}
	if err := replace(crtFile, certBlock, der, 0o644); err != nil {
		return nil, online.Errorf(online.Internal, "save a certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// replace puts a PEM file in place of name, all of it or nothing, so that it is on the disk
// when replace returns.
func replace(name, block string, der []byte, mode os.FileMode) error {
	var text bytes.Buffer
	if err := pem.Encode(&text, &pem.Block{Type: block, Bytes: der}); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) //nolint:errcheck // because after the rename there is nothing to remove
	_, err = temp.Write(text.Bytes())
	err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func readCert(name string) (*x509.Certificate, error) {
	der, err := readBlock(name, certBlock)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", name, err)
	}
	return cert, nil
}

func readKey(name string) (*ecdsa.PrivateKey, error) {
	der, err := readBlock(name, keyBlock)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", name, err)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a key of type %T, want ECDSA", name, key)
	}
	return ec, nil
}

func readBlock(name, block string) ([]byte, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	decoded, _ := pem.Decode(text)
	if decoded == nil || decoded.Type != block {
		return nil, fmt.Errorf("%s is damaged: it holds no PEM block %q", name, block)
	}
	return decoded.Bytes, nil
}

// serial is a random serial number of 127 bits (RFC 5280 §4.1.2.2: positive, 20 octets at most).
func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	b[0] &= 0x7f
	b[15] |= 1
	return new(big.Int).SetBytes(b)
}
