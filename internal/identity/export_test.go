package identity

import "crypto/ecdsa"

// SigningKey is the key that a signs with, for tokens that Issue would not make.
func SigningKey(a *Authority) *ecdsa.PrivateKey { return a.key }
