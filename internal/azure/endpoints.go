package azure

import (
	"context"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"hotswap/internal/online"
)

// Endpoint reads an endpoint.
func (c *Client) Endpoint(ctx context.Context, name string) (online.Endpoint, error) {
	resp, err := c.factory.NewOnlineEndpointsClient().Get(ctx, c.workspace.ResourceGroup, c.workspace.Name, name, nil)
	if err != nil {
		return online.Endpoint{}, failed(err, "read endpoint %q", name)
	}
	return readEndpoint(resp.OnlineEndpoint)
}

// Endpoints reads all endpoints of the workspace.
func (c *Client) Endpoints(ctx context.Context) ([]online.Endpoint, error) {
	var all []online.Endpoint
	pager := c.factory.NewOnlineEndpointsClient().NewListPager(c.workspace.ResourceGroup, c.workspace.Name, nil)
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, failed(err, "list the endpoints")
		}
		for _, item := range page.Value {
			e, err := readEndpoint(*item)
			if err != nil {
				return nil, err
			}
			all = append(all, e)
		}
	}
	return all, nil
}

// PutEndpoint writes an endpoint whole, waits and returns it as it is then, which the caller
// compares with what it asked for. It is sent once: where the error has the code Unavailable, it
// may have been carried out, and only a read can tell.
func (c *Client) PutEndpoint(ctx context.Context, e online.Endpoint) (online.Endpoint, error) {
	body, err := c.endpointBody(ctx, e)
	if err != nil {
		return online.Endpoint{}, err
	}
	o := operation{doing: "write endpoint " + quote(e.Name), ending: online.Internal}
	client := c.factory.NewOnlineEndpointsClient()
	err = run(ctx, c, o, func(ctx context.Context) (*runtime.Poller[armmachinelearning.OnlineEndpointsClientCreateOrUpdateResponse], error) {
		return client.BeginCreateOrUpdate(ctx, c.workspace.ResourceGroup, c.workspace.Name, e.Name, body, nil)
	})
	if err != nil {
		return online.Endpoint{}, err
	}
	return settle(ctx, func() (online.Endpoint, bool, error) {
		got, err := c.Endpoint(ctx, e.Name)
		shows := !got.State.Busy() && got.Traffic.Equal(e.Traffic) && got.Mirror == e.Mirror && contains(got.Tags, e.Tags)
		return got, shows, err
	})
}

// DeleteEndpoint deletes an endpoint with its deployments and waits. One that is not there is no error.
func (c *Client) DeleteEndpoint(ctx context.Context, name string) error {
	o := operation{doing: "delete endpoint " + quote(name), ending: online.Internal, delete: true}
	client := c.factory.NewOnlineEndpointsClient()
	err := run(ctx, c, o, func(ctx context.Context) (*runtime.Poller[armmachinelearning.OnlineEndpointsClientDeleteResponse], error) {
		return client.BeginDelete(ctx, c.workspace.ResourceGroup, c.workspace.Name, name, nil)
	})
	if err != nil {
		return err
	}
	return c.gone(ctx, func() error { _, err := c.Endpoint(ctx, name); return err })
}

// gone waits until reads no longer show what was deleted.
func (c *Client) gone(ctx context.Context, read func() error) error {
	_, err := settle(ctx, func() (struct{}, bool, error) {
		err := read()
		if online.CodeOf(err) == online.NotFound {
			return struct{}{}, true, nil
		}
		return struct{}{}, false, err
	})
	return err
}

func (c *Client) endpointBody(ctx context.Context, e online.Endpoint) (armmachinelearning.OnlineEndpoint, error) {
	location, err := c.locate(ctx, e.Location)
	if err != nil {
		return armmachinelearning.OnlineEndpoint{}, err
	}
	auth, kind := e.AuthMode, e.Identity.Type
	if auth == "" {
		auth = online.KeyAuth
	}
	if kind == "" {
		kind = string(armmachinelearning.ManagedServiceIdentityTypeSystemAssigned)
	}
	identity := &armmachinelearning.ManagedServiceIdentity{Type: new(armmachinelearning.ManagedServiceIdentityType(kind))}
	for _, id := range e.Identity.UserAssigned {
		if identity.UserAssignedIdentities == nil {
			identity.UserAssignedIdentities = map[string]*armmachinelearning.UserAssignedIdentity{}
		}
		identity.UserAssignedIdentities[id] = &armmachinelearning.UserAssignedIdentity{}
	}
	return armmachinelearning.OnlineEndpoint{
		Location: &location, Tags: pointers(e.Tags), Identity: identity,
		Properties: &armmachinelearning.OnlineEndpointProperties{
			AuthMode: new(armmachinelearning.EndpointAuthMode(auth)), Description: some(e.Description), Compute: some(e.Compute),
			PublicNetworkAccess: some(armmachinelearning.PublicNetworkAccessType(e.PublicNetworkAccess)),
			Properties:          pointers(e.Properties), Traffic: percents(e.Traffic.Shares()), MirrorTraffic: percents(e.Mirror.Shares()),
		},
	}, nil
}

// locate returns the location given, or the workspace's.
func (c *Client) locate(ctx context.Context, location string) (string, error) {
	if location != "" {
		return location, nil
	}
	return c.workspaceLocation(ctx)
}

func percents(shares map[string]int) map[string]*int32 {
	out := make(map[string]*int32, len(shares))
	for name, share := range shares {
		out[name] = new(int32(share))
	}
	return out
}

func shares(percents map[string]*int32) map[string]int {
	out := make(map[string]int, len(percents))
	for name, percent := range percents {
		out[name] = int(value(percent))
	}
	return out
}

func readEndpoint(w armmachinelearning.OnlineEndpoint) (e online.Endpoint, err error) {
	p := value(w.Properties)
	e = online.Endpoint{
		Name: strings.ToLower(value(w.Name)), Location: value(w.Location), Tags: values(w.Tags),
		Description: value(p.Description), Properties: values(p.Properties), AuthMode: online.AuthMode(value(p.AuthMode)), Compute: value(p.Compute),
		PublicNetworkAccess: string(value(p.PublicNetworkAccess)), State: online.ProvisioningState(value(p.ProvisioningState)), ScoringURI: value(p.ScoringURI),
	}
	e.CreatedAt, e.ModifiedAt, e.CreatedBy = created(w.SystemData)
	if w.Identity != nil {
		e.Identity = online.Identity{Type: string(value(w.Identity.Type)), UserAssigned: sortedKeys(w.Identity.UserAssignedIdentities)}
	}
	if e.Traffic, err = online.NewTraffic(shares(p.Traffic)); err != nil {
		return e, online.Errorf(online.Internal, "read endpoint %q: %w", e.Name, err)
	}
	if e.Mirror, err = online.NewMirror(shares(p.MirrorTraffic)); err != nil {
		return e, online.Errorf(online.Internal, "read endpoint %q: %w", e.Name, err)
	}
	return e, nil
}
