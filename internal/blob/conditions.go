package blob

import (
	"net/http"
	"strings"
	"time"
)

// conditions are the conditional headers of a request. Where a request has an ETag and a date for
// the same question, the ETag decides (RFC 9110 §13.2.2; Azure's "Specifying conditional headers").
type conditions struct {
	match, noneMatch     string // an ETag without quotes, or *
	modified, unmodified time.Time
}

func parseConditions(h http.Header) (c conditions, err error) {
	c.match, c.noneMatch = bareETag(h.Get("If-Match")), bareETag(h.Get("If-None-Match"))
	for name, at := range map[string]*time.Time{"If-Modified-Since": &c.modified, "If-Unmodified-Since": &c.unmodified} {
		if value := h.Get(name); value != "" {
			if *at, err = http.ParseTime(value); err != nil {
				return c, invalidHeader(name, "want a date like "+http.TimeFormat)
			}
		}
	}
	return c, nil
}

func bareETag(value string) string { return strings.Trim(strings.TrimSpace(value), `"`) }

// forRead checks a version that is there.
func (c conditions) forRead(v *version) error {
	switch {
	case !c.asExpected(v):
		return errCondition
	case c.unchanged(v):
		return errNotModified
	}
	return nil
}

// forWrite checks the version that a write would change, nil where there is none.
func (c conditions) forWrite(old *version) error {
	switch {
	case old == nil && c.match != "":
		return errCondition
	case old == nil:
		return nil
	case !c.asExpected(old), c.unchanged(old):
		return errCondition
	}
	return nil
}

// forUpload is forWrite for a write that may create the blob.
func (c conditions) forUpload(old *version) error {
	if old != nil && c.noneMatch == "*" {
		return errBlobExists
	}
	return c.forWrite(old)
}

// asExpected answers If-Match and If-Unmodified-Since.
func (c conditions) asExpected(v *version) bool {
	if c.match != "" {
		return c.match == "*" || c.match == v.ETag
	}
	return c.unmodified.IsZero() || !v.lastModified().After(c.unmodified)
}

// unchanged answers If-None-Match and If-Modified-Since.
func (c conditions) unchanged(v *version) bool {
	if c.noneMatch != "" {
		return c.noneMatch == "*" || c.noneMatch == v.ETag
	}
	return !c.modified.IsZero() && !v.lastModified().After(c.modified)
}

// lastModified is the time as clients are told it, in whole seconds.
func (v *version) lastModified() time.Time { return v.ModifiedAt.Truncate(time.Second) }
