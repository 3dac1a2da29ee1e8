package blob_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	hotswap "hotswap/internal/blob"
)

// The test binary runs itself as one of these, in a process that can be killed or starved.
const roleVariable = "HOTSWAP_BLOB_ROLE"

func TestMain(m *testing.M) {
	switch role, dir, _ := strings.Cut(os.Getenv(roleVariable), ":"); role {
	case "writer":
		writeForever(dir)
	case "starved":
		writeStarved(dir)
	default:
		os.Exit(m.Run())
	}
}

func childStore(dir string) *hotswap.Store {
	s, err := hotswap.New(hotswap.Options{Dir: dir, Account: account, Key: []byte("a key that both processes know"), Bearer: func(string) hotswap.Access { return hotswap.Access{Known: true, Read: true, Write: true} }})
	if err == nil {
		err = s.CreateContainer("crash")
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return s
}

// do calls a store without a network between.
func do(s *hotswap.Store, method, path, content string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/"+account+"/crash/"+path, strings.NewReader(content))
	r.Header.Set("Authorization", "Bearer x")
	r.Header.Set("x-ms-blob-type", "BlockBlob")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// contentOf is what round n writes: of many pages and another size each time.
func contentOf(n int) string {
	return strings.Repeat(fmt.Sprintf("%08d", n), 4000+n%7*1000)
}

// writeForever replaces two blobs, one whole and one in blocks, and tells each round that is done.
func writeForever(dir string) {
	s := childStore(dir)
	for n := 1; ; n++ {
		content, by := contentOf(n), []string{"x-ms-meta-by", strconv.Itoa(n)}
		half := len(content) / 16 * 8
		id1, id2 := base64.StdEncoding.EncodeToString([]byte("one")), base64.StdEncoding.EncodeToString([]byte("two"))
		for _, w := range []*httptest.ResponseRecorder{
			do(s, "PUT", "whole", content, by...),
			do(s, "PUT", "blocks?comp=block&blockid="+url.QueryEscape(id1), content[:half]),
			do(s, "PUT", "blocks?comp=block&blockid="+url.QueryEscape(id2), content[half:]),
			do(s, "PUT", "blocks?comp=blocklist", "<BlockList><Latest>"+id1+"</Latest><Latest>"+id2+"</Latest></BlockList>", by...),
		} {
			if w.Code != http.StatusCreated {
				fmt.Println("refused", w.Code, w.Body)
				os.Exit(1)
			}
		}
		fmt.Println("done", n)
	}
}

// Killed in the middle of anything, the store has the old version or the new one of each blob, with
// its own metadata, and never lacks what it said was written.
func TestKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "blobs")
	const kills = 12
	for round := range kills {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), roleVariable+"=writer:"+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines, acknowledged, first := bufio.NewScanner(out), 0, time.Time{}
		for lines.Scan() {
			if _, err := fmt.Sscanf(lines.Text(), "done %d", &acknowledged); err != nil {
				t.Fatal(lines.Text())
			}
			switch acknowledged {
			case 1:
				first = time.Now()
			case 2: // the kills are spread over as long as a round takes here
				time.AfterFunc(time.Since(first)*time.Duration(round)/kills, func() { _ = cmd.Process.Kill() })
			}
		}
		_ = cmd.Wait()
		if acknowledged < 2 {
			t.Fatalf("the writer ended by itself after round %d", acknowledged)
		}
		s := childStore(dir)
		for _, name := range []string{"whole", "blocks"} {
			checkRound(t, s, name, acknowledged)
		}
	}
}

func checkRound(t *testing.T, s *hotswap.Store, name string, acknowledged int) {
	t.Helper()
	r, p, err := s.Open("crash", name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(p.Metadata["by"])
	if err != nil || string(b) != contentOf(n) || p.Size != int64(len(b)) {
		t.Errorf("%s: %d bytes beginning with %.8s, and the metadata of round %d", name, len(b), b, n)
	}
	if n != acknowledged && n != acknowledged+1 {
		t.Errorf("%s: round %d, but %d was acknowledged", name, n, acknowledged)
	}
}

// writeStarved writes where no file may have more than 64 KiB, as a full disk lets it.
func writeStarved(dir string) {
	signal.Ignore(syscall.SIGXFSZ)
	s := childStore(dir)
	small := do(s, "PUT", "x", "small")
	limit := syscall.Rlimit{Cur: 64 << 10, Max: 64 << 10}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		fmt.Println(err)
	}
	large := do(s, "PUT", "x", strings.Repeat("x", 1<<20))
	block := do(s, "PUT", "x?comp=block&blockid=AAAA", strings.Repeat("x", 1<<20))
	again := do(s, "PUT", "y", "small")
	fmt.Println(small.Code, large.Code, large.Header().Get("x-ms-error-code"), block.Code, again.Code, do(s, "GET", "x", "").Body)
	os.Exit(0)
}

// A write that does not fit leaves the blob as it was and nothing on the disk, and the store goes on.
func TestFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "blobs")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"=starved:"+dir)
	out, err := cmd.Output()
	if got, want := strings.TrimSpace(string(out)), "201 507 InsufficientStorage 507 201 small"; err != nil || got != want {
		t.Errorf("answers %q (%v), want %q", got, err, want)
	}
	if got := files(t, dir); got["data"] != 2 || got["blobs"] != 2 || got["staged"] != 0 {
		t.Errorf("files %v, want the two small blobs", got)
	}
}

// Whatever a blob is called, its files lie in the folder of its container, and it comes back.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"a", "../../x", "a/../../b", "/etc/passwd", "a\x00b", "..", "a//b", "ü/🙂", "A", "a\\..\\b", "%2e%2e/x", "C:\\x", "\xff", ".", "", "a/", "container.json", strings.Repeat("x/", 600)} {
		f.Add(name)
	}
	root := f.TempDir()
	s := childStore(filepath.Join(root, "blobs"))
	f.Fuzz(func(t *testing.T, name string) {
		r := httptest.NewRequest("PUT", "/", strings.NewReader(name))
		r.URL = &url.URL{Path: "/" + account + "/crash/" + name}
		r.Header.Set("Authorization", "Bearer x")
		r.Header.Set("x-ms-blob-type", "BlockBlob")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if entries, err := os.ReadDir(root); err != nil || len(entries) != 1 {
			t.Fatalf("%q left the folder: %v (%v)", name, entries, err)
		}
		if entries, err := os.ReadDir(filepath.Join(root, "blobs")); err != nil || len(entries) != 1 {
			t.Fatalf("%q left the container: %v (%v)", name, entries, err)
		}
		if w.Code != http.StatusCreated {
			if w.Code != http.StatusBadRequest {
				t.Fatalf("%q: %d %s", name, w.Code, w.Body)
			}
			return
		}
		if clean := filepath.Clean("/folder/" + name); !strings.HasPrefix(clean, "/folder/") {
			t.Fatalf("%q was taken, but a download to a folder would leave it", name)
		}
		if _, err := os.Stat(filepath.Join(root, "blobs", "crash", "blobs", fmt.Sprintf("%x.json", sha256.Sum256([]byte(name))))); err != nil {
			t.Fatal(err)
		}
		content, _, err := s.Open("crash", name)
		if err != nil {
			t.Fatal(err)
		}
		defer content.Close()
		if b, err := io.ReadAll(content); err != nil || !bytes.Equal(b, []byte(name)) {
			t.Fatalf("%q holds %q (%v)", name, b, err)
		}
		if w := do(s, "DELETE", url.PathEscape(name), ""); w.Code != http.StatusAccepted {
			t.Fatalf("delete %q: %d %s", name, w.Code, w.Body)
		}
	})
}
