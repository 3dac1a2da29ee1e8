package identity

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"path/filepath"

	"hotswap/internal/online"
)

// keySize is that of AES-256.
const keySize = 32

// Keyring seals values that lie in the store: encrypted, and bound to what they belong to.
type Keyring struct{ aead cipher.AEAD }

// LoadKeyring reads the key of dir, and makes one where there is none.
func LoadKeyring(dir string) (*Keyring, error) {
	name := filepath.Join(dir, "keyring.key")
	text, err := load(name, newKey)
	if err != nil {
		return nil, online.Errorf(online.Internal, "read the key of the keyring: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(key) != keySize {
		return nil, online.Errorf(online.Internal,
			"read the key of the keyring: %s is damaged; restore it from a backup, because what it sealed cannot be read without it", name)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, online.Errorf(online.Internal, "use the key of the keyring: %w", err)
	}
	// A random nonce of 96 bits serves 2^32 values of one key (NIST SP 800-38D §8.3).
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, online.Errorf(online.Internal, "use the key of the keyring: %w", err)
	}
	return &Keyring{aead}, nil
}

func newKey() ([]byte, error) {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	return []byte(base64.StdEncoding.EncodeToString(key) + "\n"), nil
}

// Seal encrypts a value. Owner says what it belongs to, such as "endpoint taxi/primary": the same
// must be given to Open, so that a value moved to another row does not open.
func (k *Keyring) Seal(value []byte, owner string) []byte {
	return k.aead.Seal(nil, nil, value, []byte(owner))
}

// Open decrypts what Seal made for the same owner.
func (k *Keyring) Open(sealed []byte, owner string) ([]byte, error) {
	value, err := k.aead.Open(nil, nil, sealed, []byte(owner))
	if err != nil {
		return nil, online.Errorf(online.Internal, "open a sealed value of %s: it is damaged, or was sealed with another key or for another owner", owner)
	}
	return value, nil
}
