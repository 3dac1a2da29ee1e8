// Package azure is the typed client of the pipeline: Azure Machine Learning's management and
// scoring planes through Microsoft's own SDK, in the nouns of package online. It speaks to Azure
// and to hotswap serve alike; the credential names which.
package azure

import (
	"context"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"hotswap/internal/online"
)

// RequestTimeout bounds one attempt of one request. A caller that writes under a lock checks that
// the lock outlives it.
const RequestTimeout = 60 * time.Second

// Workspace names an Azure ML workspace.
type Workspace struct{ Subscription, ResourceGroup, Name string }

// Options is what Dial needs to know.
type Options struct {
	CredentialsFile string    // of --credentials; "" looks in the environment
	Workspace       Workspace // of the flags; what is empty is looked up
	Getenv          func(string) string
	Dir             string                           // working directory, from which config.json is searched upwards
	Progress        func(format string, args ...any) // told of long waits; nil: nobody is
}

// Source tells what is used and where it comes from. A secret is never one.
type Source struct{ What, Value, From string }

// Deployment is a deployment as read back, with its fingerprint.
type Deployment struct {
	online.Deployment
	Fingerprint string
}

// Request is one request to score.
type Request struct {
	Endpoint   online.Endpoint
	Deployment string // sent in the header that picks it; "" leaves it to the traffic
	Header     http.Header
	Body       []byte
}

// Answer is what came back, whatever its status.
type Answer struct {
	Status     int
	Deployment string // that answered, by the answer's header
	Header     http.Header
	Body       []byte
	Duration   time.Duration
}

// Client speaks to one workspace.
type Client struct{ sources []Source }

var errNotYet = online.Errorf(online.Internal, "not yet")

func Dial(ctx context.Context, o Options) (*Client, error) { return nil, errNotYet }
func (c *Client) Sources() []Source                        { return c.sources }
func (c *Client) Workspace() Workspace                     { return Workspace{} }
func (c *Client) Endpoint(ctx context.Context, name string) (online.Endpoint, error) {
	return online.Endpoint{}, errNotYet
}
func (c *Client) Endpoints(ctx context.Context) ([]online.Endpoint, error) { return nil, errNotYet }
func (c *Client) PutEndpoint(ctx context.Context, e online.Endpoint) (online.Endpoint, error) {
	return e, errNotYet
}
func (c *Client) DeleteEndpoint(ctx context.Context, name string) error { return errNotYet }
func (c *Client) Deployment(ctx context.Context, endpoint, name string) (Deployment, error) {
	return Deployment{}, errNotYet
}
func (c *Client) Deployments(ctx context.Context, endpoint string) ([]Deployment, error) {
	return nil, errNotYet
}
func (c *Client) PutDeployment(ctx context.Context, d online.Deployment) (Deployment, error) {
	return Deployment{}, errNotYet
}
func (c *Client) DeleteDeployment(ctx context.Context, endpoint, name string) error { return errNotYet }
func (c *Client) Logs(ctx context.Context, endpoint, name, container string, tail int) (string, error) {
	return "", errNotYet
}
func (c *Client) Score(ctx context.Context, r Request) (Answer, error) { return Answer{}, errNotYet }
func (c *Client) Models(ctx context.Context, name string) ([]online.Model, error) {
	return nil, errNotYet
}
func (c *Client) Model(ctx context.Context, name, version string) (online.Model, error) {
	return online.Model{}, errNotYet
}
func (c *Client) LatestModel(ctx context.Context, name string) (online.Model, error) {
	return online.Model{}, errNotYet
}
func (c *Client) RegisterModel(ctx context.Context, m online.Model, path string) (online.Model, error) {
	return m, errNotYet
}
func (c *Client) UploadCode(ctx context.Context, dir string) (online.Ref, error) {
	return online.Ref{}, errNotYet
}
func (c *Client) PutEnvironment(ctx context.Context, e online.Environment) (online.Ref, error) {
	return online.Ref{}, errNotYet
}
func (c *Client) Container(ctx context.Context) (*container.Client, error) { return nil, errNotYet }
