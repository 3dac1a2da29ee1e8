package app_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hotswap/internal/app"
)

// A client that sends its body too slowly does not hold its connection; one that sends it well is
// answered, however long that takes.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	const grace = 300 * time.Millisecond
	read := func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			http.Error(w, "incomplete", http.StatusBadRequest)
			return
		}
		select {
		case <-time.After(2 * grace):
			fmt.Fprint(w, "read")
		case <-r.Context().Done():
			http.Error(w, "cut off", http.StatusInternalServerError)
		}
	}
	refuse := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "refused", http.StatusUnauthorized) }
	tests := map[string]struct {
		handle http.HandlerFunc
		length int
		chunks int // of 1,000 bytes at most, one each fifth of the grace
		want   string
		kept   bool // the connection serves another request
	}{
		"never sent":               {read, 1000, 0, "400 incomplete", false},
		"stops":                    {read, 5000, 1, "400 incomplete", false},
		"never sent, never read":   {refuse, 1000, 0, "401 refused", false},
		"sent at once":             {read, 100, 1, "200 read", true},
		"takes longer, keeps pace": {read, 10000, 10, "200 read", true},
		"none":                     {read, 0, 0, "200 read", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(app.Bounded(tt.handle, grace))
			defer s.Close()
			c, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(10 * time.Second))
			answers := bufio.NewReader(c)
			fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", tt.length)
			for range tt.chunks {
				fmt.Fprint(c, strings.Repeat("x", min(1000, tt.length)))
				time.Sleep(grace / 5)
			}
			if got := answer(answers); tt.want != "" && got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
			if again := answer(answers); (again != "") != tt.kept {
				t.Errorf("a second request on the connection: %q, want one: %t", again, tt.kept)
			}
		})
	}
}

// answer is the status and the body of the next answer, "" where there is none.
func answer(from *bufio.Reader) string {
	a, err := http.ReadResponse(from, nil)
	if err != nil {
		return ""
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(a.StatusCode, " ", strings.TrimSpace(string(text)))
}
