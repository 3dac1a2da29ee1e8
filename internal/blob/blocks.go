package blob

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// The limits of blocks (learn.microsoft.com/rest/api/storageservices/put-block and put-block-list).
const (
	maxBlocks   = 50_000
	maxStaged   = 100_000
	stagedLife  = 7 * 24 * time.Hour // since the last block of the blob
	sweepStaged = 24 * time.Hour
)

// stagedBlock is a block that waits for its block list. Its file is staged/{key}/{id in hex}.
type stagedBlock struct {
	id   string // in base64
	size int64
	at   time.Time
}

// A blockChoice is an entry of a block list: where the block is to be looked for, and its id.
type blockChoice struct {
	where string // Latest, Committed or Uncommitted
	id    string // in base64
}

func (c *container) stagedFile(key, id string) string {
	raw, _ := base64.StdEncoding.DecodeString(id) // checked when it came in
	return filepath.Join(c.stagedDir(), key, hex.EncodeToString(raw))
}

// loadStaged reads which blocks wait.
func (c *container) loadStaged() error {
	keys, err := os.ReadDir(c.stagedDir())
	if err != nil {
		return err
	}
	for _, k := range keys {
		blocks, err := readStaged(filepath.Join(c.stagedDir(), k.Name()))
		if err != nil {
			return err
		}
		c.staged[k.Name()] = blocks
	}
	c.sweepStaged(time.Now())
	return nil
}

func readStaged(dir string) (map[string]*stagedBlock, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	blocks := map[string]*stagedBlock{}
	for _, e := range entries {
		raw, err := hex.DecodeString(e.Name())
		info, statErr := e.Info()
		if err := errors.Join(err, statErr); err != nil {
			return nil, fmt.Errorf("%s holds a file that is no block: %w", dir, err)
		}
		id := base64.StdEncoding.EncodeToString(raw)
		blocks[id] = &stagedBlock{id, info.Size(), info.ModTime()}
	}
	return blocks, nil
}

// sweepStaged forgets the blocks of blobs that got none for a week, as Azure does. The caller
// holds mu, or is alone.
func (c *container) sweepStaged(now time.Time) {
	c.swept = now
	for k, blocks := range c.staged {
		var last time.Time
		for _, b := range blocks {
			if b.at.After(last) {
				last = b.at
			}
		}
		if now.Sub(last) > stagedLife {
			_ = os.RemoveAll(filepath.Join(c.stagedDir(), k))
			delete(c.staged, k)
		}
	}
}

// stage makes a segment that was written a block which waits for its list.
func (c *container) stage(blob, id string, s *segment) error {
	lock := c.lock(blob)
	lock.Lock()
	defer lock.Unlock()
	k := key(blob)
	if err := c.mayStage(k, id); err != nil {
		return err
	}
	file := c.stagedFile(k, id)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	if err := os.Rename(c.dataFile(s), file); err != nil {
		return err
	}
	if err := errors.Join(syncDir(filepath.Dir(file)), syncDir(c.stagedDir())); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.staged[k] == nil {
		c.staged[k] = map[string]*stagedBlock{}
	}
	c.staged[k][id] = &stagedBlock{id, s.Size, time.Now()}
	return nil
}

// mayStage checks a new block against the ones that are there. The caller holds the blob's lock.
func (c *container) mayStage(k, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.swept) > sweepStaged {
		c.sweepStaged(now)
	}
	waiting := c.staged[k]
	if waiting[id] == nil && len(waiting) >= maxStaged {
		return errTooManyBlocks
	}
	for other := range waiting {
		if len(other) != len(id) {
			return errBlockIDLength
		}
		break // they all have one length
	}
	return nil
}

// waiting returns the staged blocks of a blob. The caller holds the blob's lock while it uses them.
func (c *container) waiting(blob string) map[string]*stagedBlock {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.staged[key(blob)]
}

// unstage forgets the staged blocks of a blob. The caller holds the blob's lock.
func (c *container) unstage(blob string) {
	k := key(blob)
	c.mu.Lock()
	_, some := c.staged[k]
	delete(c.staged, k)
	c.mu.Unlock()
	if some {
		_ = os.RemoveAll(filepath.Join(c.stagedDir(), k))
	}
}

// assemble turns a block list into segments. Staged blocks get a second name in data, so that
// they are in both places until the record is in force, and a crash loses neither the upload nor
// the blob. fresh are the new names, for the caller to discard when the commit fails.
func (c *container) assemble(blob string, old *version, list []blockChoice) (all, fresh []*segment, err error) {
	committed := map[string]*segment{}
	if old != nil {
		for _, s := range old.Segments {
			committed[s.Block] = s
		}
	}
	waiting := c.waiting(blob)
	for _, choice := range list {
		staged, kept := waiting[choice.id], committed[choice.id]
		switch {
		case staged != nil && choice.where != "Committed":
			s := &segment{File: newID(), Size: staged.size, Block: staged.id}
			if err := os.Link(c.stagedFile(key(blob), staged.id), c.dataFile(s)); err != nil {
				return nil, fresh, err
			}
			all, fresh = append(all, s), append(fresh, s)
		case kept != nil && choice.where != "Uncommitted":
			all = append(all, kept)
		default:
			return nil, fresh, errBlockList
		}
	}
	return all, fresh, syncDir(c.dataDir())
}
