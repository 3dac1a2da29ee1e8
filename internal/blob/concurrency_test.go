package blob_test

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

const racers = 50

// race has everybody upload the same blob under one condition, and returns what the one winner wrote.
func race(t *testing.T, c *container.Client, name string, m *blob.ModifiedAccessConditions, lost string) (winner string, etag azcore.ETag) {
	t.Helper()
	var wg sync.WaitGroup
	var won atomic.Int32
	start := make(chan struct{})
	for i := range racers {
		wg.Go(func() {
			<-start
			content := fmt.Sprint(name, " by ", i)
			r, err := c.NewBlockBlobClient(name).Upload(t.Context(), body(content), &blockblob.UploadOptions{
				AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: m}, Metadata: map[string]*string{"by": new(strconv.Itoa(i))},
			})
			switch got := code(err); {
			case got == "ok":
				won.Add(1)
				winner, etag = content, *r.ETag // a second winner is a race that the detector and the count see
			case got != lost:
				t.Errorf("a loser got %s, want %s", got, lost)
			}
		})
	}
	close(start)
	wg.Wait()
	if n := won.Load(); n != 1 {
		t.Fatalf("%d of %d won, want one", n, racers)
	}
	got, d := get(t, c, name, nil)
	if want := fmt.Sprint(name, " by ", *lowered(d.Metadata)["by"]); got != winner || got != want || *d.ETag != etag {
		t.Fatalf("the blob holds %q with the metadata of %q, ETag %s; %q won, ETag %s", got, want, *d.ETag, winner, etag)
	}
	return winner, etag
}

func testConcurrentCreates(t *testing.T, s *service) {
	c := s.container(t)
	for round := range 3 {
		race(t, c, fmt.Sprint("lock", round), &blob.ModifiedAccessConditions{IfNoneMatch: new(azcore.ETagAny)}, "409 BlobAlreadyExists")
	}
}

func testConcurrentUpdates(t *testing.T, s *service) {
	c := s.container(t)
	etag := put(t, c, "lock", "first", nil)
	for range 4 {
		_, etag = race(t, c, "lock", &blob.ModifiedAccessConditions{IfMatch: new(etag)}, "412 ConditionNotMet")
	}
}
