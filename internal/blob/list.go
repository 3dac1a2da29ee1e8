package blob

import (
	"encoding/base64"
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxResults is the size of a page (learn.microsoft.com/rest/api/storageservices/list-blobs).
const maxResults = 5000

func (c *call) createContainer() error {
	md, err := metadata(c.r.Header)
	if err != nil {
		return err
	}
	made, created, err := c.create(c.container, md)
	switch {
	case err != nil:
		return err
	case !created:
		return errContainerExists
	}
	c.containerHeaders(made)
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

func (c *call) containerProperties() error {
	container, err := c.Store.container(c.container)
	if err != nil {
		return err
	}
	c.containerHeaders(container)
	h := c.w.Header()
	h.Set("x-ms-lease-state", "available")
	h.Set("x-ms-lease-status", "unlocked")
	for name, value := range container.info.Metadata {
		h[metadataHeader+name] = []string{value} // as for a blob
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (c *call) containerHeaders(container *container) {
	h := c.w.Header()
	h.Set("ETag", `"`+container.info.ETag+`"`)
	h.Set("Last-Modified", httpTime(container.info.CreatedAt))
}

// listing is what a list is asked for.
type listing struct {
	prefix, delimiter string
	from              string // the first name
	max               int    // below 0: all
}

// entry is a blob in a list, or the common prefix of several.
type entry struct {
	name    string
	version *version // nil for a prefix; it isn't held, so its content must not be read
}

type page struct {
	entries []entry
	next    string // where the next page begins, "" after the last
}

// list walks the index, over all that shares a prefix in one step.
func (c *container) list(l listing) (p page) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := c.after(max(l.prefix, l.from)); i < len(c.blobs) && strings.HasPrefix(c.blobs[i].Name, l.prefix); {
		v := c.blobs[i]
		if len(p.entries) == l.max {
			p.next = v.Name
			return p
		}
		if group := l.group(v.Name); group != "" {
			p.entries = append(p.entries, entry{name: group})
			i += c.under(i, group)
			continue
		}
		p.entries = append(p.entries, entry{v.Name, v})
		i++
	}
	return p
}

// group is the common prefix that stands for a name in a list with a delimiter, or "".
func (l listing) group(name string) string {
	if l.delimiter == "" {
		return ""
	}
	at := strings.Index(name[len(l.prefix):], l.delimiter)
	if at < 0 {
		return ""
	}
	return name[:len(l.prefix)+at+len(l.delimiter)]
}

// after returns the place of the first blob whose name is not before name.
func (c *container) after(name string) int {
	i, _ := c.find(name)
	return i
}

// under counts the blobs from i on whose names begin with prefix.
func (c *container) under(i int, prefix string) int {
	n, _ := slices.BinarySearchFunc(c.blobs[i:], prefix, func(v *version, prefix string) int {
		if strings.HasPrefix(v.Name, prefix) {
			return -1
		}
		return 1
	})
	return n
}

func (c *call) listBlobs() error {
	container, err := c.Store.container(c.container)
	if err != nil {
		return err
	}
	l := listing{prefix: c.query.Get("prefix"), delimiter: c.query.Get("delimiter"), max: maxResults}
	if text := c.query.Get("maxresults"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return &azureError{400, "OutOfRangeQueryParameterValue", "maxresults: want 1 to 5000"}
		}
		l.max = min(n, maxResults)
	}
	from, err := base64.RawURLEncoding.DecodeString(c.query.Get("marker"))
	if err != nil {
		return invalidQuery("marker", "want the NextMarker of the page before")
	}
	l.from = string(from)
	include := strings.Split(c.query.Get("include"), ",")
	if slices.Contains(include, "uncommittedblobs") {
		return invalidQuery("include", "this store does not list uncommitted blobs")
	}
	return c.answerXML(http.StatusOK, c.listXML(l, container.list(l), slices.Contains(include, "metadata")))
}

type listXML struct {
	XMLName         xml.Name `xml:"EnumerationResults"`
	ServiceEndpoint string   `xml:",attr"`
	ContainerName   string   `xml:",attr"`
	Prefix          string   `xml:",omitempty"`
	Marker          string   `xml:",omitempty"`
	MaxResults      string   `xml:",omitempty"`
	Delimiter       string   `xml:",omitempty"`
	Blobs           struct { // there even when it is empty: azblob counts on it
		Entries []any `xml:",any"`
	}
	NextMarker string
}

type nameXML struct {
	Encoded bool   `xml:",attr,omitempty"`
	Text    string `xml:",chardata"`
}

type prefixXML struct {
	XMLName xml.Name `xml:"BlobPrefix"`
	Name    nameXML
}

type itemXML struct {
	XMLName    xml.Name `xml:"Blob"`
	Name       nameXML
	Properties propertiesXML
	Metadata   metadataXML `xml:",omitempty"`
}

type propertiesXML struct {
	CreationTime       string `xml:"Creation-Time"`
	LastModified       string `xml:"Last-Modified"`
	ETag               string `xml:"Etag"`
	ContentLength      int64  `xml:"Content-Length"`
	ContentType        string `xml:"Content-Type"`
	ContentEncoding    string `xml:"Content-Encoding"`
	ContentLanguage    string `xml:"Content-Language"`
	ContentMD5         string `xml:"Content-MD5"`
	ContentDisposition string `xml:"Content-Disposition"`
	CacheControl       string `xml:"Cache-Control"`
	BlobType           string
	LeaseStatus        string
	LeaseState         string
}

// metadataXML is written with an element a name, in order.
type metadataXML map[string]string

// MarshalXML writes the names in order, each with its value.
func (m metadataXML) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if err := e.EncodeElement(m[name], xml.StartElement{Name: xml.Name{Local: name}}); err != nil {
			return err
		}
	}
	return e.EncodeToken(start.End())
}

func (c *call) listXML(l listing, p page, withMetadata bool) listXML {
	list := listXML{
		ServiceEndpoint: c.endpoint(), ContainerName: c.container, Prefix: l.prefix, Marker: c.query.Get("marker"),
		MaxResults: c.query.Get("maxresults"), Delimiter: l.delimiter, NextMarker: base64.RawURLEncoding.EncodeToString([]byte(p.next)),
	}
	for _, e := range p.entries {
		if e.version == nil {
			list.Blobs.Entries = append(list.Blobs.Entries, prefixXML{Name: xmlName(e.name)})
			continue
		}
		item := itemXML{Name: xmlName(e.name), Properties: e.version.xml()}
		if withMetadata {
			item.Metadata = e.version.Metadata
		}
		list.Blobs.Entries = append(list.Blobs.Entries, item)
	}
	return list
}

// endpoint is the URL of the account as the client wrote it.
func (c *call) endpoint() string {
	u := url.URL{Scheme: "http", Host: c.r.Host, Path: "/"}
	if c.r.TLS != nil {
		u.Scheme = "https"
	}
	if !c.hostNamesAccount(c.r) && strings.HasPrefix(c.r.URL.Path, "/"+c.options.Account+"/") {
		u.Path += c.options.Account
	}
	return u.String()
}

// xmlName writes a name that XML cannot hold with its percent signs, and says so, as Azure does
// since version 2021-02-12 (the page of List Blobs).
func xmlName(name string) nameXML {
	if strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsControl(r) || r == '\uFFFE' || r == '\uFFFF'
	}) {
		return nameXML{true, url.PathEscape(name)}
	}
	return nameXML{Text: name}
}

func (v *version) xml() propertiesXML {
	return propertiesXML{
		CreationTime: httpTime(v.CreatedAt), LastModified: httpTime(v.ModifiedAt), ETag: v.ETag, ContentLength: v.Size,
		ContentType: v.ContentType, ContentEncoding: v.ContentEncoding, ContentLanguage: v.ContentLanguage,
		ContentMD5: base64.StdEncoding.EncodeToString(v.MD5), ContentDisposition: v.ContentDisposition, CacheControl: v.CacheControl,
		BlobType: "BlockBlob", LeaseStatus: "unlocked", LeaseState: "available",
	}
}
