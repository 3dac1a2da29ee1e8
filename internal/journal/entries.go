package journal

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"hotswap/internal/online"
)

// RolloutID names one rollout of the endpoint: the fence that it began with, and its id.
type RolloutID struct {
	Fence   int64
	Rollout string
}

// Entry is one step of a rollout. A step is recorded once: what it says never changes.
type Entry struct {
	Fence   int64           `json:"fence"`
	Rollout string          `json:"rollout"`
	Seq     int             `json:"seq"` // counts the entries of a rollout; one entry each
	Kind    string          `json:"kind"`
	Time    time.Time       `json:"time"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// rolloutPattern is what a rollout's id may be, so that it is a blob's name on every store.
var rolloutPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9.-]*$`)

// folder holds a rollout's entries. The fence has leading zeros, so that names sort as numbers.
func (j *Journal) folder(id RolloutID) string {
	return fmt.Sprintf("%srollouts/%010d-%s/", j.prefix, id.Fence, id.Rollout)
}

// Append records a step. The sequence number alone is the blob's name and the blob is only ever
// created, so of two entries with one number the store takes one; the other is Stale.
func (j *Journal) Append(ctx context.Context, e Entry) error {
	if !rolloutPattern.MatchString(e.Rollout) || e.Seq < 0 {
		return online.Errorf(online.Internal, "record %s as entry %d of rollout %q: want letters, digits, dots and hyphens, and no negative number", e.Kind, e.Seq, e.Rollout)
	}
	body, err := json.Marshal(e)
	if err != nil {
		return online.Errorf(online.Internal, "record %s of rollout %s: %w", e.Kind, e.Rollout, err)
	}
	name := fmt.Sprintf("%s%04d.json", j.folder(RolloutID{e.Fence, e.Rollout}), e.Seq)
	failure := j.write(ctx, name, body, "")
	if failure == nil || !inDoubt(ctx, failure) {
		return failure
	}
	there, err := j.read(ctx, name)
	if err == nil && bytes.Equal(there.body, body) { // it was written, the reply was lost
		return nil
	}
	return failure
}

// Rollouts lists the rollouts of the endpoint, the newest first.
func (j *Journal) Rollouts(ctx context.Context) ([]RolloutID, error) {
	prefix := j.prefix + "rollouts/"
	pager := j.store.NewListBlobsHierarchyPager("/", &container.ListBlobsHierarchyOptions{Prefix: &prefix})
	var ids []RolloutID
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, j.failed(err, "list "+prefix)
		}
		for _, folder := range page.Segment.BlobPrefixes {
			if id, ok := parseFolder(strings.TrimPrefix(*folder.Name, prefix)); ok {
				ids = append(ids, id)
			}
		}
	}
	slices.SortFunc(ids, func(a, b RolloutID) int {
		return cmp.Or(cmp.Compare(b.Fence, a.Fence), strings.Compare(b.Rollout, a.Rollout))
	})
	return ids, nil
}

func parseFolder(name string) (RolloutID, bool) {
	number, rollout, _ := strings.Cut(strings.TrimSuffix(name, "/"), "-")
	fence, err := strconv.ParseInt(number, 10, 64)
	return RolloutID{fence, rollout}, err == nil && rollout != ""
}

// Entries returns the steps of a rollout in their order.
func (j *Journal) Entries(ctx context.Context, id RolloutID) ([]Entry, error) {
	names, err := j.names(ctx, j.folder(id))
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, name := range names {
		e, err := j.entry(ctx, name)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	return entries, nil
}

// Last returns the newest step of a rollout without reading the others; false where it has none.
func (j *Journal) Last(ctx context.Context, id RolloutID) (Entry, bool, error) {
	names, err := j.names(ctx, j.folder(id))
	if err != nil || len(names) == 0 {
		return Entry{}, false, err
	}
	newest := slices.MaxFunc(names, func(a, b string) int { // by number: its zeros are for four digits only
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	})
	e, err := j.entry(ctx, newest)
	return e, err == nil, err
}

// names lists the blobs whose names begin so.
func (j *Journal) names(ctx context.Context, prefix string) ([]string, error) {
	pager := j.store.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix})
	var names []string
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, j.failed(err, "list "+prefix)
		}
		for _, item := range page.Segment.BlobItems {
			names = append(names, *item.Name)
		}
	}
	return names, nil
}

func (j *Journal) entry(ctx context.Context, name string) (Entry, error) {
	s, err := j.read(ctx, name)
	if err != nil {
		return Entry{}, err
	}
	var e Entry
	if err := json.Unmarshal(s.body, &e); err != nil {
		return Entry{}, online.Errorf(online.Internal, "read the journal entry %s: %w", name, err)
	}
	return e, nil
}
