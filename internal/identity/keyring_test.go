package identity_test

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hotswap/internal/identity"
)

func TestKeyring(t *testing.T) {
	dir := t.TempDir()
	k, err := identity.LoadKeyring(dir)
	if err != nil {
		t.Fatal(err)
	}
	const owner = "endpoint taxi/primary"
	sealed := k.Seal([]byte("a key"), owner)
	again, err := identity.LoadKeyring(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open(sealed, owner); err != nil || string(got) != "a key" {
		t.Errorf("Open after a restart = %q, %v", got, err)
	}
	if other := k.Seal([]byte("a key"), owner); string(other) == string(sealed) || strings.Contains(string(sealed), "a key") {
		t.Error("sealing shows what was sealed")
	}
	strange, err := identity.LoadKeyring(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte(nil), sealed...)
	damaged[len(damaged)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another owner": func() ([]byte, error) { return k.Open(sealed, "endpoint taxi/secondary") },
		"another key":   func() ([]byte, error) { return strange.Open(sealed, owner) },
		"damaged":       func() ([]byte, error) { return k.Open(damaged, owner) },
		"cut":           func() ([]byte, error) { return k.Open(sealed[:5], owner) },
		"nothing":       func() ([]byte, error) { return k.Open(nil, owner) },
	} {
		if got, err := open(); err == nil || got != nil {
			t.Errorf("%s opened: %q", name, got)
		}
	}
}

// Two servers that start at once must end up with one key, or the tokens of one fail at the other.
func TestKeyFilesAreMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	sums := make([][sha256.Size]byte, 20)
	sealed := make([][]byte, len(sums))
	var wg sync.WaitGroup
	for i := range sums {
		wg.Go(func() {
			a, err := identity.NewAuthority(identity.Options{Dir: dir})
			k, err2 := identity.LoadKeyring(dir)
			if err := errors.Join(err, err2); err != nil {
				t.Error(err)
				return
			}
			set, _ := a.JWKS()
			sums[i] = sha256.Sum256(set)
			sealed[i] = k.Seal(nil, "x")
		})
	}
	wg.Wait()
	k, err := identity.LoadKeyring(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sums {
		if _, err := k.Open(sealed[i], "x"); err != nil || sums[i] != sums[0] {
			t.Fatalf("start %d had keys of its own", i)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("files %v (%v), want the two keys", entries, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", e.Name(), info.Mode())
		}
	}
}

func TestDamagedKeyFiles(t *testing.T) {
	tests := map[string]struct{ file, content, want string }{
		"token key, rubbish": {"token.key", "rubbish", "remove it to get a new one"},
		"token key, empty":   {"token.key", "", "remove it to get a new one"},
		"keyring, rubbish":   {"keyring.key", "!", "restore it from a backup"},
		"keyring, short":     {"keyring.key", "AAAA", "restore it from a backup"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, tt.file)
			if err := os.WriteFile(file, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := identity.NewAuthority(identity.Options{Dir: dir})
			if tt.file == "keyring.key" {
				_, err = identity.LoadKeyring(dir)
			}
			if err == nil || !strings.Contains(err.Error(), file+" is damaged") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to name the file and say %q", err, tt.want)
			}
		})
	}
}
