package api

import (
	"hotswap/internal/identity"
)

// access is the rule that says who may use a route. There is none for a route that forgot to say.
type access int

const (
	noRule    access = iota
	anyone           // needed to log in: no token
	loggedIn         // any token for the server
	member           // whoever has a role, on whatever: the workspace's name and region
	readAll          // Reader on the workspace: what concerns every endpoint
	read             // Reader on the endpoint in the path
	readIts          // Reader on the endpoint that the handler finds out, and asks require for
	readParts        // Reader on the workspace, or Deployer on any endpoint: what a rollout reads of what all share
	score            // Scorer on the endpoint
	deploy           // Deployer on the endpoint
	addParts         // Deployer on any endpoint: what a rollout adds to what all share, and changes nothing by
	deployAll        // Deployer on the workspace: what other endpoints may depend on
	own              // Owner
)

// needs is the role that each rule asks for, and how an operator calls the place of it.
var needs = map[access]struct {
	role  identity.Role
	where string
}{
	member:    {identity.Reader, "on the workspace or an endpoint"},
	readAll:   {identity.Reader, "on the workspace"},
	read:      {identity.Reader, "on this endpoint or the workspace"},
	readIts:   {identity.Reader, "on the workspace or an endpoint"},
	readParts: {identity.Reader, "on the workspace, or deployer on an endpoint"},
	score:     {identity.Scorer, "on this endpoint or the workspace"},
	deploy:    {identity.Deployer, "on this endpoint or the workspace"},
	addParts:  {identity.Deployer, "on the workspace or an endpoint"},
	deployAll: {identity.Deployer, "on the workspace"},
	own:       {identity.Owner, "on the workspace"},
}

// allows reports whether a principal may use a route with rule a; endpoint is the one in its path.
func (a access) allows(p identity.Principal, endpoint string) bool {
	need, known := needs[a]
	switch {
	case a == anyone || a == loggedIn:
		return true
	case !known:
		return false
	case a == member || a == readIts || a == addParts:
		return p.MaySomewhere(need.role)
	case a == readParts:
		return p.May(need.role, "") || p.MaySomewhere(identity.Deployer)
	case a == read || a == score || a == deploy:
		return p.May(need.role, endpoint)
	}
	return p.May(need.role, "")
}
