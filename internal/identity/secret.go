package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// secretSize is 256 bits of chance.
const secretSize = 32

// SecretHash is what is kept of a secret.
//
// It is one round of SHA-256, without salt and without stretching. Those protect secrets that
// people choose, which can be guessed; a secret of ours is 256 uniformly random bits, which
// nobody finds by trying, however fast a try is, and no two of which are the same.
// So it must never be used for a password.
type SecretHash [sha256.Size]byte

// NewSecret returns a new random secret of 43 letters, digits, hyphens and underscores.
func NewSecret() string {
	b := make([]byte, secretSize)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// HashSecret returns what to keep of a secret that NewSecret made.
func HashSecret(secret string) SecretHash { return sha256.Sum256([]byte(secret)) }

// CheckSecret reports whether secret is the one that h was made of. How long it takes tells
// nothing of h.
func CheckSecret(h SecretHash, secret string) bool {
	given := HashSecret(secret)
	return subtle.ConstantTimeCompare(h[:], given[:]) == 1
}
