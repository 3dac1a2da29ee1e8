package azure

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"hotswap/internal/online"
)

func quote(name string) string { return strconv.Quote(name) }

// Deployment is a deployment as read back, with its fingerprint: its time of creation and a hash
// over every field of it that can be written. The same deployment read twice has the same one,
// and any change gives another.
type Deployment struct {
	online.Deployment
	Fingerprint string
}

// Deployment reads a deployment.
func (c *Client) Deployment(ctx context.Context, endpoint, name string) (Deployment, error) {
	var raw *http.Response
	resp, err := c.factory.NewOnlineDeploymentsClient().Get(policy.WithCaptureResponse(ctx, &raw), c.workspace.ResourceGroup, c.workspace.Name, endpoint, name, nil)
	if err != nil {
		return Deployment{}, failed(err, "read deployment %q of endpoint %q", name, endpoint)
	}
	return readDeployment(endpoint, resp.OnlineDeployment, payload(raw))
}

// Deployments reads all deployments of an endpoint.
func (c *Client) Deployments(ctx context.Context, endpoint string) ([]Deployment, error) {
	var all []Deployment
	pager := c.factory.NewOnlineDeploymentsClient().NewListPager(c.workspace.ResourceGroup, c.workspace.Name, endpoint, nil)
	for pager.More() {
		var raw *http.Response
		page, err := pager.NextPage(policy.WithCaptureResponse(ctx, &raw))
		if err != nil {
			return nil, failed(err, "list the deployments of endpoint %q", endpoint)
		}
		var texts struct{ Value []json.RawMessage }
		if err := json.Unmarshal(payload(raw), &texts); err != nil || len(texts.Value) != len(page.Value) {
			return nil, online.Errorf(online.Internal, "list the deployments of endpoint %q: the answer can't be read", endpoint)
		}
		for i, item := range page.Value {
			d, err := readDeployment(endpoint, *item, texts.Value[i])
			if err != nil {
				return nil, err
			}
			all = append(all, d)
		}
	}
	return all, nil
}

// PutDeployment writes a deployment whole, waits and returns it as it is then. Where the
// operation fails, the error has its text and the code Refused: mend the candidate. Like
// PutEndpoint, it is sent once.
func (c *Client) PutDeployment(ctx context.Context, d online.Deployment) (Deployment, error) {
	body, err := c.deploymentBody(ctx, d)
	if err != nil {
		return Deployment{}, err
	}
	o := operation{doing: "write deployment " + quote(d.Name) + " of endpoint " + quote(d.Endpoint), ending: online.Refused}
	client := c.factory.NewOnlineDeploymentsClient()
	err = run(ctx, c, o, func(ctx context.Context) (*runtime.Poller[armmachinelearning.OnlineDeploymentsClientCreateOrUpdateResponse], error) {
		return client.BeginCreateOrUpdate(ctx, c.workspace.ResourceGroup, c.workspace.Name, d.Endpoint, d.Name, body, nil)
	})
	if err != nil {
		return Deployment{}, err
	}
	return settle(ctx, func() (Deployment, bool, error) {
		got, err := c.Deployment(ctx, d.Endpoint, d.Name)
		return got, !got.State.Busy() && contains(got.Tags, d.Tags), err
	})
}

// DeleteDeployment deletes a deployment and waits. One that is not there is no error.
func (c *Client) DeleteDeployment(ctx context.Context, endpoint, name string) error {
	o := operation{doing: "delete deployment " + quote(name) + " of endpoint " + quote(endpoint), ending: online.Internal, delete: true}
	client := c.factory.NewOnlineDeploymentsClient()
	err := run(ctx, c, o, func(ctx context.Context) (*runtime.Poller[armmachinelearning.OnlineDeploymentsClientDeleteResponse], error) {
		return client.BeginDelete(ctx, c.workspace.ResourceGroup, c.workspace.Name, endpoint, name, nil)
	})
	if err != nil {
		return err
	}
	return c.gone(ctx, func() error { _, err := c.Deployment(ctx, endpoint, name); return err })
}

// Logs returns the last lines of a container of a deployment: InferenceServer or StorageInitializer.
func (c *Client) Logs(ctx context.Context, endpoint, name, container string, tail int) (string, error) {
	resp, err := c.factory.NewOnlineDeploymentsClient().GetLogs(ctx, c.workspace.ResourceGroup, c.workspace.Name, endpoint, name,
		armmachinelearning.DeploymentLogsRequest{ContainerType: some(armmachinelearning.ContainerType(container)), Tail: some(int32(tail))}, nil)
	if err != nil {
		return "", failed(err, "read the log of deployment %q of endpoint %q", name, endpoint)
	}
	return value(resp.Content), nil
}

func (c *Client) deploymentBody(ctx context.Context, d online.Deployment) (body armmachinelearning.OnlineDeployment, err error) {
	location, err := c.locate(ctx, d.Location)
	if err != nil {
		return body, err
	}
	if d.Model, err = c.resolve(ctx, d.Model); err != nil {
		return body, err
	}
	if d.Environment, err = c.resolve(ctx, d.Environment); err != nil {
		return body, err
	}
	p := &armmachinelearning.ManagedOnlineDeployment{
		EndpointComputeType: new(armmachinelearning.EndpointComputeTypeManaged), InstanceType: &d.InstanceType,
		Model: c.assetID(d.Model), ModelMountPath: some(d.ModelMountPath), EnvironmentID: c.assetID(d.Environment),
		EnvironmentVariables: pointers(d.Variables), Properties: pointers(d.Properties), Description: some(d.Description),
		AppInsightsEnabled: &d.AppInsights, EgressPublicNetworkAccess: some(armmachinelearning.EgressPublicNetworkAccessType(d.Egress)),
		RequestSettings: &armmachinelearning.OnlineRequestSettings{
			MaxConcurrentRequestsPerInstance: new(int32(d.Request.MaxConcurrentRequestsPerInstance)),
			RequestTimeout:                   formatDuration(d.Request.Timeout), MaxQueueWait: formatDuration(d.Request.MaxQueueWait),
		},
		LivenessProbe: writeProbe(d.Liveness), ReadinessProbe: writeProbe(d.Readiness),
		ScaleSettings: &armmachinelearning.DefaultScaleSettings{ScaleType: new(armmachinelearning.ScaleTypeDefault)},
	}
	if d.Code != (online.CodeConfiguration{}) {
		p.CodeConfiguration = &armmachinelearning.CodeConfiguration{CodeID: c.assetID(d.Code.Code), ScoringScript: &d.Code.Script}
	}
	if len(d.DataCollector) > 0 {
		p.DataCollector = new(armmachinelearning.DataCollector)
		if err := json.Unmarshal(d.DataCollector, p.DataCollector); err != nil {
			return body, online.Errorf(online.Invalid, "deployment %q: read its data collector: %w", d.Name, err)
		}
	}
	return armmachinelearning.OnlineDeployment{
		Location: &location, Tags: pointers(d.Tags), Properties: p,
		SKU: &armmachinelearning.SKU{Name: new("Default"), Capacity: new(int32(d.InstanceCount))},
	}, nil
}

// resolve turns the label of the newest version into that version. A registry resolves its own.
func (c *Client) resolve(ctx context.Context, r online.Ref) (online.Ref, error) {
	if r.Version != "@latest" || r.Registry != "" {
		return r, nil
	}
	if r.Kind == online.Models {
		m, err := c.LatestModel(ctx, r.Name)
		return m.Ref, err
	}
	return c.latestEnvironment(ctx, r.Name)
}

func writeProbe(p online.Probe) *armmachinelearning.ProbeSettings {
	return &armmachinelearning.ProbeSettings{
		InitialDelay: formatDuration(p.InitialDelay), Period: formatDuration(p.Period), Timeout: formatDuration(p.Timeout),
		SuccessThreshold: new(int32(p.SuccessThreshold)), FailureThreshold: new(int32(p.FailureThreshold)),
	}
}

func readProbe(w *armmachinelearning.ProbeSettings) online.Probe {
	p := value(w)
	return online.Probe{
		InitialDelay: parseDuration(p.InitialDelay), Period: parseDuration(p.Period), Timeout: parseDuration(p.Timeout),
		SuccessThreshold: int(value(p.SuccessThreshold)), FailureThreshold: int(value(p.FailureThreshold)),
	}
}

func readDeployment(endpoint string, w armmachinelearning.OnlineDeployment, raw []byte) (Deployment, error) {
	d := Deployment{Deployment: online.Deployment{
		Endpoint: strings.ToLower(endpoint), Name: strings.ToLower(value(w.Name)), Location: value(w.Location), Tags: values(w.Tags),
	}}
	d.CreatedAt, d.ModifiedAt, d.CreatedBy = created(w.SystemData)
	if w.SKU != nil {
		d.InstanceCount = int(value(w.SKU.Capacity))
	}
	switch p := w.Properties.(type) {
	case *armmachinelearning.ManagedOnlineDeployment:
		if err := readManaged(&d.Deployment, p); err != nil {
			return d, err
		}
	case armmachinelearning.OnlineDeploymentPropertiesClassification:
		d.State = online.ProvisioningState(value(p.GetOnlineDeploymentProperties().ProvisioningState))
	}
	var err error
	if d.Fingerprint, err = fingerprint(raw); err != nil {
		return d, online.Errorf(online.Internal, "read deployment %q of endpoint %q: %w", d.Name, endpoint, err)
	}
	return d, nil
}

func readManaged(d *online.Deployment, p *armmachinelearning.ManagedOnlineDeployment) (err error) {
	d.State = online.ProvisioningState(value(p.ProvisioningState))
	d.Description, d.Properties = value(p.Description), values(p.Properties)
	d.Model, d.ModelMountPath = parseAssetID(online.Models, value(p.Model)), value(p.ModelMountPath)
	if code := p.CodeConfiguration; code != nil {
		d.Code = online.CodeConfiguration{Code: parseAssetID(online.Codes, value(code.CodeID)), Script: value(code.ScoringScript)}
	}
	d.Environment = parseAssetID(online.Environments, value(p.EnvironmentID))
	d.Variables, d.InstanceType = values(p.EnvironmentVariables), value(p.InstanceType)
	if r := p.RequestSettings; r != nil {
		d.Request = online.RequestSettings{
			MaxConcurrentRequestsPerInstance: int(value(r.MaxConcurrentRequestsPerInstance)),
			Timeout:                          parseDuration(r.RequestTimeout), MaxQueueWait: parseDuration(r.MaxQueueWait),
		}
	}
	d.Liveness, d.Readiness = readProbe(p.LivenessProbe), readProbe(p.ReadinessProbe)
	d.AppInsights, d.Egress = value(p.AppInsightsEnabled), string(value(p.EgressPublicNetworkAccess))
	if p.DataCollector != nil {
		if d.DataCollector, err = json.Marshal(p.DataCollector); err != nil {
			return online.Errorf(online.Internal, "read deployment %q: %w", d.Name, err)
		}
	}
	return nil
}
