// Package identity says who a caller is: client secrets, the tokens that they are exchanged for,
// and the keyring that seals what has to be kept secret but read again.
//
// It stores nothing but its two key files. Who may log in is looked up through Principals.
//
//	client id + secret ──Authority.Grant──► token ──Authority.Verify──► Claims
package identity

import "context"

// Principal is somebody who may log in: in Entra's words a service principal.
type Principal struct {
	ClientID string // the application's id, a GUID in lower case
	TenantID string // a GUID in lower case
	ObjectID string // the id of the principal itself, which role assignments name
	Name     string
	Roles    []string
}

// Principals finds who may log in.
type Principals interface {
	// Principal returns the principal with a client id, in lower case, and the hash of its
	// secret; an online.NotFound error where there is none.
	Principal(ctx context.Context, clientID string) (Principal, SecretHash, error)
}
