package doctor

import (
	"slices"
	"strings"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

// need is an action that a rollout takes (learn.microsoft.com, "Azure permissions for AI + machine
// learning" and "Manage access to Azure Machine Learning workspaces").
type need struct {
	action string
	why    string
	when   func(*facts) bool // nil: always
}

const (
	inWorkspace   = "Microsoft.MachineLearningServices/workspaces/"
	metricsAction = "Microsoft.Insights/metrics/read"
)

// needs are all of them but the one for metrics, whose role is another.
var needs = []need{
	{inWorkspace + "read", "to know where the workspace is", nil},
	{inWorkspace + "onlineEndpoints/read", "to read the traffic", nil},
	{inWorkspace + "onlineEndpoints/write", "to create the endpoint and to move its traffic", nil},
	{inWorkspace + "onlineEndpoints/listKeys/action", "to test the candidate with the endpoint's key", authMode(online.KeyAuth)},
	{inWorkspace + "onlineEndpoints/token/action", "to test the candidate with the endpoint's token", authMode(online.AMLTokenAuth)},
	{inWorkspace + "onlineEndpoints/score/action", "to test the candidate", authMode(online.AADTokenAuth)},
	{inWorkspace + "onlineEndpoints/deployments/read", "to read both slots", nil},
	{inWorkspace + "onlineEndpoints/deployments/write", "to create the candidate", nil},
	{inWorkspace + "onlineEndpoints/deployments/delete", "to clear a slot whose first deployment failed, or that is not retained", nil},
	{inWorkspace + "onlineEndpoints/deployments/getLogs/action", "to save a deployment's log", nil},
	{inWorkspace + "models/read", "to find the newest model", nil},
	{inWorkspace + "models/versions/read", "to find the newest model", nil},
	{inWorkspace + "models/versions/write", "to register the model that the deployment's file describes", func(f *facts) bool { return f.deployment.is.LocalModel != nil }},
	{inWorkspace + "codes/versions/read", "to find code that was uploaded already", hasCode},
	{inWorkspace + "codes/versions/write", "to upload the scoring code", hasCode},
	{inWorkspace + "environments/versions/read", "to find the environment", nil},
	{inWorkspace + "environments/versions/write", "to register the environment that the deployment's file describes", func(f *facts) bool { return f.deployment.is.LocalEnvironment != nil }},
	{inWorkspace + "datastores/read", "to find the store of lock and journal", nil},
	{inWorkspace + "datastores/listSecrets/action", "to open the store of lock and journal", func(f *facts) bool { return f.store.err == nil && !f.store.is.Identity }},
}

func authMode(mode online.AuthMode) func(*facts) bool {
	return func(f *facts) bool {
		return f.endpoint.err == nil && (f.endpoint.is.AuthMode == mode || f.endpoint.is.AuthMode == "" && mode == online.KeyAuth)
	}
}

func hasCode(f *facts) bool { return f.deployment.is.CodeDir != "" }

func (f *facts) allowed(action string) bool {
	return slices.ContainsFunc(f.may.is, func(p azure.Permission) bool { return p.Allows(action) })
}

func (f *facts) roles() Finding {
	if f.may.before() {
		return after("workspace")
	}
	if f.may.err != nil {
		return unknown(nil, "%v", f.may.err)
	}
	var missing []string
	asked := 0
	for _, n := range needs {
		if n.when != nil && !n.when(f) {
			continue
		}
		if asked++; !f.allowed(n.action) {
			missing = append(missing, n.action+" ("+n.why+")")
		}
	}
	if len(missing) > 0 {
		return failed(f.grant(azure.WorkspaceRole, ""), "not allowed: %s", strings.Join(missing, ", "))
	}
	return ok("all %d actions of a rollout are allowed", asked)
}

func (f *facts) metrics() Finding {
	switch {
	case f.settings.err == nil && !f.watched():
		return notNeeded("the settings have neither steps nor a bake, so nothing is judged by metrics")
	case f.may.before():
		return after("workspace")
	case f.may.err != nil:
		return unknown(nil, "%v", f.may.err)
	case !f.allowed(metricsAction):
		return failed(f.grant(azure.MetricsRole, ""), "not allowed: %s (to judge each step, and the bake)", metricsAction)
	}
	return ok("%s is allowed", metricsAction)
}

// watched reports whether the candidate is judged by metrics while it has traffic.
func (f *facts) watched() bool {
	return strings.Contains(f.settings.is["steps"], ",") || !slices.Contains([]string{"", "0s"}, f.settings.is["bake"])
}
