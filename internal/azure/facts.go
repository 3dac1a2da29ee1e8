package azure

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/http"
	"path"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"hotswap/internal/online"
)

// Workspace is the workspace that the client speaks to.
func (c *Client) Workspace() Workspace { return c.workspace }

// ID is the workspace's path in the management plane, which the scope of a role is.
func (w Workspace) ID() string {
	return "/subscriptions/" + w.Subscription + "/resourceGroups/" + w.ResourceGroup + "/providers/Microsoft.MachineLearningServices/workspaces/" + w.Name
}

// Facts is what a workspace says of itself.
type Facts struct {
	Location       string
	StorageAccount string // the id of its default one, "" where it doesn't tell
}

// Facts reads the workspace.
func (c *Client) Facts(ctx context.Context) (Facts, error) {
	resp, err := c.factory.NewWorkspacesClient().Get(ctx, c.workspace.ResourceGroup, c.workspace.Name, nil)
	if err != nil {
		return Facts{}, failed(err, "read workspace %q", c.workspace.Name)
	}
	f := Facts{Location: value(resp.Location)}
	if resp.Properties != nil {
		f.StorageAccount = value(resp.Properties.StorageAccount)
	}
	return f, nil
}

// Permission is what one of our roles allows, in patterns where * stands for any text.
type Permission struct {
	Actions        []string `json:"actions"`
	NotActions     []string `json:"notActions"`
	DataActions    []string `json:"dataActions"`
	NotDataActions []string `json:"notDataActions"`
}

// Allows reports whether the role allows an action, be it one of the management or of the data
// plane: Azure has moved some between the two. Case doesn't count
// (learn.microsoft.com/azure/role-based-access-control/role-definitions).
func (p Permission) Allows(action string) bool {
	return matches(p.Actions, action) && !matches(p.NotActions, action) || matches(p.DataActions, action) && !matches(p.NotDataActions, action)
}

func matches(patterns []string, action string) bool {
	for _, pattern := range patterns {
		if wildcard(strings.ToLower(pattern), strings.ToLower(action)) {
			return true
		}
	}
	return false
}

// wildcard reports whether * in pattern can stand for texts that make it text.
func wildcard(pattern, text string) bool {
	first, rest, more := strings.Cut(pattern, "*")
	text, ok := strings.CutPrefix(text, first)
	if !ok || !more {
		return ok && text == ""
	}
	for n := range len(text) + 1 {
		if wildcard(rest, text[n:]) {
			return true
		}
	}
	return false
}

// Permissions asks what we may do on the workspace, or on one of its endpoints
// (learn.microsoft.com/rest/api/authorization/permissions/list-for-resource). Azure has it for
// endpoints that are there.
func (c *Client) Permissions(ctx context.Context, endpoint string) ([]Permission, error) {
	client, err := arm.NewClient("hotswap", "v0.0.0", c.cred, &arm.ClientOptions{ClientOptions: c.options, DisableRPRegistration: true})
	if err != nil {
		return nil, online.Errorf(online.Invalid, "set up the client of %s: %w", c.login.cloud.arm(), err)
	}
	scope := c.workspace.ID()
	if endpoint != "" {
		scope += "/onlineEndpoints/" + endpoint
	}
	next := runtime.JoinPaths(client.Endpoint(), scope, "/providers/Microsoft.Authorization/permissions?api-version=2022-04-01")
	var all []Permission
	for next != "" {
		var page struct {
			Value    []Permission `json:"value"`
			NextLink string       `json:"nextLink"`
		}
		if err := get(ctx, client, next, &page); err != nil {
			return nil, failed(err, "ask what we may do on %s", path.Base(scope))
		}
		all, next = append(all, page.Value...), page.NextLink
	}
	return all, nil
}

func get(ctx context.Context, client *arm.Client, address string, into any) error {
	req, err := runtime.NewRequest(ctx, http.MethodGet, address)
	if err != nil {
		return err
	}
	resp, err := client.Pipeline().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return runtime.NewResponseError(resp)
	}
	return runtime.UnmarshalAsJSON(resp, into)
}

// Grant is the command that gives us a role on a resource by its id, "" for the workspace. On hotswap
// serve a principal has the role that it was made with, so there it makes another.
func (c *Client) Grant(role Role, scope string) []string {
	if !c.Azure() {
		return []string{"hotswap", "principal", "create", "pipeline", "--role", "deployer", "--save", "pipeline.json"}
	}
	assignee := cmp.Or(c.ClientID(), claims(c.cred.newest()).ID)
	return []string{"az", "role", "assignment", "create", "--assignee", assignee, "--role", string(role), "--scope", cmp.Or(scope, c.workspace.ID())}
}

// Datastore is the workspace's default datastore.
type Datastore struct {
	Name, URL string
	Account   string // of Azure Storage
	Identity  bool   // it has no secret of its own: who opens it needs a role on the account
}

// Datastore finds the default datastore.
func (c *Client) Datastore(ctx context.Context) (Datastore, error) {
	name, blob, err := c.findStore(ctx)
	if err != nil {
		return Datastore{}, err
	}
	d := Datastore{Name: name, URL: accountURL(blob) + "/" + value(blob.ContainerName), Account: value(blob.AccountName), Identity: true}
	switch blob.Credentials.(type) {
	case *armmachinelearning.AccountKeyDatastoreCredentials, *armmachinelearning.SasDatastoreCredentials:
		d.Identity = false
	}
	return d, nil
}

// probeFolder is where Probe writes: below what is ours, and beside no endpoint, whose names begin
// with a letter.
const probeFolder = "hotswap/.doctor/"

// Probe writes a blob into the default datastore, reads it and deletes it again.
func (c *Client) Probe(ctx context.Context) error {
	box, err := c.Container(ctx)
	if err != nil {
		return err
	}
	ctx = policy.WithRetryOptions(ctx, policy.RetryOptions{MaxRetries: 1, TryTimeout: RequestTimeout})
	name := probeFolder + rand.Text()
	blob := box.NewBlockBlobClient(name)
	if _, err := blob.UploadBuffer(ctx, []byte(name), nil); err != nil {
		return failedBlob(err, "write a blob")
	}
	got := make([]byte, len(name))
	n, errRead := blob.DownloadBuffer(ctx, got, nil)
	// Whatever the reading came to, the blob goes again.
	if _, err := blob.Delete(context.WithoutCancel(ctx), nil); err != nil {
		return failedBlob(err, "delete the blob %s", name)
	}
	if errRead != nil {
		return failedBlob(errRead, "read a blob")
	}
	if n != int64(len(name)) || string(got) != name {
		return online.Errorf(online.Internal, "read a blob: it is not what was written")
	}
	return nil
}
