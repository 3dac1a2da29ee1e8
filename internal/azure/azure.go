// Package azure is the typed client of the pipeline: Azure Machine Learning's management and
// scoring planes through Microsoft's own SDK, in the nouns of package online. It speaks to Azure
// and to hotswap serve alike; the credential names which.
//
// Reads are tried again when they fail in passing. A write of an endpoint or a deployment is sent
// once: when its reply is lost, the caller reads the resource and compares.
package azure

import (
	"context"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/monitor/armmonitor"

	"hotswap/internal/online"
)

// RequestTimeout bounds one attempt of one request, and the whole of a write until its first
// answer. A caller that writes under a lock checks that the lock outlives it.
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

// Client speaks to one workspace. It may be used by several goroutines.
type Client struct {
	*Account
	workspace Workspace
	sources   []Source
	progress  func(format string, args ...any)
	factory   *armmachinelearning.ClientFactory
	metrics   *armmonitor.MetricsClient
	clock     *clock

	mu       sync.Mutex
	location string // of the workspace; "" until it was asked for
}

// Dial finds the credential and the workspace. It sends nothing yet.
func Dial(_ context.Context, o Options) (*Client, error) {
	account, err := SignIn(o)
	if err != nil {
		return nil, err
	}
	return account.Open(o)
}

// Open finds the workspace. It sends nothing yet.
func (a *Account) Open(o Options) (*Client, error) {
	c := &Client{Account: a, progress: o.Progress}
	if c.progress == nil {
		c.progress = func(string, ...any) {}
	}
	if err := c.useWorkspace(o, a.login); err != nil {
		return nil, err
	}
	if err := c.connect(); err != nil {
		return nil, online.Errorf(online.Invalid, "set up the client of %s: %w", a.login.cloud.arm(), err)
	}
	return c, nil
}

// connect makes the clients of the management plane.
func (c *Client) connect() (err error) {
	c.clock = new(clock)
	options := &arm.ClientOptions{ClientOptions: c.options, DisableRPRegistration: true}
	options.PerRetryPolicies = []policy.Policy{c.clock}
	if c.factory, err = armmachinelearning.NewClientFactory(c.workspace.Subscription, c.cred, options); err != nil {
		return err
	}
	c.metrics, err = armmonitor.NewMetricsClient(c.workspace.Subscription, c.cred, options)
	return err
}

// workspaceLocation is where the workspace is, which a new resource must name.
func (c *Client) workspaceLocation(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.location == "" {
		facts, err := c.Facts(ctx)
		if err != nil {
			return "", err
		}
		c.location = facts.Location
	}
	return c.location, nil
}
