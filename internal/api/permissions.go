package api

import (
	"slices"

	"hotswap/internal/arm"
	"hotswap/internal/identity"
)

// What each role allows, in the words of Azure's roles, where * stands for any text. A test holds
// these lists and the table of routes to each other.
const (
	ofWorkspace = "Microsoft.MachineLearningServices/workspaces/"
	ofEndpoint  = ofWorkspace + "onlineEndpoints/"
	ofBlobs     = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/"
)

// everywhere is what a role on anything lets its holder read.
var everywhere = []string{"Microsoft.Resources/subscriptions/read", ofWorkspace + "read", "Microsoft.MachineLearningServices/locations/*/read"}

// shared is what the deployer of one endpoint may do to what all share.
var shared = []string{
	ofWorkspace + "models/read", ofWorkspace + "models/versions/*",
	ofWorkspace + "codes/read", ofWorkspace + "codes/versions/*",
	ofWorkspace + "environments/read", ofWorkspace + "environments/versions/*",
	ofWorkspace + "datastores/read", ofWorkspace + "datastores/listSecrets/action",
}

// onEndpoint is what a role allows on an endpoint besides the roles before it.
var onEndpoint = map[identity.Role][]string{
	identity.Reader: {
		ofEndpoint + "read", ofEndpoint + "*/read", ofEndpoint + "deployments/getLogs/action",
		"Microsoft.Insights/metrics/read", "Microsoft.Insights/metricDefinitions/read",
	},
	identity.Scorer:   {ofEndpoint + "score/action", ofEndpoint + "listKeys/action", ofEndpoint + "token/action"},
	identity.Deployer: {ofEndpoint + "*"},
}

// onWorkspace is what a role allows on the workspace besides that.
var onWorkspace = map[identity.Role][]string{
	identity.Reader:   {ofWorkspace + "*/read"},
	identity.Deployer: {ofWorkspace + "*/write", ofWorkspace + "*/delete", ofWorkspace + "*/action"},
}

// listPermissions tells what the caller may do on the workspace or, where the path goes on to an
// endpoint, on that: one entry for each role that counts there.
func (s *Server) listPermissions(r *request) (reply, error) {
	all := []arm.Permission{}
	for _, a := range r.caller.Roles {
		if a.Endpoint != "" && r.name("endpoint") != "" && a.Endpoint != r.name("endpoint") {
			continue
		}
		all = append(all, permission(a, r.name("endpoint")))
	}
	return ok(arm.List[arm.Permission]{Value: all})
}

// permission is what an assignment allows on an endpoint, "" for the workspace.
func permission(a identity.Assignment, endpoint string) arm.Permission {
	p := arm.Permission{Actions: slices.Clone(everywhere), NotActions: []string{}, DataActions: dataActions(a), NotDataActions: []string{}}
	for _, role := range identity.Roles {
		if a.Role.Includes(role) && (a.Endpoint == "" || endpoint != "") {
			p.Actions = append(p.Actions, onEndpoint[role]...)
		}
		if a.Role.Includes(role) && a.Endpoint == "" {
			p.Actions = append(p.Actions, onWorkspace[role]...)
		}
	}
	deployer := a.Role.Includes(identity.Deployer)
	switch {
	case a.Role == identity.Owner && a.Endpoint == "":
		p.Actions = []string{"*"}
	case deployer && a.Endpoint == "":
		p.NotActions = append(p.NotActions, ofWorkspace+"datastores/write", ofWorkspace+"datastores/delete")
	case deployer && endpoint == "":
		p.Actions, p.NotActions = append(p.Actions, shared...), append(p.NotActions, ofWorkspace+"*/versions/delete")
	}
	return p
}

// dataActions are those of the artifact store, which one endpoint's deployer shares with all.
func dataActions(a identity.Assignment) []string {
	switch {
	case a.Role.Includes(identity.Deployer):
		return []string{ofBlobs + "read", ofBlobs + "write", ofBlobs + "delete", ofBlobs + "add/action"}
	case a.Endpoint == "":
		return []string{ofBlobs + "read"}
	}
	return []string{}
}
