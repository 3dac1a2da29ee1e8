package blob

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// operation is one call of the REST API: its handler, and what a signature must permit, any one
// letter of it. An empty text is never permitted.
type operation struct {
	handle       func(*call) error
	resourceType string // for an account SAS: c for a container, o for an object in it
	account      string // permissions of an account SAS
	service      string // permissions of a service SAS
}

// table is the flat table of routes: method, what the path names, and the parameter comp. The
// permissions are those of learn.microsoft.com/rest/api/storageservices/create-account-sas and
// create-service-sas.
func (s *Store) table() map[string]operation {
	return map[string]operation{
		"PUT container":      {(*call).createContainer, "c", "cw", ""},
		"GET container":      {(*call).containerProperties, "c", "r", ""},
		"HEAD container":     {(*call).containerProperties, "c", "r", ""},
		"GET container list": {(*call).listBlobs, "c", "l", "l"},
		"PUT blob":           {(*call).putBlob, "o", "cw", "cw"},
		"GET blob":           {(*call).getBlob, "o", "r", "r"},
		"HEAD blob":          {(*call).headBlob, "o", "r", "r"},
		"DELETE blob":        {(*call).deleteBlob, "o", "d", "d"},
		"PUT blob metadata":  {(*call).setMetadata, "o", "w", "w"},
		"GET blob metadata":  {(*call).headBlob, "o", "r", "r"},
		"HEAD blob metadata": {(*call).headBlob, "o", "r", "r"},
		"PUT blob block":     {(*call).putBlock, "o", "w", "w"},
		"PUT blob blocklist": {(*call).putBlockList, "o", "w", "w"},
		"GET blob blocklist": {(*call).getBlockList, "o", "r", "r"},
	}
}

// call is one request under way.
type call struct {
	*Store
	w               http.ResponseWriter
	r               *http.Request
	query           url.Values // names as signed: another case is another name
	container, blob string
	createOnly      bool // the signature permits no overwriting
}

// ServeHTTP answers one request of the REST API.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{Store: s, w: w, r: r, query: r.URL.Query()}
	c.container, c.blob = s.split(r)
	c.commonHeaders()
	if err := c.serve(); err != nil {
		c.fail(err)
	}
}

func (c *call) serve() error {
	if c.container == "" {
		return invalidQuery("comp", "this store has no operations on the account")
	}
	kind := "blob"
	if c.blob == "" {
		kind = "container"
		if c.query.Get("restype") != "container" {
			return invalidQuery("restype", "want container for a URL without the name of a blob")
		}
	}
	op, found := c.routes[strings.TrimSpace(c.r.Method+" "+kind+" "+c.query.Get("comp"))]
	if !found && c.query.Get("comp") != "" {
		return invalidQuery("comp", "this store does not support it on a "+kind+" with "+c.r.Method)
	}
	if !found {
		return errVerb
	}
	if err := c.authorize(op); err != nil {
		return err
	}
	if err := c.refuseUnsupported(); err != nil {
		return err
	}
	if err := checkBlob(c.blob); err != nil {
		return err
	}
	return op.handle(c)
}

// split finds the container and the blob in a path. The account is in the host's name as on
// Azure, or else it is the first segment, as on the emulator.
func (s *Store) split(r *http.Request) (container, blob string) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	if !s.hostNamesAccount(r) {
		if first, rest, _ := strings.Cut(path, "/"); first == s.options.Account {
			path = rest
		}
	}
	container, blob, _ = strings.Cut(path, "/")
	return container, blob
}

func (s *Store) hostNamesAccount(r *http.Request) bool {
	return strings.HasPrefix(strings.ToLower(r.Host), s.options.Account+".")
}

// refuseUnsupported refuses what changes the meaning of a request and isn't heeded here: it must
// not look as if it were.
func (c *call) refuseUnsupported() error {
	for _, name := range []string{
		"x-ms-copy-source", "x-ms-if-tags", "x-ms-tags", "x-ms-encryption-key", "x-ms-encryption-scope", "x-ms-content-crc64",
		"x-ms-structured-body", "x-ms-range-get-content-md5", "x-ms-range-get-content-crc64", "x-ms-immutability-policy-mode", "x-ms-legal-hold",
	} {
		if c.r.Header.Get(name) != "" {
			return unsupportedHeader(name)
		}
	}
	for _, name := range []string{"snapshot", "versionid"} {
		if c.query.Get(name) != "" {
			return &azureError{400, "UnsupportedQueryParameter", name + ": this store does not support it"}
		}
	}
	if c.r.Header.Get("x-ms-lease-id") != "" {
		return errLease
	}
	return nil
}

func (c *call) commonHeaders() {
	h := c.w.Header()
	h.Set("x-ms-request-id", uuid.NewString())
	h.Set("X-Content-Type-Options", "nosniff") // what was uploaded is no page of ours
	version := c.r.Header.Get("x-ms-version")
	if version == "" {
		version = sasVersion
	}
	h.Set("x-ms-version", version)
	if id := c.r.Header.Get("x-ms-client-request-id"); id != "" {
		h.Set("x-ms-client-request-id", id)
	}
}

type errorBody struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
	Message string
}

// fail is the only place that turns an error into an answer, and the only one that logs it.
func (c *call) fail(err error) {
	e := asAzure(err)
	h := c.w.Header()
	if e.status >= http.StatusInternalServerError {
		c.options.Log.ErrorContext(c.r.Context(), "blob request failed", "method", c.r.Method, "path", c.r.URL.Path,
			"request_id", h.Get("x-ms-request-id"), "error", err)
	}
	h.Set("x-ms-error-code", e.code)
	if e.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer resource_id=https://storage.azure.com")
	}
	if c.r.Method == http.MethodHead || e.status == http.StatusNotModified {
		c.w.WriteHeader(e.status)
		return
	}
	message := e.message + "\nRequestId:" + h.Get("x-ms-request-id") + "\nTime:" + time.Now().UTC().Format(time.RFC3339Nano)
	_ = c.answerXML(e.status, errorBody{Code: e.code, Message: message}) // a struct of strings always encodes
}

func (c *call) answerXML(status int, v any) error {
	body, err := xml.Marshal(v) // before the header: after it there is no way back
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(xml.Header)+len(body)))
	c.w.WriteHeader(status)
	_, _ = c.w.Write(append([]byte(xml.Header), body...))
	return nil
}

// httpTime is a time as headers have it.
func httpTime(t time.Time) string { return t.UTC().Format(http.TimeFormat) }
