package openapi

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"hotswap/internal/forge"
)

const (
	token = "github_pat_t0ken"
	owner = "monalisa"
	name  = "taxi-fare"
)

// object is JSON's.
type object = map[string]any

// answer is what the stub answers.
type answer struct {
	status int
	header http.Header
	body   any
}

// refusal is one in the form of all errors.
func refusal(status int, message string, header ...string) *answer {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &answer{status, h, object{"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status)}}
}

// stub is a GitHub with one repository.
type stub struct {
	t *testing.T
	d *description

	mu    sync.Mutex
	state state
	calls []string // METHOD PATH of the description, in order
	// fault, if not nil, answers instead; n counts the calls of one operation from 1.
	fault func(name string, n int) *answer
	lost  func(name string, n int) bool // done, but the answer doesn't arrive
	moved string                        // what begins so is elsewhere now
	page  int                           // how many entries a page has, whatever is asked for
}

// state is what the repository has.
type state struct {
	repository             object
	branches               map[string]object
	pulls, comments        []object
	rulesets               []object
	noRulesets             bool   // the plan has none
	classic                object // nil: the branch has none
	statuses               []object
	checks                 map[string][]object // by commit
	user                   object              // nil: the token is an app's
	author                 object              // of what is written
	app                    object
	mayNotReadAdministered bool
}

func newStub(t *testing.T) *stub {
	t.Helper()
	d := describe(t)
	s := &stub{t: t, d: d, page: 100}
	user := d.example(t, "GET /user", 200).(object)
	user["user_view_type"] = "private" // the examples of user and repository are not as their schemas want them
	s.state = state{
		repository: d.example(t, "GET /repos/{owner}/{repo}", 200).(object),
		branches:   map[string]object{},
		checks:     map[string][]object{},
		user:       user, author: person("octocat", 1, "User"),
		app: d.example(t, "GET /apps/{app_slug}", 200).(object),
	}
	delete(s.state.repository, "source")
	delete(s.state.repository, "parent")
	maps.Copy(s.state.repository, object{
		"full_name": owner + "/" + name, "default_branch": "main", "archived": false, "language": "Python",
		"permissions": object{"admin": true, "push": true, "pull": true},
	})
	s.addBranch("main")
	s.addBranch("integration")
	return s
}

// person is a user in the short form.
func person(login string, id int, kind string) object {
	at := "https://api.github.com/users/" + login
	return object{
		"login": login, "id": id, "node_id": "MDQ6VXNlcjE=", "avatar_url": "https://github.com/images/error/octocat_happy.gif", "gravatar_id": "",
		"url": at, "html_url": "https://github.com/" + login, "followers_url": at + "/followers", "following_url": at + "/following{/other_user}",
		"gists_url": at + "/gists{/gist_id}", "starred_url": at + "/starred{/owner}{/repo}", "subscriptions_url": at + "/subscriptions",
		"organizations_url": at + "/orgs", "repos_url": at + "/repos", "events_url": at + "/events{/privacy}",
		"received_events_url": at + "/received_events", "type": kind, "site_admin": false,
	}
}

func (s *stub) addBranch(branch string) {
	b := s.d.example(s.t, "GET /repos/{owner}/{repo}/branches/{branch}", 200).(object)
	b["name"] = branch
	s.state.branches[branch] = b
}

// dial connects a client by a transport within the process, so that its pauses can be of a
// bubble's own time.
func (s *stub) dial(options ...func(*forge.Options)) *forge.Repository {
	s.t.Helper()
	o := forge.Options{
		Kind: forge.GitHub, BaseURL: "https://api.github.com", Repository: owner + "/" + name, Token: token,
		HTTP: &http.Client{Transport: transport{s}}, Say: s.t.Logf,
	}
	for _, set := range options {
		set(&o)
	}
	r, err := forge.Dial(o)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

type transport struct{ s *stub }

// RoundTrip answers a request, or loses the answer.
func (tr transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	tr.s.ServeHTTP(w, r)
	resp := w.Result()
	resp.Request = r
	if resp.Header.Get("X-Lost") != "" {
		return nil, io.ErrUnexpectedEOF
	}
	return resp, nil
}

// ServeHTTP refuses what is not in the description, with an error of the test, and else answers
// what is.
func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	if to, is := strings.CutPrefix(r.URL.Path, s.moved); is && s.moved != "" {
		http.Redirect(w, r, "https://api.github.com/repos/monalisa/fares"+to, http.StatusTemporaryRedirect)
		return
	}
	r.URL.Path, r.URL.RawPath = strings.TrimPrefix(r.URL.Path, "/api/v3"), strings.TrimPrefix(r.URL.RawPath, "/api/v3")
	o, err := s.d.find(r.Method, r.URL.EscapedPath())
	if err == nil {
		err = s.d.checkRequest(o, r, body)
	}
	if err == nil {
		err = checkHeader(r, body)
	}
	if err != nil {
		s.t.Errorf("refused: %v", err)
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	s.calls = append(s.calls, o.name)
	seen.Lock()
	seen.calls = append(seen.calls, o.name)
	seen.Unlock()
	a := s.answer(o, r, body)
	text, err := json.Marshal(a.body)
	if err == nil {
		err = s.d.checkAnswer(o, r, a.status, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, text)
	}
	if err != nil {
		s.t.Errorf("%s answered what it does not: %v", o.name, err)
	}
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.status)
	_, _ = w.Write(text)
}

// checkHeader is what GitHub wants of each request beside the description
// (docs.github.com/rest, "Getting started with the REST API").
func checkHeader(r *http.Request, body []byte) error {
	want := map[string]string{
		"Accept": "application/vnd.github+json", "X-Github-Api-Version": "2022-11-28", "User-Agent": "hotswap", "Authorization": "Bearer " + token,
	}
	if len(body) > 0 {
		want["Content-Type"] = "application/json"
	}
	for key, value := range want {
		if r.Header.Get(key) != value {
			return fmt.Errorf("the header %s is %q, want %q", key, r.Header.Get(key), value)
		}
	}
	return nil
}

func (s *stub) answer(o *operation, r *http.Request, body []byte) *answer {
	n := s.called(o.name)
	if s.fault != nil {
		if a := s.fault(o.name, n); a != nil {
			return a
		}
	}
	handle := handlers[o.name]
	if handle == nil {
		s.t.Errorf("the stub does not know %s", o.name)
		return refusal(http.StatusNotFound, "Not Found")
	}
	var in object
	if len(body) > 0 {
		if err := json.Unmarshal(body, &in); err != nil {
			s.t.Error(err)
		}
	}
	a := handle(s, o.at, r.URL.Query(), in)
	if list, is := a.body.([]object); is {
		s.cut(a, list, r)
	}
	if s.lost != nil && s.lost(o.name, n) {
		a.header = http.Header{"X-Lost": {"1"}}
	}
	return a
}

// cut leaves one page of a list, and says where the next one is.
func (s *stub) cut(a *answer, list []object, r *http.Request) {
	query := r.URL.Query()
	page, _ := strconv.Atoi(query.Get("page"))
	size, _ := strconv.Atoi(query.Get("per_page"))
	page, size = max(page, 1), min(max(size, 1), s.page)
	from, to := min((page-1)*size, len(list)), min(page*size, len(list))
	a.body = append([]object{}, list[from:to]...)
	if to < len(list) {
		query.Set("page", strconv.Itoa(page+1))
		link := *r.URL
		link.Scheme, link.Host, link.RawQuery = "https", "api.github.com", query.Encode()
		a.header = http.Header{"Link": {fmt.Sprintf(`<%s>; rel="next", <%s>; rel="last"`, &link, &link)}}
	}
}

// called counts how often an operation was called.
func (s *stub) called(name string) (n int) {
	for _, c := range s.calls {
		if c == name {
			n++
		}
	}
	return n
}

// writes are the calls that were to change something.
func (s *stub) writes() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if !strings.HasPrefix(c, "GET ") {
			all = append(all, c)
		}
	}
	return all
}
