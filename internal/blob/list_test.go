package blob

import (
	"fmt"
	"testing"
	"time"
)

// A container of 20,000 blobs is listed in a moment, a folder of it too, and so is what shares a
// prefix stepped over.
func TestListIsQuick(t *testing.T) {
	c := &container{staged: map[string]map[string]*stagedBlock{}}
	for i := range 20_000 {
		c.blobs = append(c.blobs, &version{record: record{Name: fmt.Sprintf("%02d/%05d", i/1000, i)}})
	}
	start := time.Now()
	names := 0
	for from := ""; ; {
		p := c.list(listing{from: from, max: 100})
		names += len(p.entries)
		if from = p.next; from == "" {
			break
		}
	}
	folders := c.list(listing{delimiter: "/", max: maxResults})
	last := c.list(listing{prefix: "19/", max: maxResults})
	if names != 20_000 || len(folders.entries) != 20 || len(last.entries) != 1000 {
		t.Errorf("%d names, %d folders, %d in the last", names, len(folders.entries), len(last.entries))
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
}

// Azure's order of headers, which is not that of ASCII: pairs as azblob v1.8.3 sorts them.
func TestCompareHeaders(t *testing.T) {
	sorted := []string{
		"x-ms-blob-type", "x-ms-date", "x-ms-meta-_", "x-ms-meta-_z", "x-ms-meta-1", "x-ms-meta-a", "x-ms-meta-a_b", "x-ms-meta-a1", "x-ms-meta-ab", "x-ms-meta-a-b", "x-ms-version",
	}
	for i, a := range sorted {
		for j, b := range sorted {
			if got := compareHeaders(a, b); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("compare %s, %s = %d", a, b, got)
			}
		}
	}
}

// The rule of unhold: a segment that two versions share goes with the last of them, and a reader
// keeps its version's. Which of two requests comes first cannot be timed from outside.
func TestSegmentsGoWithTheirLastUse(t *testing.T) {
	c := &container{staged: map[string]map[string]*stagedBlock{}, dir: t.TempDir()}
	shared, old := &segment{File: "shared"}, &segment{File: "old"}
	first := &version{record: record{Name: "x", Segments: []*segment{shared, old}}, holds: 1}
	c.show(first)
	reader := c.acquire("x")
	c.show(&version{record: record{Name: "x", Segments: []*segment{shared}}, holds: 1})
	if shared.uses != 2 || old.uses != 1 {
		t.Errorf("while it is read: shared %d, old %d, want 2 and 1", shared.uses, old.uses)
	}
	if unused := c.unhold(reader); len(unused) != 1 || unused[0] != old {
		t.Errorf("after the reader: %v is unused, want the old one only", unused)
	}
	last := c.acquire("x")
	c.hide(last)
	if unused := c.unhold(last); len(unused) != 1 || unused[0] != shared {
		t.Errorf("after the last: %v is unused, want the shared one", unused)
	}
}
