package api

import "hotswap/internal/arm"

type route struct {
	pattern string
	access  access
	handle  handler
}

// The heads of the paths.
const (
	inSubscription = "/subscriptions/{subscription}"
	inGroup        = inSubscription + "/resourceGroups/{group}"
	inProvider     = "/providers/Microsoft.MachineLearningServices"
	inWorkspaces   = inGroup + inProvider + "/workspaces"
	inWorkspace    = inWorkspaces + "/{workspace}"
	inLocation     = inSubscription + inProvider + "/locations/{location}"
	endpoints      = inWorkspace + "/onlineEndpoints"
	endpoint       = endpoints + "/{endpoint}"
	deployments    = endpoint + "/deployments"
	deployment     = deployments + "/{deployment}"
	inMonitor      = "/providers/Microsoft.Insights"
	inModels       = inWorkspace + "/models"
	inCodes        = inWorkspace + "/codes"
	inEnvs         = inWorkspace + "/environments"
	container      = "/{name}"
	inContainer    = container + "/versions"
	version        = inContainer + "/{version}"
	datastores     = inWorkspace + "/datastores"
	datastore      = datastores + "/{datastore}"
	permissions    = "/providers/Microsoft.Authorization/permissions"
	principals     = inWorkspace + "/providers/" + arm.OurProvider + "/principals"
	principal      = principals + "/{principal}"
)

// routes is every route there is.
//
//nolint:funlen // because it is one flat table
func (s *Server) routes() []route {
	models, codes, envs := s.modelVersions(), s.codeVersions(), s.environmentVersions()
	return []route{
		{"GET /metadata/endpoints", anyone, s.getCloud},
		{"GET /{tenant}/v2.0/.well-known/openid-configuration", anyone, s.getOpenID},
		{"GET /{tenant}/discovery/v2.0/keys", anyone, s.getSigningKeys},
		{"POST /{tenant}/oauth2/v2.0/token", anyone, s.postToken},

		{"GET /tenants", loggedIn, s.listTenants},
		{"GET /subscriptions", loggedIn, s.listSubscriptions},
		{"GET " + inSubscription, member, s.getSubscription},
		{"GET " + inSubscription + inProvider + "/workspaces", member, s.listWorkspaces},
		{"GET " + inWorkspaces, member, s.listWorkspaces},
		{"GET " + inWorkspace, member, s.getWorkspace},
		{"GET " + inWorkspace + permissions, loggedIn, s.listPermissions},
		{"GET " + inLocation + "/mfeOperationsStatus/{operation}", readIts, s.getOperation},
		{"GET " + inLocation + "/mfeOperationResults/{operation}", readIts, s.getOperationResult},

		{"GET " + endpoints, readAll, s.listEndpoints},
		{"GET " + endpoint, read, s.getEndpoint},
		{"PUT " + endpoint, deploy, s.putEndpoint},
		{"PATCH " + endpoint, deploy, s.patchEndpoint},
		{"DELETE " + endpoint, deploy, s.deleteEndpoint},
		{"POST " + endpoint + "/listKeys", score, s.listKeys},
		{"POST " + endpoint + "/regenerateKeys", deploy, s.regenerateKeys},
		{"POST " + endpoint + "/token", score, s.endpointToken},
		{"GET " + endpoint + inMonitor + "/metrics", read, s.listMetrics},
		{"GET " + endpoint + inMonitor + "/metricDefinitions", read, s.listMetricDefinitions},
		{"GET " + endpoint + permissions, loggedIn, s.listPermissions},

		{"GET " + deployments, read, s.listDeployments},
		{"GET " + deployment, read, s.getDeployment},
		{"PUT " + deployment, deploy, s.putDeployment},
		{"PATCH " + deployment, deploy, s.patchDeployment},
		{"DELETE " + deployment, deploy, s.deleteDeployment},
		{"POST " + deployment + "/getLogs", read, s.getLogs},
		{"GET " + deployment + "/skus", read, s.listSKUs},

		{"GET " + inModels, readParts, models.listContainers},
		{"GET " + inModels + container, readParts, models.getContainer},
		{"PUT " + inModels + container, deployAll, models.putContainer},
		{"DELETE " + inModels + container, deployAll, models.deleteContainer},
		{"GET " + inModels + inContainer, readParts, models.listVersions},
		{"GET " + inModels + version, readParts, models.getVersion},
		{"PUT " + inModels + version, addParts, models.putVersion},
		{"DELETE " + inModels + version, deployAll, models.deleteVersion},

		{"GET " + inCodes, readParts, codes.listContainers},
		{"GET " + inCodes + container, readParts, codes.getContainer},
		{"PUT " + inCodes + container, deployAll, codes.putContainer},
		{"DELETE " + inCodes + container, deployAll, codes.deleteContainer},
		{"GET " + inCodes + inContainer, readParts, codes.listVersions},
		{"GET " + inCodes + version, readParts, codes.getVersion},
		{"PUT " + inCodes + version, addParts, codes.putVersion},
		{"DELETE " + inCodes + version, deployAll, codes.deleteVersion},
		{"POST " + inCodes + version + "/startPendingUpload", addParts, s.startPendingUpload},

		{"GET " + inEnvs, readParts, envs.listContainers},
		{"GET " + inEnvs + container, readParts, envs.getContainer},
		{"PUT " + inEnvs + container, deployAll, envs.putContainer},
		{"DELETE " + inEnvs + container, deployAll, envs.deleteContainer},
		{"GET " + inEnvs + inContainer, readParts, envs.listVersions},
		{"GET " + inEnvs + version, readParts, envs.getVersion},
		{"PUT " + inEnvs + version, addParts, envs.putVersion},
		{"DELETE " + inEnvs + version, deployAll, envs.deleteVersion},

		{"GET " + datastores, readParts, s.listDatastores},
		{"GET " + datastore, readParts, s.getDatastore},
		{"PUT " + datastore, own, s.putDatastore},
		{"DELETE " + datastore, own, s.deleteDatastore},
		{"POST " + datastore + "/listSecrets", addParts, s.listSecrets},

		{"GET " + principals, own, s.listPrincipals},
		{"PUT " + principal, own, s.putPrincipal},
		{"DELETE " + principal, own, s.deletePrincipal},
		{"POST " + principal + "/federate", own, s.federatePrincipal},
	}
}
