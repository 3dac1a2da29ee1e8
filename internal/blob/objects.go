package blob

import (
	"bytes"
	"crypto/md5" //nolint:gosec // because Content-MD5 is what the protocol has
	"encoding/base64"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// maxMetadata is the size of all metadata of a blob (learn.microsoft.com/rest/api/storageservices/setting-and-retrieving-properties-and-metadata-for-blob-resources).
const maxMetadata = 8 << 10

const metadataHeader = "x-ms-meta-"

var metadataName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

func (c *call) putBlob() error {
	if t := c.r.Header.Get("x-ms-blob-type"); t != "BlockBlob" {
		return invalidHeader("x-ms-blob-type", "want BlockBlob")
	}
	container, err := c.Store.container(c.container)
	if err != nil {
		return err
	}
	properties, allowed, err := c.upload()
	if err != nil {
		return err
	}
	if properties.ContentType == "" {
		properties.ContentType = c.r.Header.Get("Content-Type")
	}
	s, sum, err := c.receive(container, properties.MD5)
	if err != nil {
		return err
	}
	properties.Size, properties.MD5 = s.Size, sum
	v, err := container.commit(write{blob: c.blob, allowed: allowed, content: true, next: func(*version) (record, error) {
		return record{Properties: properties, Segments: []*segment{s}}, nil
	}})
	if v == nil {
		container.discard([]*segment{s})
	}
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-MD5", base64.StdEncoding.EncodeToString(sum))
	return c.created(v)
}

// upload reads what the headers of a Put Blob or Put Block List say: the new properties, and on
// which conditions they may replace the old.
func (c *call) upload() (p Properties, allowed func(*version) error, err error) {
	h := c.r.Header
	p = Properties{
		ContentType:        h.Get("x-ms-blob-content-type"),
		ContentEncoding:    h.Get("x-ms-blob-content-encoding"),
		ContentLanguage:    h.Get("x-ms-blob-content-language"),
		ContentDisposition: h.Get("x-ms-blob-content-disposition"),
		CacheControl:       h.Get("x-ms-blob-cache-control"),
	}
	if p.MD5, err = decodeMD5(h.Get("x-ms-blob-content-md5")); err != nil {
		return p, nil, err
	}
	if p.Metadata, err = metadata(h); err != nil {
		return p, nil, err
	}
	conditions, err := parseConditions(h)
	return p, func(old *version) error {
		if err := conditions.forUpload(old); err != nil {
			return err
		}
		if old != nil && c.createOnly {
			return errOverwrite
		}
		return nil
	}, err
}

// receive writes the body to a new segment, which the caller commits or discards. The content has
// to have the MD5 of Content-MD5 and the wanted one, where they are given.
func (c *call) receive(container *container, wanted []byte) (*segment, []byte, error) {
	switch {
	case c.r.ContentLength < 0:
		return nil, nil, errLength
	case c.r.ContentLength > c.options.MaxBody:
		return nil, nil, c.tooLarge(c.options.MaxBody)
	}
	sent, err := decodeMD5(c.r.Header.Get("Content-MD5"))
	if err != nil {
		return nil, nil, err
	}
	hash := md5.New() //nolint:gosec // because Content-MD5 is what the protocol has
	name, size, err := storeSegment(container.dataDir(), io.TeeReader(sender{c.r.Body}, hash))
	if err != nil {
		return nil, nil, err
	}
	s, sum := &segment{File: name, Size: size}, hash.Sum(nil)
	if sent != nil && !bytes.Equal(sent, sum) || wanted != nil && !bytes.Equal(wanted, sum) {
		container.discard([]*segment{s})
		return nil, nil, errMD5
	}
	return s, sum, nil
}

// sender is a body whose failures are the client's, not the disk's.
type sender struct{ body io.Reader }

func (s sender) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	if err != nil && err != io.EOF {
		err = errIncomplete
	}
	return n, err
}

func (c *call) tooLarge(limit int64) error {
	return &azureError{http.StatusRequestEntityTooLarge, "RequestBodyTooLarge", "the body has more than " + strconv.FormatInt(limit, 10) + " bytes"}
}

// created answers a write that made a version.
func (c *call) created(v *version) error {
	c.versionHeaders(v)
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

func (c *call) versionHeaders(v *version) {
	h := c.w.Header()
	h.Set("ETag", `"`+v.ETag+`"`)
	h.Set("Last-Modified", httpTime(v.ModifiedAt))
}

func (c *call) setMetadata() error {
	container, err := c.Store.container(c.container)
	if err != nil {
		return err
	}
	md, err := metadata(c.r.Header)
	if err != nil {
		return err
	}
	conditions, err := parseConditions(c.r.Header)
	if err != nil {
		return err
	}
	v, err := container.commit(write{
		blob: c.blob,
		allowed: func(old *version) error {
			if old == nil {
				return errBlobNotFound
			}
			return conditions.forWrite(old)
		},
		next: func(old *version) (record, error) {
			next := old.record
			next.Metadata = md
			return next, nil
		},
	})
	if err != nil {
		return err
	}
	c.versionHeaders(v)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (c *call) deleteBlob() error {
	container, err := c.Store.container(c.container)
	if err != nil {
		return err
	}
	conditions, err := parseConditions(c.r.Header)
	if err != nil {
		return err
	}
	if err := container.remove(c.blob, conditions.forWrite); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}

func decodeMD5(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	sum, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(sum) != md5.Size {
		return nil, errInvalidMD5
	}
	return sum, nil
}

// metadata reads the x-ms-meta- headers. Names are kept in lower case: they are compared without
// regard to it, and net/http does not tell how they were written.
func metadata(h http.Header) (map[string]string, error) {
	md, size := map[string]string{}, 0
	for header, values := range h {
		name, ok := strings.CutPrefix(strings.ToLower(header), metadataHeader)
		if !ok {
			continue
		}
		value := strings.TrimSpace(strings.Join(values, ","))
		if !metadataName.MatchString(name) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
			return nil, errMetadata
		}
		md[name] = value
		size += len(name) + len(value)
	}
	if size > maxMetadata {
		return nil, errMetadataSize
	}
	return md, nil
}
