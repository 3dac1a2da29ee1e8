package identity

import (
	"slices"
	"strings"

	"hotswap/internal/online"
)

// A Role is what somebody may do. Each includes the ones before it.
type Role string

// The roles.
const (
	Reader   Role = "reader"   // see everything but keys and secrets
	Scorer   Role = "scorer"   // and send scoring requests, with the keys and tokens that they need
	Deployer Role = "deployer" // and change endpoints, their deployments, and what those are made of
	Owner    Role = "owner"    // and say who may do what
)

// Roles are all roles, in their order.
var Roles = []Role{Reader, Scorer, Deployer, Owner}

// ParseRole reads a role's name.
func ParseRole(text string) (Role, error) {
	role := Role(strings.ToLower(text))
	if !slices.Contains(Roles, role) {
		return "", online.Errorf(online.Invalid, "%q is no role, want reader, scorer, deployer or owner", text)
	}
	return role, nil
}

// Includes reports whether who has the role may do what other allows.
func (r Role) Includes(other Role) bool {
	return slices.Index(Roles, r) >= slices.Index(Roles, other) && slices.Contains(Roles, other)
}

// Assignment gives a role on one endpoint or, where that is "", on the workspace with all of them.
type Assignment struct {
	Role     Role
	Endpoint string // in lower case
}

// NewAssignment is the only way to an Assignment from what somebody wrote.
func NewAssignment(role, endpoint string) (Assignment, error) {
	parsed, err := ParseRole(role)
	if err != nil {
		return Assignment{}, err
	}
	if endpoint == "" {
		return Assignment{Role: parsed}, nil
	}
	if err := online.CheckName("endpoint", endpoint); err != nil {
		return Assignment{}, err
	}
	if parsed == Owner {
		return Assignment{}, online.Errorf(online.Invalid, "the role owner is of the workspace: give it without an endpoint, or take deployer on endpoint %q", endpoint)
	}
	return Assignment{parsed, strings.ToLower(endpoint)}, nil
}

// May reports whether the principal has a role on an endpoint; "" asks for the workspace. What it
// has on the workspace it has on each endpoint.
func (p Principal) May(role Role, endpoint string) bool {
	return slices.ContainsFunc(p.Roles, func(a Assignment) bool {
		return a.Role.Includes(role) && (a.Endpoint == "" || a.Endpoint == strings.ToLower(endpoint))
	})
}

// MaySomewhere reports whether the principal has a role on the workspace or on any one endpoint.
func (p Principal) MaySomewhere(role Role) bool {
	return slices.ContainsFunc(p.Roles, func(a Assignment) bool { return a.Role.Includes(role) })
}
