package arm

import (
	"encoding/json"
	"maps"
	"time"

	"hotswap/internal/online"
)

// Deployment is a managed online deployment in a reply.
type Deployment struct {
	Resource
	Location   string               `json:"location"`
	Kind       string               `json:"kind"`
	Tags       map[string]string    `json:"tags"`
	SKU        SKU                  `json:"sku"`
	Properties DeploymentProperties `json:"properties"`
}

// DeploymentProperties is what is special about a deployment. azure-ai-ml 1.34.0 fails on one
// without scaleSettings.scaleType, endpointComputeType or sku.capacity.
type DeploymentProperties struct {
	EndpointComputeType       string             `json:"endpointComputeType"`
	InstanceType              string             `json:"instanceType"`
	Description               *string            `json:"description"`
	Model                     *string            `json:"model"`
	ModelMountPath            *string            `json:"modelMountPath"`
	CodeConfiguration         *CodeConfiguration `json:"codeConfiguration"`
	EnvironmentID             *string            `json:"environmentId"`
	EnvironmentVariables      map[string]string  `json:"environmentVariables"`
	AppInsightsEnabled        bool               `json:"appInsightsEnabled"`
	EgressPublicNetworkAccess string             `json:"egressPublicNetworkAccess"`
	RequestSettings           RequestSettings    `json:"requestSettings"`
	LivenessProbe             Probe              `json:"livenessProbe"`
	ReadinessProbe            Probe              `json:"readinessProbe"`
	ScaleSettings             ScaleSettings      `json:"scaleSettings"`
	DataCollector             json.RawMessage    `json:"dataCollector"`
	ProvisioningState         string             `json:"provisioningState"`
	Properties                map[string]string  `json:"properties"`
}

// CodeConfiguration names the code of a deployment and its scoring script.
type CodeConfiguration struct {
	CodeID        *string `json:"codeId"`
	ScoringScript string  `json:"scoringScript"`
}

// RequestSettings bounds what one instance is given to do.
type RequestSettings struct {
	MaxConcurrentRequestsPerInstance int    `json:"maxConcurrentRequestsPerInstance"`
	RequestTimeout                   string `json:"requestTimeout"`
	MaxQueueWait                     string `json:"maxQueueWait"`
}

// Probe says how an instance is asked whether it is well.
type Probe struct {
	FailureThreshold int    `json:"failureThreshold"`
	SuccessThreshold int    `json:"successThreshold"`
	InitialDelay     string `json:"initialDelay"`
	Period           string `json:"period"`
	Timeout          string `json:"timeout"`
}

// ScaleSettings is the scaling of a deployment, which is always by sku.capacity here.
type ScaleSettings struct {
	ScaleType string `json:"scaleType"`
}

// The variables that the server sets for the scoring code, with the folder that code lies in on
// Azure (azureml-inference-server-http 1.5.1). Azure adds them to what a deployment answers, so
// they come back when it is written again: there they are ignored.
const (
	appRootVariable  = "AML_APP_ROOT"
	scriptVariable   = "AZUREML_ENTRY_SCRIPT"
	modelDirVariable = "AZUREML_MODEL_DIR"
	appRoot          = "/var/azureml-app"
)

// NewDeployment is the reply for d. The operation is the URL of the one that changes it, or "".
func NewDeployment(s Scope, operation string, d online.Deployment) Deployment {
	return Deployment{
		Resource: Resource{
			ID: s.DeploymentID(d.Endpoint, d.Name), Name: d.Name,
			Type:       provider + "/workspaces/onlineEndpoints/deployments",
			SystemData: newSystemData(d.CreatedAt, d.ModifiedAt, d.CreatedBy),
		},
		Location: d.Location, Kind: "Managed", Tags: orEmpty(d.Tags),
		SKU: SKU{Name: "Default", Tier: "Standard", Capacity: d.InstanceCount},
		Properties: DeploymentProperties{
			EndpointComputeType: "Managed", InstanceType: d.InstanceType, Description: orNull(d.Description),
			Model: orNull(s.RefID(d.Model)), ModelMountPath: orNull(d.ModelMountPath),
			CodeConfiguration: newCode(s, d.Code), EnvironmentID: orNull(s.RefID(d.Environment)),
			EnvironmentVariables: withReserved(d), AppInsightsEnabled: d.AppInsights,
			EgressPublicNetworkAccess: d.Egress,
			RequestSettings: RequestSettings{
				MaxConcurrentRequestsPerInstance: d.Request.MaxConcurrentRequestsPerInstance,
				RequestTimeout:                   FormatDuration(d.Request.Timeout), MaxQueueWait: FormatDuration(d.Request.MaxQueueWait),
			},
			LivenessProbe: newProbe(d.Liveness), ReadinessProbe: newProbe(d.Readiness),
			ScaleSettings: ScaleSettings{ScaleType: "Default"}, DataCollector: raw(d.DataCollector),
			ProvisioningState: string(d.State), Properties: withOperation(d.Properties, operation),
		},
	}
}

func newCode(s Scope, c online.CodeConfiguration) *CodeConfiguration {
	if c == (online.CodeConfiguration{}) {
		return nil
	}
	return &CodeConfiguration{CodeID: orNull(s.RefID(c.Code)), ScoringScript: c.Script}
}

func newProbe(p online.Probe) Probe {
	return Probe{
		FailureThreshold: p.FailureThreshold, SuccessThreshold: p.SuccessThreshold,
		InitialDelay: FormatDuration(p.InitialDelay), Period: FormatDuration(p.Period), Timeout: FormatDuration(p.Timeout),
	}
}

func withReserved(d online.Deployment) map[string]string {
	all := maps.Clone(orEmpty(d.Variables))
	if d.Code.Script != "" {
		all[appRootVariable], all[scriptVariable] = appRoot, d.Code.Script
	}
	if !d.Model.IsZero() {
		all[modelDirVariable] = appRoot + "/azureml-models/" + d.Model.Name + "/" + d.Model.Version
	}
	return all
}

type probeRequest struct {
	FailureThreshold *int      `json:"failureThreshold"`
	SuccessThreshold *int      `json:"successThreshold"`
	InitialDelay     *duration `json:"initialDelay"`
	Period           *duration `json:"period"`
	Timeout          *duration `json:"timeout"`
}

type deploymentRequest struct {
	Location string `json:"location"`
	Tags     texts  `json:"tags"`
	SKU      struct {
		Capacity *int `json:"capacity"`
	} `json:"sku"`
	Properties *struct {
		EndpointComputeType string `json:"endpointComputeType"`
		InstanceType        string `json:"instanceType"`
		Description         string `json:"description"`
		Model               string `json:"model"`
		ModelMountPath      string `json:"modelMountPath"`
		CodeConfiguration   struct {
			CodeID        string `json:"codeId"`
			ScoringScript string `json:"scoringScript"`
		} `json:"codeConfiguration"`
		EnvironmentID             string `json:"environmentId"`
		EnvironmentVariables      texts  `json:"environmentVariables"`
		AppInsightsEnabled        bool   `json:"appInsightsEnabled"`
		EgressPublicNetworkAccess string `json:"egressPublicNetworkAccess"`
		RequestSettings           struct {
			MaxConcurrentRequestsPerInstance int      `json:"maxConcurrentRequestsPerInstance"`
			RequestTimeout                   duration `json:"requestTimeout"`
			MaxQueueWait                     duration `json:"maxQueueWait"`
		} `json:"requestSettings"`
		LivenessProbe  *probeRequest `json:"livenessProbe"`
		ReadinessProbe *probeRequest `json:"readinessProbe"`
		ScaleSettings  struct {
			ScaleType string `json:"scaleType"`
		} `json:"scaleSettings"`
		DataCollector object `json:"dataCollector"`
		Properties    texts  `json:"properties"`
	} `json:"properties"`
}

// DecodeDeployment reads the body of a PUT, which replaces the deployment whole. Fields that
// it doesn't name are zero, for the caller to fill with defaults.
func DecodeDeployment(s Scope, endpoint, name string, body []byte) (online.Deployment, error) {
	r, err := decode[deploymentRequest]("deployment", body)
	if err != nil {
		return online.Deployment{}, err
	}
	p := r.Properties
	if p == nil {
		return online.Deployment{}, online.Errorf(online.Invalid, "read the deployment: it has no properties")
	}
	for _, key := range []string{appRootVariable, scriptVariable, modelDirVariable} {
		delete(p.EnvironmentVariables, key)
	}
	d := online.Deployment{
		Endpoint: endpoint, Name: name, Location: r.Location, Description: p.Description, Tags: orEmpty(r.Tags),
		Properties: withoutDerived(p.Properties), ModelMountPath: p.ModelMountPath,
		Code:      online.CodeConfiguration{Script: p.CodeConfiguration.ScoringScript},
		Variables: orEmpty(p.EnvironmentVariables), InstanceType: p.InstanceType, InstanceCount: intOr(r.SKU.Capacity, 0),
		Request: online.RequestSettings{
			MaxConcurrentRequestsPerInstance: p.RequestSettings.MaxConcurrentRequestsPerInstance,
			Timeout:                          time.Duration(p.RequestSettings.RequestTimeout),
			MaxQueueWait:                     time.Duration(p.RequestSettings.MaxQueueWait),
		},
		Liveness: p.LivenessProbe.decode(), Readiness: p.ReadinessProbe.decode(),
		AppInsights: p.AppInsightsEnabled, DataCollector: p.DataCollector,
	}
	if d.Egress, err = enabled("properties.egressPublicNetworkAccess", p.EgressPublicNetworkAccess); err != nil {
		return online.Deployment{}, err
	}
	if _, err := oneOf("properties.endpointComputeType", p.EndpointComputeType, "", "Managed"); err != nil {
		return online.Deployment{}, err
	}
	if _, err := oneOf("properties.scaleSettings.scaleType", p.ScaleSettings.ScaleType, "", "Default"); err != nil {
		return online.Deployment{}, err
	}
	if d, err = r.withRefs(s, d); err == nil && r.SKU.Capacity == nil { // 0 would park it
		err = online.Errorf(online.Invalid, "read the deployment: it has no sku.capacity, want the number of instances")
	}
	return d, err
}

// withRefs reads the three references to assets.
func (r deploymentRequest) withRefs(s Scope, d online.Deployment) (online.Deployment, error) {
	for _, ref := range []struct {
		field, text string
		kind        online.AssetKind
		to          *online.Ref
	}{
		{"properties.model", r.Properties.Model, online.Models, &d.Model},
		{"properties.codeConfiguration.codeId", r.Properties.CodeConfiguration.CodeID, online.Codes, &d.Code.Code},
		{"properties.environmentId", r.Properties.EnvironmentID, online.Environments, &d.Environment},
	} {
		parsed, err := s.ParseRef(ref.kind, ref.text)
		if err != nil {
			return online.Deployment{}, online.Errorf(online.Invalid, "%s: %w", ref.field, err)
		}
		*ref.to = parsed
	}
	return d, nil
}

// decode fills what a probe leaves out, so that a delay of zero that it names stays zero. A
// probe that is not there is the zero one.
func (p *probeRequest) decode() online.Probe {
	if p == nil {
		return online.Probe{}
	}
	def := online.DefaultProbe()
	return online.Probe{
		InitialDelay: durationOr(p.InitialDelay, def.InitialDelay), Period: durationOr(p.Period, def.Period),
		Timeout:          durationOr(p.Timeout, def.Timeout),
		SuccessThreshold: intOr(p.SuccessThreshold, def.SuccessThreshold),
		FailureThreshold: intOr(p.FailureThreshold, def.FailureThreshold),
	}
}

func durationOr(d *duration, def time.Duration) time.Duration {
	if d == nil {
		return def
	}
	return time.Duration(*d)
}

func intOr(n *int, def int) int {
	if n == nil {
		return def
	}
	return *n
}
