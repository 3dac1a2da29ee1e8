package journal_test

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// fakeStore is the part of Azure's blob service that the journal uses, with its conditions and
// paging. clock is added to the Date that it answers with; fault may break an exchange.
type fakeStore struct {
	mu    sync.Mutex
	blobs map[string][]byte
	clock time.Duration
	fault func(r *http.Request) string // "deny", "lose" (carry out, then drop the reply) or ""
}

func etag(b []byte) string { return fmt.Sprintf(`"0x%x"`, sha256.Sum256(b)) }

func (s *fakeStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Date", time.Now().Add(s.clock).UTC().Format(http.TimeFormat))
	fault := ""
	if s.fault != nil {
		fault = s.fault(r)
	}
	switch fault {
	case "deny":
		refuse(w, http.StatusForbidden, "AuthorizationPermissionMismatch")
		return
	case "lose":
		s.answer(httptest.NewRecorder(), r)
		conn, _, _ := w.(http.Hijacker).Hijack()
		conn.Close()
		return
	}
	s.answer(w, r)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("x-ms-error-code", code)
	w.WriteHeader(status)
}

func (s *fakeStore) answer(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/container/")
	old, there := s.blobs[name]
	switch {
	case r.URL.Query().Get("comp") == "list":
		s.list(w, r)
	case r.Method == http.MethodGet && !there:
		refuse(w, http.StatusNotFound, "BlobNotFound")
	case r.Method == http.MethodGet:
		w.Header().Set("ETag", etag(old))
		w.Write(old)
	case r.Header.Get("If-None-Match") == "*" && there:
		refuse(w, http.StatusConflict, "BlobAlreadyExists")
	case r.Header.Get("If-Match") != "" && (!there || r.Header.Get("If-Match") != etag(old)):
		refuse(w, http.StatusPreconditionFailed, "ConditionNotMet")
	default:
		s.blobs[name], _ = io.ReadAll(r.Body)
		w.Header().Set("ETag", etag(s.blobs[name]))
		w.WriteHeader(http.StatusCreated)
	}
}

// list answers with at most 2 names a page, so that paging is tried as well.
func (s *fakeStore) list(w http.ResponseWriter, r *http.Request) {
	type named struct{ Name string }
	var page struct {
		XMLName    xml.Name `xml:"EnumerationResults"`
		Blobs      []named  `xml:"Blobs>Blob"`
		Prefixes   []named  `xml:"Blobs>BlobPrefix"`
		NextMarker string
	}
	q := r.URL.Query()
	names := map[string]bool{} // and whether it is a prefix
	for name := range s.blobs {
		if rest, ok := strings.CutPrefix(name, q.Get("prefix")); ok {
			folder, _, deeper := strings.Cut(rest, cmp.Or(q.Get("delimiter"), "\x00"))
			if deeper {
				name = q.Get("prefix") + folder + "/"
			}
			names[name] = deeper
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		switch {
		case name < q.Get("marker"):
		case len(page.Blobs)+len(page.Prefixes) == 2:
			page.NextMarker = cmp.Or(page.NextMarker, name)
		case names[name]:
			page.Prefixes = append(page.Prefixes, named{name})
		default:
			page.Blobs = append(page.Blobs, named{name})
		}
	}
	xml.NewEncoder(w).Encode(page)
}

var quickly = &container.ClientOptions{ClientOptions: policy.ClientOptions{Retry: policy.RetryOptions{RetryDelay: time.Millisecond}}}

func newFake(t *testing.T) (*fakeStore, *container.Client) {
	t.Helper()
	s := &fakeStore{blobs: map[string][]byte{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c, err := container.NewClientWithNoCredential(server.URL+"/container", quickly)
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// azurite is Microsoft's own emulator, started by the first test that needs it.
var azurite struct {
	once    sync.Once
	cmd     *exec.Cmd
	dir     string
	address string // "" where it is not installed
	err     error
	boxes   atomic.Int64
}

func TestMain(m *testing.M) {
	code := m.Run()
	if azurite.cmd != nil {
		azurite.cmd.Process.Kill()
		azurite.cmd.Wait()
		os.RemoveAll(azurite.dir)
	}
	os.Exit(code)
}

// newAzurite makes a container in the emulator.
func newAzurite(t *testing.T) *container.Client {
	t.Helper()
	azurite.once.Do(startAzurite)
	switch {
	case azurite.err != nil:
		t.Fatal(azurite.err)
	case azurite.address == "":
		t.Skip("Azurite is not installed in .cache/azurite")
	}
	return azuriteContainer(t, fmt.Sprintf("%s/%s/box%d", azurite.address, azuriteAccount, azurite.boxes.Add(1)))
}

// startAzurite starts the emulator in memory and on a free port, which it prints.
func startAzurite() {
	script, _ := filepath.Abs(filepath.Join("..", "..", ".cache", "azurite", "node_modules", "azurite", "dist", "src", "blob", "main.js"))
	if _, err := os.Stat(script); err != nil {
		return
	}
	cmd := exec.Command("node", script, "--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--silent")
	var out io.Reader
	if azurite.dir, azurite.err = os.MkdirTemp("", "azurite"); azurite.err != nil {
		return
	}
	cmd.Dir = azurite.dir
	if out, azurite.err = cmd.StdoutPipe(); azurite.err != nil {
		return
	}
	if azurite.err = cmd.Start(); azurite.err != nil {
		return
	}
	azurite.cmd = cmd
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, address, ok := strings.Cut(lines.Text(), "successfully listens on "); ok {
			azurite.address = address
			return
		}
	}
	azurite.err = errors.New("Azurite ended without listening")
}

// The account and key that every Azurite has (learn.microsoft.com, "Use the Azurite emulator").
const (
	azuriteAccount = "devstoreaccount1"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

func azuriteContainer(t *testing.T, url string) *container.Client {
	t.Helper()
	key, err := container.NewSharedKeyCredential(azuriteAccount, azuriteKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := container.NewClientWithSharedKeyCredential(url, key, quickly)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return c
}
