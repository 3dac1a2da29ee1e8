package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/rogpeppe/go-internal/testscript"
)

type scriptCommand = func(ts *testscript.TestScript, neg bool, args []string)

// scriptCommands are what the scripts can do beside testscript's own commands.
func (s *server) scriptCommands(t *testing.T) map[string]scriptCommand {
	t.Helper()
	return map[string]scriptCommand{
		"exits": exits, "edit": edit, "await": await,
		"http": s.http(s.https(t)), "blobs": s.blobs(t), "put": s.put(t), "key": s.key(t),
	}
}

// exits CODE COMMAND...: the command ends with that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		failure, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		code = failure.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// edit FROM OLD NEW TO: TO is FROM with NEW in the place of OLD, which must be there.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: edit FROM OLD NEW TO")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o644))
}

// await FILE REGEXP: a command in the background writes this soon.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE REGEXP")
	}
	want, err := regexp.Compile(args[1])
	ts.Check(err)
	var text []byte
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if text, err = os.ReadFile(ts.MkAbs(args[0])); err == nil && want.Match(text) {
			return
		}
	}
	ts.Fatalf("%s does not become %q:\n%s", args[0], args[1], text)
}

// blobs PREFIX: lists the blobs of the default datastore to stdout.
func (s *server) blobs(t *testing.T) scriptCommand {
	t.Helper()
	client, err := s.dial(t).Container(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 1 {
			ts.Fatalf("usage: blobs PREFIX")
		}
		names := ts.Stdout() // which, for a list of none, has to be emptied
		for pager := client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &args[0]}); pager.More(); {
			page, err := pager.NextPage(t.Context())
			ts.Check(err)
			for _, item := range page.Segment.BlobItems {
				fmt.Fprintln(names, *item.Name)
			}
		}
	}
}

// put STATUS NAME: the answer to writing a blob of that name.
func (s *server) put(t *testing.T) scriptCommand {
	t.Helper()
	client, err := s.dial(t).Container(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 2 {
			ts.Fatalf("usage: put STATUS NAME")
		}
		status := http.StatusCreated
		if _, err := client.NewBlockBlobClient(args[1]).UploadBuffer(t.Context(), []byte("x"), nil); err != nil {
			refused, ok := errors.AsType[*azcore.ResponseError](err)
			if !ok {
				ts.Fatalf("%v", err)
			}
			status = refused.StatusCode
		}
		if strconv.Itoa(status) != args[0] {
			ts.Fatalf("status %d, want %s", status, args[0])
		}
	}
}

// key ENDPOINT: puts the endpoint's key into $KEY.
func (s *server) key(t *testing.T) scriptCommand {
	t.Helper()
	client := s.dial(t)
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 1 {
			ts.Fatalf("usage: key ENDPOINT")
		}
		e, err := client.Endpoint(t.Context(), args[0])
		ts.Check(err)
		key, err := client.ScoringKey(t.Context(), e)
		ts.Check(err)
		ts.Setenv("KEY", key)
	}
}

// https is a client that trusts the server, and sends what it is told to.
func (s *server) https(t *testing.T) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(s.ca)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(pem)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}}
}

// http STATUS METHOD URL [HEADER:VALUE]... [body=TEXT | length=BYTES]: the answer's body goes to
// stdout. With length only the head is sent, which declares a body of so many bytes.
func (s *server) http(client *http.Client) scriptCommand {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 3 {
			ts.Fatalf("usage: http STATUS METHOD URL [HEADER:VALUE]... [body=TEXT | length=BYTES]")
		}
		send := client.Do
		req, err := http.NewRequest(args[1], args[2], http.NoBody)
		ts.Check(err)
		for _, arg := range args[3:] {
			if text, is := strings.CutPrefix(arg, "body="); is {
				req.Body, req.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
			} else if text, is := strings.CutPrefix(arg, "length="); is {
				req.Header.Set("Content-Length", text)
				send = s.sendHead
			} else if name, value, is := strings.Cut(arg, ":"); is {
				req.Header.Set(name, strings.TrimSpace(value))
			} else {
				ts.Fatalf("what is %q?", arg)
			}
		}
		if host := req.Header.Get("Host"); host != "" {
			req.Host = host
		}
		resp, err := send(req)
		ts.Check(err)
		defer resp.Body.Close()
		_, err = io.Copy(ts.Stdout(), resp.Body)
		ts.Check(err)
		if strconv.Itoa(resp.StatusCode) != args[0] {
			ts.Fatalf("status %d, want %s", resp.StatusCode, args[0])
		}
	}
}

// sendHead sends a request without its body and waits for the answer: only a server that goes by
// the length that was declared gives one.
func (s *server) sendHead(r *http.Request) (*http.Response, error) {
	conn, err := tls.Dial("tcp", s.listen, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // because what is asked is in the test
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", r.Method, r.URL.RequestURI(), r.Host)
	if err := r.Header.Write(conn); err != nil {
		return nil, err
	}
	fmt.Fprint(conn, "\r\n")
	return http.ReadResponse(bufio.NewReader(conn), r)
}
