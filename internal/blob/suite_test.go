package blob_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	hotswap "hotswap/internal/blob"
)

const account = "hotswap"

// service is an implementation of the API that the suite runs over.
type service struct {
	url     string // of the account
	key     string // in base64
	http    *http.Client
	azurite bool
}

// suite is every test that holds for Azure, for its emulator and for us.
var suite = map[string]func(*testing.T, *service){
	"Containers":      testContainers,
	"Upload":          testUpload,
	"Replace":         testReplace,
	"Metadata":        testMetadata,
	"Conditions":      testConditions,
	"Ranges":          testRanges,
	"Integrity":       testIntegrity,
	"Delete":          testDelete,
	"Blocks":          testBlocks,
	"BlockErrors":     testBlockErrors,
	"Streams":         testStreams,
	"Lists":           testLists,
	"Items":           testItems,
	"Pages":           testPages,
	"Names":           testNames,
	"RefusedNames":    testRefusedNames,
	"SharedKey":       testSharedKey,
	"SignatureAges":   testSignatureAges,
	"ServiceSAS":      testServiceSAS,
	"SignedHeaders":   testSignedHeaders,
	"AccountSAS":      testAccountSAS,
	"Headers":         testHeaders,
	"AzureMLUpload":   testAzureMLUpload,
	"ConcurrentPuts":  testConcurrentCreates,
	"ConcurrentSwaps": testConcurrentUpdates,
}

func TestStore(t *testing.T) {
	t.Parallel()
	s := ours(t, false)
	for name, test := range suite {
		t.Run(name, parallel(test, s))
	}
}

// The account in the name of the host, as Azure has it, where TestStore has it in the path: what
// depends on the form of the URL.
func TestStoreWithAccountInHost(t *testing.T) {
	t.Parallel()
	s := ours(t, true)
	for _, name := range []string{"Containers", "Upload", "Lists", "Names", "SharedKey", "SignatureAges", "ServiceSAS", "AccountSAS", "AzureMLUpload"} {
		t.Run(name, parallel(suite[name], s))
	}
}

// parallel runs a test beside the others: each has a container of its own, and most wait for disks.
func parallel(test func(*testing.T, *service), s *service) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		test(t, s)
	}
}

func TestAzurite(t *testing.T) {
	t.Parallel()
	s := startAzurite(t)
	for name, test := range suite {
		t.Run(name, parallel(test, s))
	}
}

func newStore(t testing.TB, change func(*hotswap.Options)) (*hotswap.Store, hotswap.Options) {
	t.Helper()
	key := make([]byte, 64)
	_, _ = rand.Read(key)
	o := hotswap.Options{Dir: filepath.Join(t.TempDir(), "blobs"), Account: account, Key: key}
	if change != nil {
		change(&o)
	}
	store, err := hotswap.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return store, o
}

func ours(t *testing.T, accountInHost bool) *service {
	t.Helper()
	store, o := newStore(t, nil)
	return serve(t, store, o, accountInHost)
}

func serve(t *testing.T, store *hotswap.Store, o hotswap.Options, accountInHost bool) *service {
	t.Helper()
	server := httptest.NewTLSServer(store)
	t.Cleanup(server.Close)
	s := &service{url: server.URL + "/" + account, key: base64.StdEncoding.EncodeToString(o.Key), http: server.Client()}
	if accountInHost {
		transport := server.Client().Transport.(*http.Transport).Clone()
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		}
		transport.TLSClientConfig.ServerName = "example.com" // which the certificate of httptest is for
		_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
		s.url, s.http = "https://"+account+".blob.localhost:"+port, &http.Client{Transport: transport}
		t.Cleanup(transport.CloseIdleConnections)
	}
	return s
}

// startAzurite runs Microsoft's emulator in a process of its own.
func startAzurite(t *testing.T) *service {
	t.Helper()
	binary := os.Getenv("HOTSWAP_AZURITE")
	if binary == "" {
		binary, _ = filepath.Abs("../../.cache/azurite/node_modules/.bin/azurite-blob")
	}
	if _, err := exec.LookPath(binary); err != nil {
		t.Skip("azurite is not installed: run make azurite")
	}
	port := lowPort(t)
	key := make([]byte, 64)
	_, _ = rand.Read(key)
	s := &service{
		url: "http://127.0.0.1:" + port + "/" + account, key: base64.StdEncoding.EncodeToString(key), azurite: true,
		http: &http.Client{Transport: new(http.Transport)},
	}
	cmd := exec.CommandContext(t.Context(), binary, "--blobHost", "127.0.0.1", "--blobPort", port,
		"--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry")
	cmd.Env = append(os.Environ(), "AZURITE_ACCOUNTS="+account+":"+s.key)
	cmd.Dir = t.TempDir()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		s.http.CloseIdleConnections()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(stop)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
			return s
		}
		if time.Now().After(deadline) {
			stop() // so that all it said is in out
			t.Fatalf("azurite does not listen: %v\n%s", err, &out)
		}
	}
}

// lowPort finds a free port below the ephemeral range, where no outgoing connection takes it
// before the server that gets its number.
func lowPort(t *testing.T) string {
	t.Helper()
	for range 100 {
		var b [2]byte
		_, _ = rand.Read(b[:])
		port := fmt.Sprint(20000 + (int(b[0])<<8|int(b[1]))%12000)
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

func (s *service) options() azcore.ClientOptions {
	return azcore.ClientOptions{
		Transport: s.http, Retry: policy.RetryOptions{MaxRetries: -1}, InsecureAllowCredentialWithHTTP: true,
	}
}

func (s *service) credential(t testing.TB) *azblob.SharedKeyCredential {
	t.Helper()
	c, err := azblob.NewSharedKeyCredential(account, s.key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// container makes a container for one test.
func (s *service) container(t testing.TB) *container.Client {
	t.Helper()
	name := "c" + strings.ToLower(strings.ReplaceAll(rand.Text(), "_", "-"))
	c, err := container.NewClientWithSharedKeyCredential(s.url+"/"+name, s.credential(t), &container.ClientOptions{ClientOptions: s.options()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return c
}

func nameOf(c *container.Client) string { return c.URL()[strings.LastIndex(c.URL(), "/")+1:] }

// body is a seekable body as azblob wants it.
func body(content string) io.ReadSeekCloser {
	return struct {
		io.ReadSeeker
		io.Closer
	}{strings.NewReader(content), io.NopCloser(nil)}
}

// put uploads a blob and returns its ETag.
func put(t testing.TB, c *container.Client, name, content string, o *blockblob.UploadOptions) azcore.ETag {
	t.Helper()
	r, err := c.NewBlockBlobClient(name).Upload(t.Context(), body(content), o)
	if err != nil {
		t.Fatalf("put %q: %v", name, err)
	}
	return *r.ETag
}

func get(t testing.TB, c *container.Client, name string, o *blob.DownloadStreamOptions) (string, blob.DownloadStreamResponse) {
	t.Helper()
	r, err := c.NewBlobClient(name).DownloadStream(t.Context(), o)
	if err != nil {
		t.Fatalf("get %q: %v", name, err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("read %q: %v", name, err)
	}
	return string(b), r
}

// code is "404 BlobNotFound", or "ok".
func code(err error) string {
	if err == nil {
		return "ok"
	}
	if r, ok := errors.AsType[*azcore.ResponseError](err); ok {
		return fmt.Sprint(r.StatusCode, " ", r.ErrorCode)
	}
	return err.Error()
}

// azuriteSays is what Azurite answers where Azure documents another code, which is ours.
var azuriteSays = map[string]string{
	"403 AuthenticationFailed":        "403 AuthorizationFailure",
	"401 NoAuthenticationInformation": "403 AuthorizationFailure",
	"400 Md5Mismatch":                 "400 InvalidOperation",
	"400 InvalidXmlDocument":          "400",
	"400 InvalidHeaderValue":          "400", // for x-ms-blob-type
}

// same reports whether an answer is the wanted one, or what Azurite says instead.
func (s *service) same(got, want string) bool {
	return got == want || s.azurite && got == azuriteSays[want]
}

func check(t testing.TB, what string, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func sumOf(content string) []byte {
	sum := md5.Sum([]byte(content))
	return sum[:]
}

// raw sends a request as it is, signed in its URL, for what azblob would not send.
func (s *service) raw(t testing.TB, method, url, content string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	r, err := s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(b))
	return r
}

func answer(r *http.Response) string {
	return strings.TrimSpace(fmt.Sprint(r.StatusCode, " ", r.Header.Get("x-ms-error-code")))
}
