package journal

import (
	"bytes"
	"context"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"hotswap/internal/online"
)

// Record is a blob beside the lock that is changed as a whole, by who has seen it as it is.
type Record struct {
	Body []byte    // nil where there is none yet
	Time time.Time // the store's clock when it was read
	etag azcore.ETag
}

// Record reads the endpoint's record of that name.
func (j *Journal) Record(ctx context.Context, name string) (Record, error) {
	s, err := j.read(ctx, j.recordName(name))
	return Record{s.body, s.seen.store.UTC(), s.etag}, err
}

// PutRecord writes the record anew if it is still the one that was read. The error has the code
// Stale where somebody else has changed it since.
func (j *Journal) PutRecord(ctx context.Context, name string, body []byte, over Record) error {
	blob := j.recordName(name)
	failure := j.write(ctx, blob, body, over.etag)
	if failure == nil || !inDoubt(ctx, failure) {
		return failure
	}
	there, err := j.read(ctx, blob)
	switch {
	case err == nil && bytes.Equal(there.body, body): // it was written, the reply was lost
		return nil
	case err == nil && there.etag != over.etag:
		return online.Errorf(online.Stale, "write %s: it was changed by someone else", blob)
	}
	return failure
}

func (j *Journal) recordName(name string) string { return j.prefix + name + ".json" }
