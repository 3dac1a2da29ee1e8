package blob

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

func (c *call) getBlob() error {
	content, v, err := c.openVersion()
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // it was only read
	offset, size, ranged, err := parseRange(cmp.Or(c.r.Header.Get("x-ms-range"), c.r.Header.Get("Range")), v.Size)
	if err != nil {
		c.w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", v.Size))
		return err
	}
	if err := content.only(offset, size); err != nil {
		return err
	}
	c.propertyHeaders(v)
	h, status := c.w.Header(), http.StatusOK
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	if ranged {
		status = http.StatusPartialContent
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", offset, offset+size-1, v.Size))
		if sum := h.Get("Content-MD5"); sum != "" { // which would be that of the range
			h.Del("Content-MD5")
			h.Set("x-ms-blob-content-md5", sum)
		}
	}
	c.w.WriteHeader(status)
	if _, err := io.Copy(c.w, content); err != nil {
		if c.r.Context().Err() == nil {
			c.options.Log.ErrorContext(c.r.Context(), "blob download broke off", "path", c.r.URL.Path, "error", err)
		}
		panic(http.ErrAbortHandler) // the status is out: only the connection's end tells the client
	}
	return nil
}

func (c *call) headBlob() error {
	content, v, err := c.openVersion()
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // it was only read
	c.propertyHeaders(v)
	if c.query.Get("comp") != "metadata" {
		c.w.Header().Set("Content-Length", strconv.FormatInt(v.Size, 10))
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (c *call) openVersion() (*reader, *version, error) {
	conditions, err := parseConditions(c.r.Header)
	if err != nil {
		return nil, nil, err
	}
	content, v, err := c.open(c.container, c.blob)
	if err != nil {
		return nil, nil, err
	}
	if err := conditions.forRead(v); err != nil {
		c.versionHeaders(v)
		return nil, nil, errors.Join(err, content.Close())
	}
	return content, v, nil
}

// propertyHeaders tells the properties of a blob, as changed by the signature's rsct and its like.
func (c *call) propertyHeaders(v *version) {
	c.versionHeaders(v)
	h := c.w.Header()
	for name, value := range map[string]string{
		"Content-Type":        cmp.Or(c.query.Get("rsct"), v.ContentType, "application/octet-stream"),
		"Content-Encoding":    cmp.Or(c.query.Get("rsce"), v.ContentEncoding),
		"Content-Language":    cmp.Or(c.query.Get("rscl"), v.ContentLanguage),
		"Content-Disposition": cmp.Or(c.query.Get("rscd"), v.ContentDisposition),
		"Cache-Control":       cmp.Or(c.query.Get("rscc"), v.CacheControl),
		"Content-MD5":         base64.StdEncoding.EncodeToString(v.MD5),
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	h.Set("Accept-Ranges", "bytes")
	h.Set("x-ms-blob-type", "BlockBlob")
	h.Set("x-ms-creation-time", httpTime(v.CreatedAt))
	h.Set("x-ms-lease-state", "available")
	h.Set("x-ms-lease-status", "unlocked")
	for name, value := range v.Metadata {
		h[metadataHeader+name] = []string{value} // not canonical: the case is the client's to read
	}
}

// parseRange reads "bytes=first-" or "bytes=first-last". Anything else asks for the whole, as for
// Azure and as RFC 9110 §14.2 allows; so does none.
func parseRange(header string, size int64) (offset, length int64, ranged bool, err error) {
	text, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(text, "-")
	offset, err = strconv.ParseInt(first, 10, 64)
	if !ok || !dash || err != nil || offset < 0 {
		return 0, size, false, nil
	}
	end := size - 1
	if last != "" {
		asked, err := strconv.ParseInt(last, 10, 64)
		if err != nil || asked < offset {
			return 0, size, false, nil
		}
		end = min(end, asked)
	}
	if offset >= size {
		return 0, 0, false, &azureError{http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "the range begins behind the end of the blob"}
	}
	return offset, end - offset + 1, true, nil
}
