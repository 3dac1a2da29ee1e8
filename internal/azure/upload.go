package azure

import (
	"context"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/google/uuid"

	"hotswap/internal/online"
)

// hashVersion names the way in which a code folder's hash is made (azure-ai-ml 1.34.0).
const hashVersion = "202208"

// The metadata of an upload's first file that say that it is complete, and for which asset
// (azure-ai-ml 1.34.0). Package azblob gives the names of metadata a capital.
const (
	metaStatus, metaName, metaVersion = "upload_status", "name", "version"

	completed = "completed"
)

// UploadCode uploads a folder of code and registers it, or finds it by its content where that was
// done before.
func (c *Client) UploadCode(ctx context.Context, dir string) (online.Ref, error) {
	up, err := readUpload(dir)
	if err != nil {
		return online.Ref{}, err
	}
	ref := online.Ref{Kind: online.Codes, Name: uuid.NewString(), Version: "1"}
	if known, err := c.findCode(ctx, ref.Name, up.hash); err != nil || !known.IsZero() {
		return known, err
	}
	codes := c.factory.NewCodeVersionsClient()
	pending, err := codes.CreateOrGetStartPendingUpload(ctx, c.workspace.ResourceGroup, c.workspace.Name, ref.Name, ref.Version,
		armmachinelearning.PendingUploadRequestDto{PendingUploadType: new(armmachinelearning.PendingUploadTypeTemporaryBlobReference)}, nil)
	if err != nil {
		return online.Ref{}, failed(err, "begin to upload the code")
	}
	place := value(pending.BlobReferenceForConsumption)
	sas, ok := place.Credential.(*armmachinelearning.SASCredentialDto)
	if !ok || place.BlobURI == nil {
		return online.Ref{}, online.Errorf(online.Internal, "begin to upload the code: the answer names no place to upload to")
	}
	store, err := container.NewClientWithNoCredential(value(sas.SasURI), &container.ClientOptions{ClientOptions: c.options})
	if err != nil {
		return online.Ref{}, online.Errorf(online.Internal, "begin to upload the code: the place to upload to can't be read")
	}
	if err := c.upload(ctx, store, up, "", ref); err != nil {
		return online.Ref{}, err
	}
	uri := *place.BlobURI + "/" + up.base
	_, err = codes.CreateOrUpdate(ctx, c.workspace.ResourceGroup, c.workspace.Name, ref.Name, ref.Version, armmachinelearning.CodeVersion{
		Properties: &armmachinelearning.CodeVersionProperties{
			CodeURI: &uri, IsAnonymous: new(true),
			Properties: pointers(map[string]string{"hash_sha256": up.hash, "hash_version": hashVersion}),
		},
	}, nil)
	if err != nil {
		return online.Ref{}, failed(err, "register the code")
	}
	return ref, nil
}

// findCode looks for code of that hash in the whole workspace; the name in the path is not used
// by the search (azure-ai-ml 1.34.0 sends a new one each time).
func (c *Client) findCode(ctx context.Context, name, hash string) (online.Ref, error) {
	pager := c.factory.NewCodeVersionsClient().NewListPager(c.workspace.ResourceGroup, c.workspace.Name, name,
		&armmachinelearning.CodeVersionsClientListOptions{Hash: &hash, HashVersion: new(hashVersion)})
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return online.Ref{}, failed(err, "look for code that was uploaded before")
		}
		for _, item := range page.Value {
			if item.Properties != nil && value(item.Properties.Properties["hash_sha256"]) == hash {
				return parseAssetID(online.Codes, value(item.ID)), nil
			}
		}
	}
	return online.Ref{}, nil
}

// upload puts the files into store, below the folder given, and marks them as complete. Where
// that was done before, it is not done again.
func (c *Client) upload(ctx context.Context, store *container.Client, up folder, below string, ref online.Ref) error {
	if below != "" {
		below += "/"
	}
	if !up.alone {
		below += up.base + "/"
	}
	first := store.NewBlockBlobClient(below + up.files[0].name)
	properties, err := first.GetProperties(ctx, nil)
	if err != nil && !bloberror.HasCode(err, bloberror.BlobNotFound) {
		return failedBlob(err, "look for %s in the blob store", up.base)
	}
	if isComplete(properties.Metadata) {
		return nil
	}
	for i, f := range up.files {
		if err := put(ctx, store, up, f.name, below); err != nil {
			return failedBlob(err, "upload %s", f.name)
		}
		if len(up.files) > 1 {
			c.progress("uploaded %d of %d files of %s", i+1, len(up.files), up.base)
		}
	}
	_, err = first.SetMetadata(ctx, pointers(map[string]string{metaStatus: completed, metaName: ref.Name, metaVersion: ref.Version}), nil)
	if err != nil {
		return failedBlob(err, "mark the upload of %s as complete", up.base)
	}
	return nil
}

func isComplete(metadata map[string]*string) bool {
	for name, v := range metadata {
		if strings.EqualFold(name, metaStatus) && value(v) == completed {
			return true
		}
	}
	return false
}

// put uploads a file unless it is there: the folder is named after the hash of its content, so
// what is there is the same.
func put(ctx context.Context, store *container.Client, up folder, name, below string) error {
	r, err := up.open(name)
	if err != nil {
		return online.Errorf(online.Invalid, "upload %s: %w", name, err)
	}
	defer func() { _ = r.Close() }()
	anything := azcore.ETagAny
	_, err = store.NewBlockBlobClient(below+name).UploadFile(patient(ctx), r, &blockblob.UploadFileOptions{
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: &anything}},
	})
	if bloberror.HasCode(err, bloberror.BlobAlreadyExists) {
		return nil
	}
	return err
}
