package blob

import (
	"os"
	"slices"
	"time"
)

// write is a change of one blob. Its functions get the current version, nil where there is none.
type write struct {
	blob    string
	allowed func(old *version) error
	next    func(old *version) (record, error) // all but the name, the ETag and the times
	content bool                               // the content is replaced, which ends the wait of staged blocks
}

// commit puts a new version of a blob in force. Where it returns no version, nothing has changed,
// and the caller discards the segments it has written. Where it returns a version and an error,
// the version is in force, but may be gone after a crash.
func (c *container) commit(w write) (*version, error) {
	lock := c.lock(w.blob)
	lock.Lock()
	defer lock.Unlock()
	old := c.acquire(w.blob)
	if old != nil {
		defer c.release(old)
	}
	if err := w.allowed(old); err != nil {
		return nil, err
	}
	rec, err := w.next(old)
	if err != nil {
		return nil, err
	}
	rec.Name, rec.ETag, rec.ModifiedAt = w.blob, newETag(), time.Now()
	if rec.CreatedAt = rec.ModifiedAt; old != nil {
		rec.CreatedAt = old.CreatedAt
	}
	temp, err := draft(c.recordFile(w.blob), rec)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(temp, c.recordFile(w.blob)); err != nil {
		return nil, err
	}
	err = syncDir(c.blobsDir())
	v := &version{record: rec, holds: 1}
	c.show(v)
	if w.content {
		c.unstage(w.blob)
	}
	return v, err
}

// show puts a version in the index, in place of the one before.
func (c *container) show(v *version) {
	c.mu.Lock()
	v.use()
	i, found := c.find(v.Name)
	var old *version
	if found {
		old, c.blobs[i] = c.blobs[i], v
	} else {
		c.blobs = slices.Insert(c.blobs, i, v)
	}
	c.mu.Unlock()
	if old != nil {
		c.release(old)
	}
}

// discard removes segments that no version has come to use.
func (c *container) discard(segments []*segment) {
	for _, s := range segments {
		_ = os.Remove(c.dataFile(s)) // what stays is swept at the next start
	}
}

// remove deletes a blob, unless the conditions forbid it.
func (c *container) remove(blob string, allowed func(old *version) error) error {
	lock := c.lock(blob)
	lock.Lock()
	defer lock.Unlock()
	old := c.acquire(blob)
	if old == nil {
		return errBlobNotFound
	}
	defer c.release(old)
	if err := allowed(old); err != nil {
		return err
	}
	if err := os.Remove(c.recordFile(blob)); err != nil {
		return err
	}
	err := syncDir(c.blobsDir())
	c.hide(old)
	return err
}

func (c *container) hide(v *version) {
	c.mu.Lock()
	if i, found := c.find(v.Name); found {
		c.blobs = slices.Delete(c.blobs, i, i+1)
	}
	c.mu.Unlock()
	c.release(v)
}
