package blob

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// container is one container: its folder, and the index of what is in it.
//
// A change of a blob holds the blob's lock from the look at the old version until the new one is
// in the index, so conditional writes are linearizable; it holds mu only to look and to swap, so
// that a slow disk keeps no reader waiting.
type container struct {
	dir   string
	info  containerInfo
	locks [64]sync.Mutex // one a blob, shared by those whose names hash alike

	mu     sync.Mutex
	blobs  []*version // sorted by name
	staged map[string]map[string]*stagedBlock
	swept  time.Time // when old staged blocks were last looked for
}

// containerInfo is what container.json holds.
type containerInfo struct {
	ETag      string            `json:"etag"`
	CreatedAt time.Time         `json:"created"`
	Metadata  map[string]string `json:"metadata,omitempty"`
}

// record is what the file of a blob holds.
type record struct {
	Name string `json:"name"`
	Properties
	Segments []*segment `json:"segments"`
}

// segment is a piece of content in a file of its own. It never changes, so versions share it.
type segment struct {
	File  string `json:"file"`
	Size  int64  `json:"size"`
	Block string `json:"block,omitempty"` // its id in base64, where it came as a block

	uses int // by versions that are held; under the container's mu
}

// version is one state of a blob. It never changes.
type version struct {
	record
	holds int // by the index and by readers; under the container's mu
}

const containerFile = "container.json"

// newContainer makes a container; the file that says so comes last.
func newContainer(dir string, metadata map[string]string) (*container, error) {
	c := &container{
		dir: dir, staged: map[string]map[string]*stagedBlock{}, swept: time.Now(),
		info: containerInfo{ETag: newETag(), CreatedAt: time.Now(), Metadata: metadata},
	}
	for _, sub := range []string{c.blobsDir(), c.dataDir(), c.stagedDir()} {
		if err := os.MkdirAll(sub, 0o700); err != nil {
			return nil, err
		}
	}
	file := filepath.Join(dir, containerFile)
	temp, err := draft(file, c.info)
	if err != nil {
		return nil, err
	}
	return c, errors.Join(os.Rename(temp, file), syncDir(dir), syncDir(filepath.Dir(dir)))
}

// load reads a container, nil where the folder is none: a crash came before it was acknowledged.
func load(dir string) (*container, error) {
	c := &container{dir: dir, staged: map[string]map[string]*stagedBlock{}}
	err := read(filepath.Join(dir, containerFile), &c.info)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := c.loadBlobs(); err != nil {
		return nil, err
	}
	if err := c.sweepData(); err != nil {
		return nil, err
	}
	return c, c.loadStaged()
}

func (c *container) loadBlobs() error {
	entries, err := os.ReadDir(c.blobsDir())
	if err != nil {
		return err
	}
	for _, e := range entries {
		file := filepath.Join(c.blobsDir(), e.Name())
		if strings.HasSuffix(file, unsaved) {
			_ = os.Remove(file) // it was never acknowledged
			continue
		}
		v := &version{holds: 1}
		if err := read(file, &v.record); err != nil {
			return err
		}
		if e.Name() != key(v.Name)+recordSuffix {
			return fmt.Errorf("%s is damaged: it describes the blob %q, which belongs to another file", file, v.Name)
		}
		v.use()
		c.blobs = append(c.blobs, v)
	}
	slices.SortFunc(c.blobs, func(a, b *version) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

// sweepData removes the segments that no record names.
func (c *container) sweepData() error {
	used := map[string]bool{}
	for _, v := range c.blobs {
		for _, s := range v.Segments {
			used[s.File] = true
		}
	}
	entries, err := os.ReadDir(c.dataDir())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !used[e.Name()] {
			_ = os.Remove(filepath.Join(c.dataDir(), e.Name()))
		}
	}
	return nil
}

const recordSuffix = ".json"

func (c *container) blobsDir() string  { return filepath.Join(c.dir, "blobs") }
func (c *container) dataDir() string   { return filepath.Join(c.dir, "data") }
func (c *container) stagedDir() string { return filepath.Join(c.dir, "staged") }

func (c *container) recordFile(blob string) string {
	return filepath.Join(c.blobsDir(), key(blob)+recordSuffix)
}

func (c *container) dataFile(s *segment) string { return filepath.Join(c.dataDir(), s.File) }

func (c *container) lock(blob string) *sync.Mutex {
	h := fnv.New32a()
	_, _ = h.Write([]byte(blob))
	return &c.locks[h.Sum32()%uint32(len(c.locks))]
}

// find returns the place of a blob in the index. The caller holds mu.
func (c *container) find(blob string) (int, bool) {
	return slices.BinarySearchFunc(c.blobs, blob, func(v *version, name string) int { return cmp.Compare(v.Name, name) })
}

// acquire returns the current version of a blob, which is kept until release; nil where there is none.
func (c *container) acquire(blob string) *version {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, found := c.find(blob)
	if !found {
		return nil
	}
	c.blobs[i].holds++
	return c.blobs[i]
}

// release ends a hold on a version. The last one removes the segments that no other version uses.
func (c *container) release(v *version) {
	for _, s := range c.unhold(v) {
		_ = os.Remove(c.dataFile(s)) // what stays is swept at the next start
	}
}

func (c *container) unhold(v *version) (unused []*segment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v.holds--; v.holds > 0 {
		return nil
	}
	for _, s := range v.Segments {
		if s.uses--; s.uses == 0 {
			unused = append(unused, s)
		}
	}
	return unused
}

// use counts the segments of a version that is going into the index. The caller holds mu.
func (v *version) use() {
	for _, s := range v.Segments {
		s.uses++
	}
}

// newETag is one that was never there before: a value that returns must not look unchanged.
func newETag() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return fmt.Sprintf("0x%016X", binary.BigEndian.Uint64(b))
}
