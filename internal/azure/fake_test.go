package azure_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/md5" //nolint:gosec // because Content-MD5 is what the protocol has
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hotswap/internal/azure"
)

const (
	workspacePath = "/subscriptions/sub/resourcegroups/rg/providers/microsoft.machinelearningservices/workspaces/ws"
	secret        = "s3cret-of-the-principal"
)

// fakeAzure is the published contract of the management plane, of the login service and of the
// blob store, as far as the client uses it: resources by path in lower case, lists of one item a
// page, writes of endpoints and deployments as long-running operations.
type fakeAzure struct {
	base string

	mu        sync.Mutex
	resources map[string]map[string]any
	blobs     map[string][]byte // by host and path
	metadata  map[string]http.Header
	calls     []string                    // method and path below the workspace
	hooks     map[string]http.HandlerFunc // by method and path below the workspace, before the rest
	bearer    string                      // the token that it issues and wants
	outcome   string                      // answer of each operation's second poll
	slow      bool                        // operations give no Retry-After
	polls     int
	puts      int            // requests that write to the blob store
	found     map[string]any // the code that a search by hash finds
	now       time.Time
	reads     bool // its token may read blobs
}

func newFakeAzure(t *testing.T) (*fakeAzure, azure.Options) {
	t.Helper()
	f := &fakeAzure{
		resources: map[string]map[string]any{}, blobs: map[string][]byte{}, metadata: map[string]http.Header{}, hooks: map[string]http.HandlerFunc{},
		bearer: "token", outcome: `{"status":"Succeeded"}`, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	server := httptest.NewUnstartedServer(f)
	certificate, ca := newCertificate(t)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	f.base = "https://localhost:" + port
	f.resources[workspacePath] = map[string]any{"location": "local"}
	f.resources[workspacePath+"/datastores/workspaceblobstore"] = f.named(workspacePath+"/datastores/workspaceblobstore", map[string]any{"properties": map[string]any{
		"datastoreType": "AzureBlob", "accountName": "acct", "containerName": "box", "endpoint": "localhost:" + port, "protocol": "https",
		"isDefault": true, "credentials": map[string]any{"credentialsType": "AccountKey"},
	}})
	credentials := fmt.Sprintf(`{"clientId":"me","clientSecret":%q,"tenantId":"11111111-1111-1111-1111-111111111111","subscriptionId":"sub","resourceGroup":"rg",
		"workspaceName":"ws","activeDirectoryEndpointUrl":%q,"resourceManagerEndpointUrl":"%s/"}`, secret, f.base, f.base)
	env := map[string]string{"AZURE_CREDENTIALS": credentials, "REQUESTS_CA_BUNDLE": ca}
	return f, azure.Options{Getenv: func(name string) string { return env[name] }, Dir: t.TempDir()}
}

// newCertificate makes a certificate for localhost and its blob hosts, and the file of the
// authority that signed it.
func newCertificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"localhost", "*.blob.localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, path
}

func (f *fakeAzure) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := strings.ToLower(r.URL.Path)
	below := strings.TrimPrefix(path, workspacePath)
	host, _, _ := strings.Cut(r.Host, ":")
	switch {
	case strings.HasSuffix(path, "openid-configuration"):
		login := f.base + strings.TrimSuffix(r.URL.Path, "/v2.0/.well-known/openid-configuration")
		reply(w, 200, map[string]any{"issuer": login, "authorization_endpoint": login + "/oauth2/v2.0/authorize", "token_endpoint": login + "/oauth2/v2.0/token"})
	case strings.HasSuffix(path, "/oauth2/v2.0/token"):
		f.token(w, r)
	case path == "/idtoken":
		f.hooks["idtoken"](w, r)
	case host == "acct.blob.localhost":
		f.blob(w, r)
	case r.URL.Path == "/score":
		f.hooks["score"](w, r)
	case r.Header.Get("Authorization") != "Bearer "+f.bearer:
		reply(w, 401, map[string]any{"error": map[string]any{"code": "Unauthorized", "message": "no"}})
	default:
		f.calls = append(f.calls, r.Method+" "+below)
		if hook := f.hooks[r.Method+" "+below]; hook != nil {
			hook(w, r)
			return
		}
		f.manage(w, r, path)
	}
}

func (f *fakeAzure) token(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	if hook := f.hooks["token"]; hook != nil {
		hook(w, r)
		return
	}
	if r.PostForm.Get("client_secret") != secret {
		reply(w, 401, map[string]any{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."})
		return
	}
	reply(w, 200, map[string]any{"token_type": "Bearer", "expires_in": 3599, "access_token": f.bearer})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if text, ok := body.(string); ok {
		io.WriteString(w, text)
		return
	}
	json.NewEncoder(w).Encode(body)
}

func (f *fakeAzure) manage(w http.ResponseWriter, r *http.Request, path string) {
	resource, there := f.resources[path]
	isOnline := strings.Contains(path, "/onlineendpoints/")
	switch {
	case strings.Contains(path, "/operations/"):
		f.operation(w)
	case strings.HasSuffix(path, "/startpendingupload"):
		f.hooks["pending"](w, r)
	case r.URL.Query().Get("hash") != "" && f.found != nil:
		reply(w, 200, map[string]any{"value": []any{f.found}})
	case r.Method == http.MethodPost:
		reply(w, 404, map[string]any{"error": map[string]any{"code": "NotFound", "message": "no such action"}})
	case r.Method == http.MethodPut:
		f.put(w, r, path, isOnline)
	case r.Method == http.MethodDelete && !there:
		w.WriteHeader(204)
	case r.Method == http.MethodDelete:
		delete(f.resources, path)
		f.async(w, path)
		w.WriteHeader(202)
	case there:
		reply(w, 200, resource)
	case len(strings.Split(strings.TrimPrefix(path, workspacePath), "/"))%2 == 0: // a collection
		f.list(w, r, path)
	default:
		reply(w, 404, map[string]any{"error": map[string]any{"code": "UserError", "message": "Not found: " + path}})
	}
}

func (f *fakeAzure) async(w http.ResponseWriter, path string) {
	f.polls = 0
	w.Header().Set("Azure-AsyncOperation", f.base+workspacePath+"/operations/1")
	if !f.slow {
		w.Header().Set("retry-after-ms", "1")
	}
}

func (f *fakeAzure) operation(w http.ResponseWriter) {
	if !f.slow {
		w.Header().Set("retry-after-ms", "1")
	}
	if f.polls++; f.polls < 2 {
		reply(w, 200, `{"status":"InProgress"}`)
		return
	}
	reply(w, 200, f.outcome)
}

// named adds what the service adds to a resource.
func (f *fakeAzure) named(path string, resource map[string]any) map[string]any {
	resource["id"] = path
	resource["name"] = path[strings.LastIndex(path, "/")+1:]
	resource["systemData"] = map[string]any{"createdAt": f.now.Format(time.RFC3339), "createdBy": "me", "lastModifiedAt": f.now.Format(time.RFC3339)}
	return resource
}

func (f *fakeAzure) put(w http.ResponseWriter, r *http.Request, path string, isOnline bool) {
	var resource map[string]any
	if err := json.NewDecoder(r.Body).Decode(&resource); err != nil {
		reply(w, 400, map[string]any{"error": map[string]any{"message": err.Error()}})
		return
	}
	_, there := f.resources[path]
	f.resources[path] = f.named(path, resource)
	status := 201
	if there {
		status = 200
	}
	if !isOnline {
		reply(w, status, resource)
		return
	}
	properties := resource["properties"].(map[string]any)
	f.async(w, path)
	properties["provisioningState"] = "Creating"
	reply(w, status, resource)
	properties["provisioningState"] = "Succeeded"
	properties["scoringUri"] = f.base + "/score"
}

// list answers with one item a page.
func (f *fakeAzure) list(w http.ResponseWriter, r *http.Request, path string) {
	page := map[string]any{"value": []any{}}
	for _, name := range slices.Sorted(maps.Keys(f.resources)) {
		rest, ok := strings.CutPrefix(name, path+"/")
		if !ok || strings.Contains(rest, "/") || name <= r.URL.Query().Get("after") {
			continue
		}
		if len(page["value"].([]any)) == 1 {
			page["nextLink"] = f.base + path + "?after=" + page["value"].([]any)[0].(map[string]any)["id"].(string)
			break
		}
		page["value"] = []any{f.resources[name]}
	}
	reply(w, 200, page)
}

func (f *fakeAzure) blob(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Path
	if r.Method == http.MethodPut {
		f.puts++
	}
	_, there := f.blobs[name]
	w.Header().Set("ETag", `"1"`)
	switch {
	case !f.opens(r):
		w.Header().Set("x-ms-error-code", "AuthorizationPermissionMismatch")
		w.WriteHeader(403)
	case r.URL.Query().Get("comp") == "list":
		f.listBlobs(w, r)
	case r.Method == http.MethodHead && !there, r.Method == http.MethodGet && !there:
		w.Header().Set("x-ms-error-code", "BlobNotFound")
		w.WriteHeader(404)
	case r.Method == http.MethodHead, r.URL.Query().Get("restype") == "container":
		maps.Copy(w.Header(), f.metadata[name])
	case r.URL.Query().Get("comp") == "metadata":
		f.metadata[name] = http.Header{}
		for key, values := range r.Header {
			if strings.HasPrefix(key, "X-Ms-Meta-") {
				f.metadata[name][key] = values
			}
		}
	case there:
		w.Header().Set("x-ms-error-code", "BlobAlreadyExists")
		w.WriteHeader(409)
	default:
		f.blobs[name], _ = io.ReadAll(r.Body)
		w.WriteHeader(201)
	}
}

// opens reports whether a request brings what opens the blob store.
func (f *fakeAzure) opens(r *http.Request) bool {
	by := r.Header.Get("Authorization")
	return r.URL.Query().Get("sig") == "sas" || strings.HasPrefix(by, "SharedKey acct:") || f.reads && r.Method != http.MethodPut && by == "Bearer "+f.bearer
}

// listBlobs lists the blobs of a container below a prefix.
func (f *fakeAzure) listBlobs(w http.ResponseWriter, r *http.Request) {
	var items strings.Builder
	for _, name := range slices.Sorted(maps.Keys(f.blobs)) {
		if item, ok := strings.CutPrefix(name, r.URL.Path+"/"); ok && strings.HasPrefix(item, r.URL.Query().Get("prefix")) {
			sum := md5.Sum(f.blobs[name]) //nolint:gosec // because Content-MD5 is what the protocol has
			fmt.Fprintf(&items, `<Blob><Name>%s</Name><Properties><Content-Length>%d</Content-Length><Content-MD5>%s</Content-MD5></Properties></Blob>`,
				item, len(f.blobs[name]), base64.StdEncoding.EncodeToString(sum[:]))
		}
	}
	w.Header().Set("Content-Type", "application/xml")
	fmt.Fprintf(w, `<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>%s</Blobs><NextMarker/></EnumerationResults>`, items.String())
}

func (f *fakeAzure) count(call string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c == call {
			n++
		}
	}
	return n
}

// accountKey lets the datastore give out a key.
func (f *fakeAzure) accountKey() {
	f.hooks["POST /datastores/workspaceblobstore/listsecrets"] = func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 200, map[string]any{"secretsType": "AccountKey", "key": base64.StdEncoding.EncodeToString([]byte("key"))})
	}
}

func connect(t *testing.T, o azure.Options) *azure.Client {
	t.Helper()
	c, err := azure.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
