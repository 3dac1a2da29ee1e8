// Package identity says who a caller is and what the caller may do: client secrets, the assertions
// of other issuers that are trusted instead, the tokens that either is exchanged for, roles, and
// the keyring that seals what has to be kept secret but read again.
//
// It stores nothing but its two key files. Who may log in is in a Registry, which keeps its records
// elsewhere.
//
//	client id + secret ────┐
//	                       ├─Authority.Grant──► token ──Authority.Verify──► Claims ──Principal.May──► yes or no
//	client id + assertion ─┘
//	  of a trusted issuer
package identity

import "time"

// Principal is somebody who may log in: in Entra's words a service principal.
type Principal struct {
	ClientID string // the application's id, a GUID in lower case
	TenantID string // a GUID in lower case
	ObjectID string // the id of the principal itself, which role assignments name
	Name     string
	Roles    []Assignment
}

// Record is all that is kept of a principal.
type Record struct {
	Principal
	Secret    SecretHash
	Federated []Federated
	CreatedAt time.Time
}
