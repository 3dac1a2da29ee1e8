package journal_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"hotswap/internal/journal"
	"hotswap/internal/online"
)

// A record is changed by who has seen it as it is: of many who change it at once, one does.
func TestRecordIsChangedByOne(t *testing.T) {
	every(t, func(t *testing.T, c *container.Client) {
		j := journal.New(c, "Taxi")
		seen, err := j.Record(t.Context(), "gate")
		if err != nil || seen.Body != nil || seen.Time.IsZero() {
			t.Fatalf("there is %q at %v, %v; want none yet", seen.Body, seen.Time, err)
		}
		for round := range 3 { // the first makes it, the others change it
			const many = 8
			errs := make([]error, many)
			var all sync.WaitGroup
			for i := range many {
				all.Go(func() {
					errs[i] = j.PutRecord(t.Context(), "gate", fmt.Appendf(nil, `{"by": "%d-%d"}`, round, i), seen)
				})
			}
			all.Wait()
			won := -1
			for i, err := range errs {
				switch {
				case err == nil && won >= 0:
					t.Fatalf("both %d and %d have changed the record", won, i)
				case err == nil:
					won = i
				default:
					wantCode(t, "change the record after another", err, online.Stale)
				}
			}
			if seen, err = j.Record(t.Context(), "gate"); err != nil || string(seen.Body) != fmt.Sprintf(`{"by": "%d-%d"}`, round, won) {
				t.Fatalf("%d has changed it, and it is %s, %v", won, seen.Body, err)
			}
		}
	})
}

// A write whose reply was lost has happened, or somebody else's has.
func TestRecordWithALostReply(t *testing.T) {
	s, c := newFake(t)
	j := journal.New(c, "taxi")
	seen, err := j.Record(t.Context(), "gate")
	if err != nil {
		t.Fatal(err)
	}
	lost := false
	s.fault = func(r *http.Request) string {
		if r.Method == http.MethodPut && !lost {
			lost = true
			return "lose"
		}
		return ""
	}
	if err := j.PutRecord(t.Context(), "gate", []byte("one"), seen); err != nil || !lost {
		t.Fatalf("lost %v: %v, want the write to be found", lost, err)
	}
	wantCode(t, "write over what is not there any more", j.PutRecord(t.Context(), "gate", []byte("two"), seen), online.Stale)
	if now, err := j.Record(t.Context(), "gate"); err != nil || string(now.Body) != "one" {
		t.Errorf("the record is %q, %v", now.Body, err)
	}
}
