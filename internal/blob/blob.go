// Package blob is the artifact store: the part of Azure Blob Storage's REST API that uploads,
// downloads and lists block blobs, over a folder.
//
// One Store serves one account and owns its folder: no other process may write to it.
//
//	{folder}/{container}/container.json      the container's properties; it exists when this file does
//	                     blobs/{key}.json    one record a blob: its name, properties and segments
//	                     data/{id}           one segment: a piece of content, never changed once written
//	                     staged/{key}/{id}   blocks that wait for their block list
//
// The key of a blob is the SHA-256 of its name. So every name that Azure allows has a file, of any
// letters and up to 1,024 characters, names that differ in case only stay apart on every file
// system, and no name can lead out of the folder. The names themselves are in the records, which
// are read once, at the start, into an index in memory: a listing touches no file.
//
// A write goes segments, record, index: the segments are synced to disk under names that nobody
// refers to, then the record is replaced by a rename, then the index shows it. A crash leaves the
// old record or the new one, each with all its segments; what is left over is swept at the start.
package blob

import (
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"hotswap/internal/online"
)

// maxPut is the largest blob that one Put Blob may carry
// (learn.microsoft.com/rest/api/storageservices/put-blob, since version 2019-12-12).
const maxPut = 5000 << 20

// Options is what a Store is made of.
type Options struct {
	Dir     string
	Account string
	Key     []byte                    // signs requests and shared access signatures
	Bearer  func(token string) Access // tells what a token opens; nil: no tokens
	MaxBody int64                     // of one upload, in bytes; 0: what Azure takes
	Log     *slog.Logger              // failures that are ours; nil: none
}

// Access is what a token opens.
type Access struct {
	Known       bool // it is a token at all
	Read, Write bool
}

// Store is the artifact store of one account. It is the http.Handler of the account's blob host,
// and must be given requests with their path as it came: a ServeMux cleans paths, and so changes
// the names of blobs.
type Store struct {
	options Options
	routes  map[string]operation

	mu         sync.RWMutex
	containers map[string]*container
}

// New opens the store of a folder, and makes one where there is none.
func New(o Options) (*Store, error) {
	if o.MaxBody == 0 {
		o.MaxBody = maxPut
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{options: o, containers: map[string]*container{}}
	s.routes = s.table()
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, online.Errorf(online.Internal, "make the folder of the blobs: %w", err)
	}
	entries, err := os.ReadDir(o.Dir)
	if err != nil {
		return nil, online.Errorf(online.Internal, "open the blob store: %w", err)
	}
	for _, e := range entries {
		c, err := load(filepath.Join(o.Dir, e.Name()))
		if err != nil {
			return nil, online.Errorf(online.Internal, "open the blob store: %w", err)
		}
		if c != nil {
			s.containers[e.Name()] = c
		}
	}
	return s, nil
}

// CreateContainer makes a container, unless it is there.
func (s *Store) CreateContainer(name string) error {
	_, _, err := s.create(name, nil)
	return goError(err, "create the container %q", name)
}

// Open reads a blob. What it reads stays the same when the blob is changed or deleted meanwhile.
// The caller closes the reader.
func (s *Store) Open(container, blob string) (io.ReadCloser, Properties, error) {
	r, v, err := s.open(container, blob)
	if err != nil {
		return nil, Properties{}, goError(err, "open the blob %q of the container %q", blob, container)
	}
	return r, v.properties(), nil
}

func (s *Store) open(container, blob string) (*reader, *version, error) {
	c, err := s.container(container)
	if err != nil {
		return nil, nil, err
	}
	v := c.acquire(blob)
	if v == nil {
		return nil, nil, errBlobNotFound
	}
	return &reader{container: c, version: v, rest: v.Segments, left: v.Size}, v, nil
}

// Item is a blob in a list.
type Item struct {
	Name string
	Properties
}

// List returns the blobs of a container whose names begin with prefix, sorted by name.
func (s *Store) List(container, prefix string) ([]Item, error) {
	c, err := s.container(container)
	if err != nil {
		return nil, goError(err, "list the container %q", container)
	}
	page := c.list(listing{prefix: prefix, max: -1})
	items := make([]Item, 0, len(page.entries))
	for _, e := range page.entries {
		items = append(items, Item{e.name, e.version.properties()})
	}
	return items, nil
}

// Account is the name of the account.
func (s *Store) Account() string { return s.options.Account }

// SAS returns a shared access signature, the query of a URL without its question mark, that gives
// permissions like "racwdl" on a container for a while.
func (s *Store) SAS(container, permissions string, ttl time.Duration) string {
	q := url.Values{
		"sv":  {sasVersion},
		"sr":  {"c"},
		"sp":  {permissions},
		"se":  {time.Now().Add(ttl).UTC().Format(sasTime)},
		"spr": {"https"},
	}
	q.Set("sig", s.sign(s.serviceSAS(q, container, "")))
	return q.Encode()
}

func (s *Store) container(name string) (*container, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c := s.containers[name]; c != nil {
		return c, nil
	}
	return nil, errContainerNotFound
}

// create makes a container and reports whether it was not there before.
func (s *Store) create(name string, metadata map[string]string) (c *container, created bool, err error) {
	if err := checkContainer(name); err != nil {
		return nil, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.containers[name]; c != nil {
		return c, false, nil
	}
	if c, err = newContainer(filepath.Join(s.options.Dir, name), metadata); err != nil {
		return nil, false, err
	}
	s.containers[name] = c
	return c, true, nil
}

// Properties is what the store knows of a blob.
type Properties struct {
	ETag               string            `json:"etag"` // without quotes
	CreatedAt          time.Time         `json:"created"`
	ModifiedAt         time.Time         `json:"modified"`
	Size               int64             `json:"size"`
	MD5                []byte            `json:"md5,omitempty"` // nil where the blob came in blocks and nobody told it
	ContentType        string            `json:"type,omitempty"`
	ContentEncoding    string            `json:"encoding,omitempty"`
	ContentLanguage    string            `json:"language,omitempty"`
	ContentDisposition string            `json:"disposition,omitempty"`
	CacheControl       string            `json:"cache,omitempty"`
	Metadata           map[string]string `json:"metadata,omitempty"` // names in lower case
}

// properties returns a copy, which the caller may change.
func (v *version) properties() Properties {
	p := v.Properties
	p.MD5, p.Metadata = slices.Clone(p.MD5), maps.Clone(p.Metadata)
	return p
}

var _ http.Handler = (*Store)(nil)
