package certs_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hotswap/internal/certs"
)

func load(t *testing.T, dir string, hosts ...string) *certs.Authority {
	t.Helper()
	a, err := certs.Load(dir, hosts)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// get makes a request over TLS to whatever listens at addr, which it takes to be host.
func get(t *testing.T, a *certs.Authority, addr, host string) error {
	t.Helper()
	pool := x509.NewCertPool()
	ca, err := os.ReadFile(a.CAFile())
	if err != nil || !pool.AppendCertsFromPEM(ca) {
		t.Fatalf("no CA in %s (%v)", a.CAFile(), err)
	}
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool},
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("https://" + host + ":443/")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if proto, _ := io.ReadAll(resp.Body); string(proto) != "HTTP/2.0" {
		t.Errorf("spoke %s, want HTTP/2.0", proto)
	}
	return nil
}

func serve(t *testing.T, a *certs.Authority) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		TLSConfig: a.TLSConfig(),
		ErrorLog:  log.New(io.Discard, "", 0), // the handshakes that must fail
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }),
	}
	var served sync.WaitGroup
	served.Go(func() { _ = server.ServeTLS(l, "", "") })
	t.Cleanup(func() { server.Close(); served.Wait() })
	return l.Addr().String()
}

func TestHandshake(t *testing.T) {
	a := load(t, t.TempDir(), "swap.example.org", "192.0.2.7")
	addr := serve(t, a)
	tests := map[string]struct {
		host  string
		valid bool
	}{
		"localhost":             {"localhost", true},
		"below localhost":       {"anything.localhost", true},
		"blob host":             {"hotswap.blob.localhost", true},
		"loopback":              {"127.0.0.1", true},
		"loopback, version 6":   {"[::1]", true},
		"custom":                {"swap.example.org", true},
		"blob host of custom":   {"hotswap.blob.swap.example.org", true},
		"custom address":        {"192.0.2.7", true},
		"another":               {"example.org", false},
		"another address":       {"192.0.2.8", false},
		"two labels below blob": {"a.b.blob.localhost", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if err := get(t, a, addr, tt.host); (err == nil) != tt.valid {
				t.Errorf("handshake for %s: %v, want valid = %t", tt.host, err, tt.valid)
			}
		})
	}
}

func TestReload(t *testing.T) {
	tests := map[string]struct {
		hosts   []string
		before  func(dir string) error
		renewed bool
	}{
		"nothing changed":            {hosts: []string{"a.example", "b.example"}},
		"hosts in another order":     {hosts: []string{"b.example", "a.example", "a.example"}},
		"a host more":                {hosts: []string{"a.example", "b.example", "c.example"}, renewed: true},
		"a host less":                {hosts: []string{"a.example"}, renewed: true},
		"server.key lost":            {hosts: []string{"a.example", "b.example"}, before: func(dir string) error { return os.Remove(filepath.Join(dir, "server.key")) }, renewed: true},
		"signed by another CA":       {hosts: []string{"a.example", "b.example"}, before: strangeServer, renewed: true},
		"crash between both renames": {hosts: []string{"a.example", "b.example"}, before: strangeKey, renewed: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			load(t, dir, "a.example", "b.example")
			ca, caKey, server := read(t, dir, "ca.crt"), read(t, dir, "ca.key"), read(t, dir, "server.crt")
			if tt.before != nil {
				if err := tt.before(dir); err != nil {
					t.Fatal(err)
				}
			}
			a := load(t, dir, tt.hosts...)
			if !bytes.Equal(ca, read(t, dir, "ca.crt")) || !bytes.Equal(caKey, read(t, dir, "ca.key")) {
				t.Error("the CA was made anew")
			}
			if renewed := !bytes.Equal(server, read(t, dir, "server.crt")); renewed != tt.renewed {
				t.Errorf("renewed = %t, want %t", renewed, tt.renewed)
			}
			if err := get(t, a, serve(t, a), "a.example"); err != nil {
				t.Error(err)
			}
		})
	}
}

// strangeKey puts another server's key in dir, as a crash does between the two renames.
func strangeKey(dir string) error { return strange(dir, "server.key") }

// strangeServer puts another CA's server certificate in dir.
func strangeServer(dir string) error { return strange(dir, "server.key", "server.crt") }

func strange(dir string, names ...string) error {
	other, err := os.MkdirTemp(dir, "other")
	if err != nil {
		return err
	}
	if _, err := certs.Load(other, []string{"a.example", "b.example"}); err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Rename(filepath.Join(other, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

func TestDamagedFiles(t *testing.T) {
	tests := map[string]struct{ file, content, want string }{
		"ca.crt, no PEM":     {"ca.crt", "rubbish", "remove both to get a new CA"},
		"ca.key, no PEM":     {"ca.key", "", "remove both to get a new CA"},
		"ca.key, bad DER":    {"ca.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "remove both to get a new CA"},
		"server.crt, no PEM": {"server.crt", "rubbish", "remove the file to get a new one"},
		"server.key, no PEM": {"server.key", "rubbish", "remove the file to get a new one"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			load(t, dir)
			file := filepath.Join(dir, tt.file)
			if err := os.WriteFile(file, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := certs.Load(dir, nil)
			if err == nil || !strings.Contains(err.Error(), file+" is damaged") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to name %s and say %q", err, file, tt.want)
			}
		})
	}
}

func TestCAWithoutKey(t *testing.T) {
	dir := t.TempDir()
	load(t, dir)
	if err := os.Remove(filepath.Join(dir, "ca.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := certs.Load(dir, nil); err == nil || !strings.Contains(err.Error(), "ca.key") {
		t.Errorf("error %v, want one that names ca.key", err)
	}
}

func TestFilesAndModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	load(t, dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]os.FileMode{"ca.crt": 0o644, "ca.key": 0o600, "server.crt": 0o644, "server.key": 0o600}
	if len(entries) != len(want) {
		t.Errorf("%d files, want %d: %v", len(entries), len(want), entries)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode() != want[e.Name()] {
			t.Errorf("%s has mode %v (%v), want %v", e.Name(), info.Mode(), err, want[e.Name()])
		}
	}
}

// A server that runs for more than a year must not end up with an expired certificate.
func TestRenewsWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := load(t, t.TempDir()).TLSConfig()
		first, err := config.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * 24 * time.Hour)
		if same, err := config.GetCertificate(nil); err != nil || same != first {
			t.Errorf("renewed too early (%v)", err)
		}
		time.Sleep(80 * 24 * time.Hour)
		renewed, err := config.GetCertificate(nil)
		if err != nil || renewed == first || time.Until(renewed.Leaf.NotAfter) < 300*24*time.Hour {
			t.Errorf("not renewed (%v)", err)
		}
	})
}
