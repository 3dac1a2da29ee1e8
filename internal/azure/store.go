package azure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"hotswap/internal/online"
)

// datastore is the workspace's default datastore.
type datastore struct {
	name, url string // the url is the container's
	client    *container.Client
}

// Container opens the container of the workspace's default datastore.
func (c *Client) Container(ctx context.Context) (*container.Client, error) {
	store, err := c.defaultStore(ctx)
	return store.client, err
}

func (c *Client) defaultStore(ctx context.Context) (datastore, error) {
	name, blob, err := c.findStore(ctx)
	if err != nil {
		return datastore{}, err
	}
	d := datastore{name: name, url: accountURL(blob) + "/" + value(blob.ContainerName)}
	if d.client, err = c.openContainer(ctx, d, blob); err != nil {
		return datastore{}, failed(err, "open datastore %q", name)
	}
	return d, nil
}

// accountURL is the address of a datastore's account.
func accountURL(blob *armmachinelearning.AzureBlobDatastore) string {
	return fmt.Sprintf("%s://%s.blob.%s", cmp.Or(value(blob.Protocol), "https"), value(blob.AccountName), value(blob.Endpoint))
}

// at opens the container that the URL of a folder names, which must be in the default datastore's
// account, and returns the folder's path in it. What the datastore goes by opens the account's
// other containers too, unless it is a signature for the one.
func (c *Client) at(ctx context.Context, folder string) (*container.Client, string, error) {
	name, blob, err := c.findStore(ctx)
	if err != nil {
		return nil, "", err
	}
	account := accountURL(blob)
	path, ok := strings.CutPrefix(strings.Replace(folder, ":443/", "/", 1), account+"/") // Azure names the port at times
	box, path, _ := strings.Cut(path, "/")
	if !ok || box == "" {
		return nil, "", online.Errorf(online.Invalid, "%q is not in the account of the default datastore, %s", folder, account)
	}
	client, err := c.openContainer(ctx, datastore{name: name, url: account + "/" + box}, blob)
	if err != nil {
		return nil, "", failed(err, "open container %q", box)
	}
	return client, strings.Trim(path, "/"), nil
}

func (c *Client) findStore(ctx context.Context) (string, *armmachinelearning.AzureBlobDatastore, error) {
	pager := c.factory.NewDatastoresClient().NewListPager(c.workspace.ResourceGroup, c.workspace.Name,
		&armmachinelearning.DatastoresClientListOptions{IsDefault: new(true)})
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return "", nil, failed(err, "find the workspace's default datastore")
		}
		for _, item := range page.Value {
			if blob, ok := item.Properties.(*armmachinelearning.AzureBlobDatastore); ok && value(blob.IsDefault) {
				return value(item.Name), blob, nil
			}
		}
	}
	return "", nil, online.Errorf(online.NotFound, "workspace %q has no default datastore in Azure Blob Storage", c.workspace.Name)
}

// openContainer opens a datastore's container with what the datastore goes by: the account's key,
// a signature, or, where it has neither or they may not be seen, the principal's own identity.
func (c *Client) openContainer(ctx context.Context, d datastore, blob *armmachinelearning.AzureBlobDatastore) (*container.Client, error) {
	options := &container.ClientOptions{ClientOptions: c.options}
	switch blob.Credentials.(type) {
	case *armmachinelearning.AccountKeyDatastoreCredentials, *armmachinelearning.SasDatastoreCredentials:
	default:
		return container.NewClient(d.url, c.cred, options)
	}
	resp, err := c.factory.NewDatastoresClient().ListSecrets(ctx, c.workspace.ResourceGroup, c.workspace.Name, d.name, nil)
	if e, ok := errors.AsType[*azcore.ResponseError](err); ok && e.StatusCode == http.StatusForbidden {
		// Who may not see the secrets, a reader, may see the blobs all the same.
		if own, err := container.NewClient(d.url, c.cred, options); err == nil {
			if _, err := own.GetProperties(ctx, nil); err == nil {
				return own, nil
			}
		}
	}
	if err != nil {
		return nil, err
	}
	switch secrets := resp.DatastoreSecretsClassification.(type) {
	case *armmachinelearning.AccountKeyDatastoreSecrets:
		key, err := container.NewSharedKeyCredential(value(blob.AccountName), value(secrets.Key))
		if err != nil {
			return nil, online.Errorf(online.Internal, "open datastore %q: its account key can't be read", d.name)
		}
		return container.NewClientWithSharedKeyCredential(d.url, key, options)
	case *armmachinelearning.SasDatastoreSecrets:
		client, err := container.NewClientWithNoCredential(d.url+"?"+value(secrets.SasToken), options)
		if err != nil { // whose text may have the signature
			return nil, online.Errorf(online.Internal, "open datastore %q: its signature can't be read", d.name)
		}
		return client, nil
	}
	return nil, online.Errorf(online.Internal, "open datastore %q: it goes by secrets of a kind that is not known", d.name)
}

// patient lets a file that is large take longer than a request usually may.
func patient(ctx context.Context) context.Context {
	return policy.WithRetryOptions(ctx, policy.RetryOptions{TryTimeout: 10 * RequestTimeout})
}
