package forge_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hotswap/internal/forge"
	"hotswap/internal/online"
)

func TestDialChecks(t *testing.T) {
	good := forge.Options{Kind: forge.GitHub, BaseURL: "https://api.github.com", Repository: "o/r", Token: token}
	for name, tt := range map[string]struct {
		change func(*forge.Options)
		code   online.Code
		says   string
	}{
		"no address":     {func(o *forge.Options) { o.BaseURL = "" }, online.Invalid, "no URL"},
		"another scheme": {func(o *forge.Options) { o.BaseURL = "ssh://git@github.com" }, online.Invalid, "no URL"},
		"a password":     {func(o *forge.Options) { o.BaseURL = "https://me:pa55@git.example" }, online.Invalid, `"git.example" has a user in it`},
		"no repository":  {func(o *forge.Options) { o.Repository = "" }, online.Invalid, "want OWNER/NAME"},
		"only a name":    {func(o *forge.Options) { o.Repository = "r" }, online.Invalid, "want OWNER/NAME"},
		"a path":         {func(o *forge.Options) { o.Repository = "o/r/../.." }, online.Invalid, "want OWNER/NAME"},
		"no token":       {func(o *forge.Options) { o.Token = "" }, online.Unauthenticated, "no token for api.github.com"},
		"another forge":  {func(o *forge.Options) { o.Kind = "gitlab" }, online.Invalid, `"gitlab", want github or gitea`},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			tt.change(&o)
			_, err := forge.Dial(o)
			code(t, err, tt.code, tt.says)
		})
	}
	r, err := forge.Dial(good)
	if err != nil || r.Name() != "o/r" || r.Kind() != forge.GitHub {
		t.Errorf("%v, %v", r, err)
	}
}

// two starts the API and another host, to which nothing must go.
func two(t *testing.T, api func(w http.ResponseWriter, r *http.Request, other string)) *forge.Repository {
	t.Helper()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s went to another host, with the token %q", r.Method, r.URL, r.Header.Get("Authorization"))
	}))
	t.Cleanup(other.Close)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { api(w, r, other.URL) }))
	t.Cleanup(srv.Close)
	r, err := forge.Dial(forge.Options{Kind: forge.GitHub, BaseURL: srv.URL, Repository: "o/r", Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTokenStaysWithItsHost(t *testing.T) {
	r := two(t, func(w http.ResponseWriter, req *http.Request, other string) {
		http.Redirect(w, req, other, http.StatusMovedPermanently)
	})
	_, err := r.PullRequest(t.Context(), 1)
	code(t, err, online.NotFound, "answered 301", "the token is not sent")
	code(t, r.SetStatus(t.Context(), "abc", forge.Status{Context: "x", State: forge.Success}), online.NotFound, "the token is not sent")
}

// A forge behind another name puts its public address into the header.
func TestNextPageIsOfTheSameHost(t *testing.T) {
	var asked []string
	r := two(t, func(w http.ResponseWriter, req *http.Request, other string) {
		asked = append(asked, req.Method+" "+req.URL.RequestURI())
		if req.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
		} else if req.URL.Query().Get("page") == "" {
			w.Header().Set("Link", fmt.Sprintf(`<%s/elsewhere?per_page=100&page=2>; rel="next", <%s>; rel="last"`, other, other))
		}
		fmt.Fprint(w, "[]")
	})
	if err := r.Comment(t.Context(), 1, "hotswap", "x"); err != nil {
		t.Error(err)
	}
	at := "/repos/o/r/issues/1/comments"
	if want := []string{"GET " + at + "?per_page=100", "GET " + at + "?per_page=100&page=2", "POST " + at}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

// A write is not sent again elsewhere, even on the same host.
func TestWriteFollowsNoRedirect(t *testing.T) {
	var writes atomic.Int32
	r := two(t, func(w http.ResponseWriter, req *http.Request, _ string) {
		if req.Method == http.MethodPost {
			writes.Add(1)
			http.Redirect(w, req, "/elsewhere", http.StatusTemporaryRedirect)
			return
		}
		fmt.Fprint(w, `{"full_name": "O/R"}`)
	})
	code(t, r.SetStatus(t.Context(), "abc", forge.Status{Context: "x", State: forge.Success}), online.NotFound, `answered 307 and points to "/elsewhere"`)
	if writes.Load() != 1 {
		t.Errorf("%d writes", writes.Load())
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		code   online.Code
		says   string
	}{
		"a page for people": {http.StatusOK, "<html>log in</html>", online.Internal, "is not the API of GitHub"},
		"a refusal in HTML": {http.StatusNotFound, "<html>", online.NotFound, "answered 404: Not Found"},
		"too long":          {http.StatusOK, strings.Repeat(" ", 17<<20), online.Unavailable, "longer than 16 MiB"},
		"too large":         {http.StatusRequestEntityTooLarge, `{"message": "too big"}`, online.TooLarge, "too big"},
		"gone":              {http.StatusGone, `{"message": "This was deleted"}`, online.NotFound, "This was deleted"},
		"in conflict":       {http.StatusConflict, `{"message": "busy"}`, online.Conflict, "busy"},
		"what never ends":   {http.StatusBadRequest, `{"message": "` + strings.Repeat("no ", 1000) + `"}`, online.Invalid, "no n…"},
		"several lines":     {http.StatusBadRequest, `{"message": "a\n::set-output name=x::y", "errors": ["b", {"message": "c"}, {"field": "d", "code": "invalid"}, 5]}`, online.Invalid, "a ::set-output name=x::y b c d invalid"},
		"not understood":    {http.StatusNotImplemented, `{}`, online.Unavailable, "answered 501"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, err := forge.Dial(forge.Options{
					Kind: forge.GitHub, BaseURL: "https://api.github.com", Repository: "o/r", Token: token,
					HTTP: &http.Client{Transport: answering(func(*http.Request) (*http.Response, error) {
						return &http.Response{StatusCode: tt.status, Body: io.NopCloser(strings.NewReader(tt.body))}, nil
					})},
				})
				if err != nil {
					t.Fatal(err)
				}
				_, err = r.PullRequest(t.Context(), 1)
				code(t, err, tt.code, tt.says)
				if strings.Contains(err.Error(), "\n") {
					t.Errorf("it has several lines: %q", err)
				}
			})
		})
	}
}

type answering func(*http.Request) (*http.Response, error)

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

// A forge that takes connections and says nothing is given up, try by try.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		r, err := forge.Dial(forge.Options{
			Kind: forge.GitHub, BaseURL: "https://api.github.com", Repository: "o/r", Token: token,
			HTTP: &http.Client{Transport: answering(func(r *http.Request) (*http.Response, error) {
				n++
				<-r.Context().Done()
				return nil, r.Context().Err()
			})},
		})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = r.PullRequest(t.Context(), 1)
		code(t, err, online.Unavailable, "api.github.com did not answer within 30s")
		if took := time.Since(began); n != 4 || took < 2*time.Minute || took > 3*time.Minute {
			t.Errorf("%d tries in %s", n, took)
		}
	})
}
