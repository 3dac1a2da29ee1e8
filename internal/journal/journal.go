// Package journal keeps the lock of an endpoint and the journal of its rollouts in the
// workspace's blob store, where every machine that may change the endpoint can see them.
//
//	hotswap/{endpoint}/lock.json
//	hotswap/{endpoint}/rollouts/{fence}-{rollout}/{seq}.json
//	hotswap/{endpoint}/decisions/{rollout}-{kind}.json
//	hotswap/{endpoint}/gate.json
//
// The lock is created with If-None-Match: * and changed only with If-Match, so of two claims at
// most one is granted. It expires by the store's own clock, the Date of its answers, so machines
// need not agree on the time. Its fence only grows: a write that carries a lower one than the
// largest seen comes from a holder that has lost the lock.
//
//	free ─ Acquire ─► held ─ Renew ─► held ─ Rest ─► held, nobody at work ─ Acquire ─► held
//	  ▲                 └─ Release ─► free     └─ expires, or Take says yes ─ Acquire ─► held by another
//	  └── the fence stays ──┘
//
// A person's lock is held until a person frees it: free ─ Hold ─► held by hand ─ Free ─► free.
// Free takes a rollout's lock away as well, where that is asked for: its lease is lost then, and
// the rollout with it.
package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"hotswap/internal/online"
)

// TTL is how long a lock is held without being renewed.
const TTL = 30 * time.Minute

// role lets a principal read and write blobs where the datastore goes by identity
// (learn.microsoft.com, "Azure built-in roles for Storage").
const role = "Storage Blob Data Contributor"

// Journal is the lock and the journal of one endpoint. It may be used by several goroutines.
type Journal struct {
	TTL time.Duration // how long a lock lasts; New sets it to the constant

	store    *container.Client
	endpoint string
	prefix   string
}

// New returns the journal of an endpoint in the container c. It asks the store nothing.
func New(c *container.Client, endpoint string) *Journal {
	name := strings.ToLower(endpoint)
	return &Journal{TTL: TTL, store: c, endpoint: name, prefix: "hotswap/" + name + "/"}
}

// stored is what a read found.
type stored struct {
	body []byte
	etag azcore.ETag // "" where there is no such blob
	seen sighting
}

// sighting ties a moment of the store's clock to one of ours.
type sighting struct {
	store time.Time // the Date of an answer, in whole seconds: at most the store's time
	local time.Time // when its request was sent, so before Date was written
}

// resolution is that of the Date header (RFC 9110, section 5.6.7): it lags by less.
const resolution = time.Second

// latest is at least the store's time now. What has gone by since the sighting is the larger of
// what the monotonic and the wall clock say: the one stands still while the machine sleeps, and
// the other may be set back.
func (s sighting) latest() time.Time {
	now := time.Now()
	elapsed := max(now.Sub(s.local), now.Round(0).Sub(s.local.Round(0)))
	return s.store.Add(resolution + elapsed)
}

// read returns the blob of that name; a blob that is not there is no error.
func (j *Journal) read(ctx context.Context, name string) (stored, error) {
	sent := time.Now()
	resp, err := j.store.NewBlobClient(name).DownloadStream(ctx, nil)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		e, _ := errors.AsType[*azcore.ResponseError](err)
		date, err := http.ParseTime(e.RawResponse.Header.Get("Date"))
		if err != nil {
			return stored{}, online.Errorf(online.Internal, "read the blob store's clock: %w", err)
		}
		return stored{seen: sighting{date, sent}}, nil
	}
	if err != nil {
		return stored{}, j.failed(err, "read "+name)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return stored{}, online.Errorf(online.Unavailable, "read %s: %w", name, err)
	}
	if resp.Date == nil || resp.ETag == nil {
		return stored{}, online.Errorf(online.Internal, "read %s: the blob store answered without Date or ETag", name)
	}
	return stored{body, *resp.ETag, sighting{*resp.Date, sent}}, nil
}

// write writes the blob of that name if it still has that ETag; "" says that it is not there yet.
func (j *Journal) write(ctx context.Context, name string, body []byte, etag azcore.ETag) error {
	unchanged := &blob.ModifiedAccessConditions{IfMatch: &etag}
	if etag == "" {
		anything := azcore.ETagAny
		unchanged = &blob.ModifiedAccessConditions{IfNoneMatch: &anything}
	}
	contentType := "application/json"
	_, err := j.store.NewBlockBlobClient(name).Upload(ctx, streaming.NopCloser(bytes.NewReader(body)), &blockblob.UploadOptions{
		HTTPHeaders:      &blob.HTTPHeaders{BlobContentType: &contentType},
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: unchanged},
	})
	if err != nil {
		return j.failed(err, "write "+name)
	}
	return nil
}

// failed gives an error of the blob store its code.
func (j *Journal) failed(err error, doing string) error {
	e, answered := errors.AsType[*azcore.ResponseError](err)
	if !answered {
		return online.Errorf(online.Unavailable, "%s in the workspace's blob store: %w", doing, err)
	}
	why := fmt.Sprintf("%s in the workspace's blob store: status %d, %s", doing, e.StatusCode, e.ErrorCode)
	switch {
	case e.StatusCode == http.StatusForbidden && e.RawResponse != nil && e.RawResponse.Header.Get("x-hotswap-role") != "": // one of hotswap serve
		return online.Errorf(online.Forbidden, "%s: ask for the role %q on the workspace", why, e.RawResponse.Header.Get("x-hotswap-role"))
	case e.StatusCode == http.StatusForbidden:
		return online.Errorf(online.Forbidden, "%s: ask for the role %q on its storage account", why, role)
	case e.StatusCode == http.StatusUnauthorized:
		return online.Errorf(online.Unauthenticated, "%s: log in again", why)
	case e.StatusCode == http.StatusNotFound:
		return online.Errorf(online.NotFound, "%s", why)
	case e.StatusCode == http.StatusConflict || e.StatusCode == http.StatusPreconditionFailed:
		return online.Errorf(online.Stale, "%s: it was changed by someone else", why)
	case e.StatusCode >= http.StatusInternalServerError, e.StatusCode == http.StatusTooManyRequests, e.StatusCode == http.StatusRequestTimeout:
		return online.Errorf(online.Unavailable, "%s: try again", why)
	}
	return online.Errorf(online.Internal, "%s", why)
}
