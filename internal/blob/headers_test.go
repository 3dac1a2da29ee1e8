package blob_test

import (
	"encoding/base64"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What every answer carries; the lock of a rollout reads the store's clock from Date.
func testHeaders(t *testing.T, s *service) {
	c := s.container(t)
	put(t, c, "x", "1", nil)
	url := s.sasURL(t, nameOf(c), "", "racwdl")
	at := func(path string) string { return strings.Replace(url, "?", path+"?", 1) }
	requests := map[string]*http.Response{
		"get":       s.raw(t, "GET", at("/x"), "", "x-ms-version", "2021-12-02", "x-ms-client-request-id", "mine"),
		"head":      s.raw(t, "HEAD", at("/x"), "", "x-ms-version", "2021-12-02", "x-ms-client-request-id", "mine"),
		"not found": s.raw(t, "GET", at("/y"), "", "x-ms-version", "2021-12-02", "x-ms-client-request-id", "mine"),
		"list":      s.raw(t, "GET", url+"&restype=container&comp=list", "", "x-ms-version", "2021-12-02", "x-ms-client-request-id", "mine"),
		"condition": s.raw(t, "PUT", at("/x"), "2", "x-ms-blob-type", "BlockBlob", "If-None-Match", "*", "x-ms-version", "2021-12-02", "x-ms-client-request-id", "mine"),
	}
	for name, r := range requests {
		date, err := http.ParseTime(r.Header.Get("Date"))
		if err != nil || time.Since(date).Abs() > time.Minute {
			t.Errorf("%s: Date %q", name, r.Header.Get("Date"))
		}
		if s.azurite && r.StatusCode >= 400 {
			continue // Azurite's errors lack the two headers below; Azure's have them
		}
		if len(r.Header.Get("x-ms-request-id")) != 36 || r.Header.Get("x-ms-version") == "" || r.Header.Get("x-ms-client-request-id") != "mine" {
			t.Errorf("%s: headers %v", name, r.Header)
		}
	}
	var e struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}
	b, _ := io.ReadAll(requests["not found"].Body)
	if err := xml.Unmarshal(b, &e); err != nil || e.Code != "BlobNotFound" || e.Message == "" {
		t.Errorf("error body %s (%v)", b, err)
	}
	head := s.raw(t, "HEAD", at("/y"), "")
	if b, _ := io.ReadAll(head.Body); answer(head) != "404 BlobNotFound" || len(b) != 0 {
		t.Errorf("HEAD of a missing blob: %s, %d bytes", answer(head), len(b))
	}
	if got := answer(s.raw(t, "PUT", at("/x"), "1")); !s.same(got, "400 InvalidHeaderValue") {
		t.Errorf("PUT without a type of blob: %s", got)
	}
}

// The calls of azure-ai-ml 1.34.0 for one upload, in its order (recorded).
func testAzureMLUpload(t *testing.T, s *service) {
	c := s.container(t)
	url := s.sasURL(t, nameOf(c), "", "racwdl")
	at := func(path string) string { return strings.Replace(url, "?", path+"?", 1) }
	const file = "/LocalUpload/0123/model/model.json"
	sum := base64.StdEncoding.EncodeToString(sumOf("{}"))
	for _, step := range []struct {
		method, url, body string
		headers           []string
		want              string
	}{
		{"HEAD", at(file), "", nil, "404 BlobNotFound"},
		{"PUT", at(file), "{}", []string{"x-ms-blob-type", "BlockBlob", "If-None-Match", "*", "Content-MD5", sum, "x-ms-blob-content-type", "application/json"}, "201"},
		{"PUT", at(file) + "&comp=metadata", "", []string{"x-ms-meta-upload_status", "completed", "x-ms-meta-name", "m", "x-ms-meta-version", "1"}, "200"},
		{"HEAD", at(file), "", nil, "200"},
		{"PUT", at(file), "{}", []string{"x-ms-blob-type", "BlockBlob", "If-None-Match", "*"}, "409 BlobAlreadyExists"},
		{"GET", url + "&restype=container&comp=list&prefix=LocalUpload%2F0123%2F&include=metadata", "", nil, "200"},
		{"GET", at(file), "", []string{"x-ms-range", "bytes=0-33554431"}, "206"},
	} {
		r := s.raw(t, step.method, step.url, step.body, append(step.headers, "x-ms-version", "2021-12-02")...)
		if got := answer(r); got != step.want {
			t.Errorf("%s %s: %s, want %s", step.method, step.url[strings.LastIndex(step.url, "/"):], got, step.want)
		}
		if step.method == "HEAD" && step.want == "200" && (r.Header.Get("x-ms-meta-upload_status") != "completed" || r.Header.Get("Content-MD5") != sum) {
			t.Errorf("HEAD after the upload: %v", r.Header)
		}
	}
}
