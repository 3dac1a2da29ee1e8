package api

// access says who may use a route.
type access int

const (
	anyone    access = iota // needed to log in
	loggedIn                // a token for the server
	workspace               // a token, and the path names the subscription, group or workspace there is
)

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
		{"GET " + inSubscription, workspace, s.getSubscription},
		{"GET " + inSubscription + inProvider + "/workspaces", workspace, s.listWorkspaces},
		{"GET " + inWorkspaces, workspace, s.listWorkspaces},
		{"GET " + inWorkspace, workspace, s.getWorkspace},
		{"GET " + inLocation + "/mfeOperationsStatus/{operation}", workspace, s.getOperation},
		{"GET " + inLocation + "/mfeOperationResults/{operation}", workspace, s.getOperationResult},

		{"GET " + endpoints, workspace, s.listEndpoints},
		{"GET " + endpoint, workspace, s.getEndpoint},
		{"PUT " + endpoint, workspace, s.putEndpoint},
		{"PATCH " + endpoint, workspace, s.patchEndpoint},
		{"DELETE " + endpoint, workspace, s.deleteEndpoint},
		{"POST " + endpoint + "/listKeys", workspace, s.listKeys},
		{"POST " + endpoint + "/regenerateKeys", workspace, s.regenerateKeys},
		{"POST " + endpoint + "/token", workspace, s.endpointToken},
		{"GET " + endpoint + inMonitor + "/metrics", workspace, s.listMetrics},
		{"GET " + endpoint + inMonitor + "/metricDefinitions", workspace, s.listMetricDefinitions},

		{"GET " + deployments, workspace, s.listDeployments},
		{"GET " + deployment, workspace, s.getDeployment},
		{"PUT " + deployment, workspace, s.putDeployment},
		{"PATCH " + deployment, workspace, s.patchDeployment},
		{"DELETE " + deployment, workspace, s.deleteDeployment},
		{"POST " + deployment + "/getLogs", workspace, s.getLogs},
		{"GET " + deployment + "/skus", workspace, s.listSKUs},

		{"GET " + inModels, workspace, models.listContainers},
		{"GET " + inModels + container, workspace, models.getContainer},
		{"PUT " + inModels + container, workspace, models.putContainer},
		{"DELETE " + inModels + container, workspace, models.deleteContainer},
		{"GET " + inModels + inContainer, workspace, models.listVersions},
		{"GET " + inModels + version, workspace, models.getVersion},
		{"PUT " + inModels + version, workspace, models.putVersion},
		{"DELETE " + inModels + version, workspace, models.deleteVersion},

		{"GET " + inCodes, workspace, codes.listContainers},
		{"GET " + inCodes + container, workspace, codes.getContainer},
		{"PUT " + inCodes + container, workspace, codes.putContainer},
		{"DELETE " + inCodes + container, workspace, codes.deleteContainer},
		{"GET " + inCodes + inContainer, workspace, codes.listVersions},
		{"GET " + inCodes + version, workspace, codes.getVersion},
		{"PUT " + inCodes + version, workspace, codes.putVersion},
		{"DELETE " + inCodes + version, workspace, codes.deleteVersion},
		{"POST " + inCodes + version + "/startPendingUpload", workspace, s.startPendingUpload},

		{"GET " + inEnvs, workspace, envs.listContainers},
		{"GET " + inEnvs + container, workspace, envs.getContainer},
		{"PUT " + inEnvs + container, workspace, envs.putContainer},
		{"DELETE " + inEnvs + container, workspace, envs.deleteContainer},
		{"GET " + inEnvs + inContainer, workspace, envs.listVersions},
		{"GET " + inEnvs + version, workspace, envs.getVersion},
		{"PUT " + inEnvs + version, workspace, envs.putVersion},
		{"DELETE " + inEnvs + version, workspace, envs.deleteVersion},

		{"GET " + datastores, workspace, s.listDatastores},
		{"GET " + datastore, workspace, s.getDatastore},
		{"PUT " + datastore, workspace, s.putDatastore},
		{"DELETE " + datastore, workspace, s.deleteDatastore},
		{"POST " + datastore + "/listSecrets", workspace, s.listSecrets},
	}
}
