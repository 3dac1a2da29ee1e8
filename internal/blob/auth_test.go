package blob_test

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
)

// Every name that a blob's path may have, so that no sort order of headers and no escape is left out.
func testSharedKey(t *testing.T, s *service) {
	c := s.container(t)
	metadata := map[string]*string{"a": new("1"), "a_b": new("2"), "ab": new("3"), "a1": new("4"), "zz": new("spaced  text"), "_": new("5")}
	put(t, c, "a b/ü+%25?.txt", "1", &blockblob.UploadOptions{Metadata: metadata})
	if got, _ := get(t, c, "a b/ü+%25?.txt", nil); got != "1" {
		t.Errorf("content %q", got)
	}
	client := func(name, key string) *container.Client {
		credential, err := azblob.NewSharedKeyCredential(name, key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := container.NewClientWithSharedKeyCredential(c.URL(), credential, &container.ClientOptions{ClientOptions: s.options()})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for what, c := range map[string]*container.Client{
		"wrong key": client(account, b64("wrong")), "wrong account": client("other", s.key), "empty key": client(account, ""),
	} {
		_, err := c.GetProperties(t.Context(), nil)
		if got := code(err); !s.same(got, "403 AuthenticationFailed") {
			t.Errorf("%s: %s", what, got)
		}
	}
	for what, tt := range map[string]struct {
		header, value, want string
	}{
		"nothing":        {"x-ms-version", "2021-12-02", "401 NoAuthenticationInformation"},
		"no such scheme": {"Authorization", "Basic eDp5", "403 AuthenticationFailed"},
		"no signature":   {"Authorization", "SharedKey " + account, "403 AuthenticationFailed"},
	} {
		got := answer(s.raw(t, "GET", c.URL()+"?restype=container", "", tt.header, tt.value, "x-ms-date", time.Now().UTC().Format(http.TimeFormat)))
		if !s.same(got, tt.want) {
			t.Errorf("%s: %s, want %s", what, got, tt.want)
		}
	}
	if r := s.raw(t, "GET", c.URL()+"/x", ""); !s.azurite && r.Header.Get("WWW-Authenticate") == "" {
		t.Error("401 without WWW-Authenticate")
	}
}

// A signature is good for a quarter of an hour. It is made by hand, from Microsoft's "Authorize
// with Shared Key", because azblob signs for now only.
func testSignatureAges(t *testing.T, s *service) {
	c := s.container(t)
	at, err := url.Parse(c.URL())
	if err != nil {
		t.Fatal(err)
	}
	key, _ := base64.StdEncoding.DecodeString(s.key)
	for age, want := range map[time.Duration]string{14 * time.Minute: "200", 16 * time.Minute: "403 AuthenticationFailed", -16 * time.Minute: "403 AuthenticationFailed"} {
		if s.azurite && want != "200" {
			continue // Azurite does not check the date
		}
		date := time.Now().Add(-age).UTC().Format(http.TimeFormat)
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "GET%s\nx-ms-date:%s\nx-ms-version:2021-12-02\n/%s%s\nrestype:container", strings.Repeat("\n", 11), date, account, at.Path)
		r := s.raw(t, "GET", c.URL()+"?restype=container", "", "x-ms-date", date, "x-ms-version", "2021-12-02",
			"Authorization", "SharedKey "+account+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		if got := answer(r); got != want {
			t.Errorf("signed %v ago: %s, want %s", age, got, want)
		}
	}
}

// operations tries everything with the client and tells, a letter each, what worked: create a new
// blob, overwrite one, stage a block, commit, set metadata, read, head, list, delete.
func operations(t *testing.T, c *container.Client, existing, fresh string) (worked string, refusals map[string]bool) {
	t.Helper()
	refusals = map[string]bool{}
	try := func(letter string, err error) {
		if err == nil {
			worked += letter
			return
		}
		refusals[code(err)] = true
	}
	if fresh != "" {
		_, err := c.NewBlockBlobClient(fresh).Upload(t.Context(), body("new"), nil)
		try("c", err)
	}
	b := c.NewBlockBlobClient(existing)
	_, err := b.Upload(t.Context(), body("again"), nil)
	try("o", err)
	_, err = b.StageBlock(t.Context(), b64("aaaa"), body("1"), nil)
	try("b", err)
	_, err = b.CommitBlockList(t.Context(), nil, nil)
	try("k", err)
	_, err = b.SetMetadata(t.Context(), nil, nil)
	try("m", err)
	r, err := b.DownloadStream(t.Context(), nil)
	if err == nil {
		r.Body.Close()
	}
	try("r", err)
	_, err = b.GetProperties(t.Context(), nil)
	try("h", err)
	_, err = c.NewListBlobsFlatPager(nil).NextPage(t.Context())
	try("l", err)
	_, err = b.Delete(t.Context(), nil)
	try("d", err)
	return worked, refusals
}

// among reports whether the wanted answer is one of some.
func (s *service) among(answers map[string]bool, want string) bool {
	return answers[want] || s.azurite && answers[azuriteSays[want]]
}

func (s *service) anonymous(t *testing.T, url string) *container.Client {
	t.Helper()
	c, err := container.NewClientWithNoCredential(url, &container.ClientOptions{ClientOptions: s.options()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testServiceSAS(t *testing.T, s *service) {
	c := s.container(t)
	other := s.container(t)
	hour := time.Now().Add(time.Hour)
	tests := map[string]struct {
		values    sas.BlobSignatureValues
		change    func(query string) string
		elsewhere bool   // used on another container
		works     string // see operations
		refusal   string
	}{
		"read":                    {values: sas.BlobSignatureValues{Permissions: "r"}, works: "rh", refusal: "403 AuthorizationPermissionMismatch"},
		"create":                  {values: sas.BlobSignatureValues{Permissions: "c"}, works: "c", refusal: "403 AuthorizationPermissionMismatch"},
		"write":                   {values: sas.BlobSignatureValues{Permissions: "w"}, works: "cobkm", refusal: "403 AuthorizationPermissionMismatch"},
		"delete":                  {values: sas.BlobSignatureValues{Permissions: "d"}, works: "d", refusal: "403 AuthorizationPermissionMismatch"},
		"list":                    {values: sas.BlobSignatureValues{Permissions: "l"}, works: "l", refusal: "403 AuthorizationPermissionMismatch"},
		"all":                     {values: sas.BlobSignatureValues{Permissions: "racwdl"}, works: "cobkmrhld"},
		"started":                 {values: sas.BlobSignatureValues{Permissions: "r", StartTime: time.Now().Add(-time.Hour)}, works: "rh", refusal: "403 AuthorizationPermissionMismatch"},
		"version 2018-11-09":      {values: sas.BlobSignatureValues{Permissions: "r"}, change: func(q string) string { return resign(s, c, q, "2018-11-09") }, works: "rh", refusal: "403 AuthorizationPermissionMismatch"},
		"version 2015-04-05":      {values: sas.BlobSignatureValues{Permissions: "r"}, change: func(q string) string { return resign(s, c, q, "2015-04-05") }, works: "rh", refusal: "403 AuthorizationPermissionMismatch"},
		"newest version":          {values: sas.BlobSignatureValues{Permissions: "r", Version: sas.Version}, works: "rh", refusal: "403 AuthorizationPermissionMismatch"},
		"one blob":                {values: sas.BlobSignatureValues{Permissions: "rw", BlobName: "x"}, works: "obkmrh"},
		"another blob":            {values: sas.BlobSignatureValues{Permissions: "rwcd", BlobName: "y"}, works: "", refusal: "403 AuthenticationFailed"},
		"another container":       {values: sas.BlobSignatureValues{Permissions: "racwdl"}, elsewhere: true, works: "", refusal: "403 AuthenticationFailed"},
		"expired":                 {values: sas.BlobSignatureValues{Permissions: "racwdl", ExpiryTime: time.Now().Add(-time.Second)}, works: "", refusal: "403 AuthenticationFailed"},
		"not yet":                 {values: sas.BlobSignatureValues{Permissions: "racwdl", StartTime: hour}, works: "", refusal: "403 AuthenticationFailed"},
		"longer than signed":      {values: sas.BlobSignatureValues{Permissions: "racwdl"}, change: replace("se=20", "se=21"), works: "", refusal: "403 AuthenticationFailed"},
		"more than signed":        {values: sas.BlobSignatureValues{Permissions: "r"}, change: replace("sp=r", "sp=racwdl"), works: "", refusal: "403 AuthenticationFailed"},
		"wider than signed":       {values: sas.BlobSignatureValues{Permissions: "r", BlobName: "x"}, change: replace("sr=b", "sr=c"), works: "", refusal: "403 AuthenticationFailed"},
		"from here":               {values: sas.BlobSignatureValues{Permissions: "r", IPRange: sas.IPRange{Start: net.IPv4(127, 0, 0, 0), End: net.IPv4(127, 0, 0, 9)}}, works: "rh"},
		"from another address":    {values: sas.BlobSignatureValues{Permissions: "r", IPRange: sas.IPRange{Start: net.IPv4(192, 0, 2, 1)}}, works: "", refusal: "403 AuthorizationSourceIPMismatch"},
		"with a policy":           {values: sas.BlobSignatureValues{Permissions: "r", Identifier: "policy"}, works: "", refusal: "403 AuthenticationFailed"},
		"content type as signed":  {values: sas.BlobSignatureValues{Permissions: "r", ContentType: "text/x-signed"}, works: "rh", refusal: "403 AuthorizationPermissionMismatch"},
		"content type not signed": {values: sas.BlobSignatureValues{Permissions: "r"}, change: func(q string) string { return q + "&rsct=text/html" }, works: "", refusal: "403 AuthenticationFailed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if s.azurite && azuriteDiffers[name] {
				t.Skip("Azurite does not check sip")
			}
			put(t, c, "x", "1", nil)
			put(t, other, "x", "1", nil)
			tt.values.ContainerName = nameOf(c)
			tt.values.Version = cmp.Or(tt.values.Version, "2021-12-02")
			if tt.values.ExpiryTime.IsZero() {
				tt.values.ExpiryTime = hour
			}
			q, err := tt.values.SignWithSharedKey(s.credential(t))
			if err != nil {
				t.Fatal(err)
			}
			if tt.change == nil {
				tt.change = func(query string) string { return query }
			}
			url := map[bool]string{false: c.URL(), true: other.URL()}[tt.elsewhere]
			fresh := map[bool]string{false: "new " + name}[tt.values.BlobName == "x"]
			worked, refusals := operations(t, s.anonymous(t, url+"?"+tt.change(q.Encode())), "x", fresh)
			if worked != tt.works {
				t.Errorf("worked: %s, want %s; refused with %v", worked, tt.works, refusals)
			}
			delete(refusals, "403 UnauthorizedBlobOverwrite") // beside the others, where new blobs may be created
			delete(refusals, "404 BlobNotFound")
			if tt.refusal != "" && (len(refusals) != 1 || !s.among(refusals, tt.refusal)) {
				t.Errorf("refused with %v, want %s", refusals, tt.refusal)
			}
		})
	}
}

// A signature may say with which headers a blob is served.
func testSignedHeaders(t *testing.T, s *service) {
	c := s.container(t)
	put(t, c, "x", "1", nil)
	q, err := sas.BlobSignatureValues{
		Version: "2021-12-02", ContainerName: nameOf(c), BlobName: "x", Permissions: "r", ExpiryTime: time.Now().Add(time.Hour), ContentType: "text/x-signed", ContentDisposition: "inline",
	}.SignWithSharedKey(s.credential(t))
	if err != nil {
		t.Fatal(err)
	}
	unsigned := strings.Replace(q.Encode(), "rsct=", "RSCT=", 1)
	if r := s.raw(t, "GET", c.URL()+"/x?"+unsigned, ""); answer(r) == "200" {
		t.Errorf("a header that was signed under another name is served: %v", r.Header)
	}
	if r := s.raw(t, "GET", s.sasURL(t, nameOf(c), "x", "r")+"&RSCT=text/html", ""); r.Header.Get("Content-Type") == "text/html" {
		t.Error("a header that was not signed is served")
	}
	if r := s.raw(t, "GET", c.URL()+"/x?"+q.Encode(), ""); r.Header.Get("Content-Type") != "text/x-signed" || r.Header.Get("Content-Disposition") != "inline" {
		t.Errorf("headers %v, want those of the signature", r.Header)
	}
}

// azuriteDiffers names the cases in which Azurite grants or refuses what Azure's documents don't.
var azuriteDiffers = map[string]bool{"from another address": true}

func replace(old, next string) func(string) string {
	return func(query string) string { return strings.Replace(query, old, next, 1) }
}

func testAccountSAS(t *testing.T, s *service) {
	c := s.container(t)
	tests := map[string]struct {
		permissions, types string
		change             func(string) string
		works, refusal     string
	}{
		"read objects":        {permissions: "r", types: "o", works: "rh"},
		"list":                {permissions: "rl", types: "co", works: "rhl"},
		"objects only":        {permissions: "rl", types: "o", works: "rh", refusal: "403 AuthorizationResourceTypeMismatch"},
		"containers only":     {permissions: "rwdlc", types: "c", works: "l", refusal: "403 AuthorizationResourceTypeMismatch"},
		"all":                 {permissions: "rwdlac", types: "sco", works: "cobkmrhld"},
		"more than signed":    {permissions: "r", types: "o", change: replace("sp=r", "sp=rwd"), refusal: "403 AuthenticationFailed"},
		"wider than signed":   {permissions: "r", types: "o", change: replace("srt=o", "srt=sco"), refusal: "403 AuthenticationFailed"},
		"other than signed":   {permissions: "r", types: "o", change: replace("ss=b", "ss=bq"), refusal: "403 AuthenticationFailed"},
		"made a service's":    {permissions: "r", types: "o", change: replace("ss=b&", "sr=c&"), refusal: "403 AuthenticationFailed"},
		"without its version": {permissions: "r", types: "o", change: replace("sv=", "xx="), refusal: "403 AuthenticationFailed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			put(t, c, "x", "1", nil)
			q, err := sas.AccountSignatureValues{
				Version: "2021-12-02", Permissions: tt.permissions, ResourceTypes: tt.types, ExpiryTime: time.Now().Add(time.Hour),
			}.SignWithSharedKey(s.credential(t))
			if err != nil {
				t.Fatal(err)
			}
			query := q.Encode()
			if tt.change != nil {
				query = tt.change(query)
			}
			worked, refusals := operations(t, s.anonymous(t, c.URL()+"?"+query), "x", "new "+name)
			if worked != tt.works || tt.refusal != "" && !s.among(refusals, tt.refusal) {
				t.Errorf("worked: %s, want %s; refused with %v, want %s", worked, tt.works, refusals, tt.refusal)
			}
		})
	}
	q, err := sas.AccountSignatureValues{Version: "2021-12-02", Permissions: "c", ResourceTypes: "c", ExpiryTime: time.Now().Add(time.Hour)}.SignWithSharedKey(s.credential(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.anonymous(t, s.url+"/made-by-sas?"+q.Encode()).Create(t.Context(), nil)
	check(t, "create a container", err, "ok")
	_, err = s.anonymous(t, s.url+"/made-by-sas?"+q.Encode()).GetProperties(t.Context(), nil)
	check(t, "read a container without r", err, "403 AuthorizationPermissionMismatch")
}

var _ azcore.TokenCredential = tokenCredential("")
