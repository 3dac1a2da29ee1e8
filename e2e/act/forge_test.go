package act

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The one repository of the forge, and the token of its workflows.
const (
	repository = "ml/fares"
	forgeToken = "ghs_of-the-job"
)

// forge is what the gate needs of GitHub: pull requests, comments on them, statuses of commits.
type forge struct {
	url string

	mu       sync.Mutex
	pulls    map[int]pull
	comments map[int]comment
	statuses map[string][]status // by commit, the newest last
	unasked  []string            // requests that it has no answer to
}

type pull struct {
	title, branch, head, base  string
	state, mergeCommit         string
	draft, merged, fromOutside bool
}

type comment struct {
	pull int
	body string
}

type status struct {
	Context, State, Description string
}

func newForge(t *testing.T) *forge {
	t.Helper()
	f := &forge{pulls: map[int]pull{}, comments: map[int]comment{}, statuses: map[string][]status{}}
	mux := http.NewServeMux()
	const repo = "/repos/" + repository
	mux.HandleFunc("GET "+repo, f.answer(func(*http.Request) any { return repositoryJSON(repository) }))
	mux.HandleFunc("GET /user", f.answer(func(*http.Request) any { return nil })) // the job's token is nobody's
	mux.HandleFunc("GET "+repo+"/pulls/{number}", f.answer(f.pull))
	mux.HandleFunc("GET "+repo+"/pulls", f.answer(f.find))
	mux.HandleFunc("POST "+repo+"/pulls", f.answer(f.open))
	mux.HandleFunc("PATCH "+repo+"/pulls/{number}", f.answer(f.retitle))
	mux.HandleFunc("GET "+repo+"/issues/{number}/comments", f.answer(f.list))
	mux.HandleFunc("POST "+repo+"/issues/{number}/comments", f.answer(f.create))
	mux.HandleFunc("PATCH "+repo+"/issues/comments/{id}", f.answer(f.edit))
	mux.HandleFunc("POST "+repo+"/statuses/{sha}", f.answer(f.set))
	mux.HandleFunc("/", f.answer(func(r *http.Request) any {
		f.unasked = append(f.unasked, r.Method+" "+r.URL.Path)
		return nil
	}))
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.Close()
		if len(f.unasked) > 0 {
			t.Logf("the forge was asked %q", f.unasked)
		}
	})
	f.url = server.URL
	return f
}

// answer writes what a handler returns, as JSON; nil is not found.
func (f *forge) answer(handle func(*http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
		body := handle(r)
		switch {
		case body == nil:
			w.WriteHeader(http.StatusNotFound)
			body = map[string]string{"message": "Not Found"}
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusCreated)
		}
		_ = json.NewEncoder(w).Encode(body) // a client that has gone
	}
}

func repositoryJSON(name string) map[string]any {
	return map[string]any{"full_name": name, "default_branch": "main", "private": true, "fork": name != repository}
}

// json is a pull request as the API and the event have it.
func (p pull) json(number int) map[string]any {
	from := repository
	if p.fromOutside {
		from = "stranger/fares"
	}
	var merged any
	if p.mergeCommit != "" {
		merged = p.mergeCommit
	}
	return map[string]any{
		"number": number, "state": p.state, "draft": p.draft, "merged": p.merged, "merge_commit_sha": merged,
		"title": p.title, "body": "", "html_url": fmt.Sprintf("https://github.com/%s/pull/%d", repository, number),
		"user": map[string]any{"login": "alice"},
		"head": map[string]any{"ref": p.branch, "sha": p.head, "repo": repositoryJSON(from)},
		"base": map[string]any{"ref": "main", "sha": p.base, "repo": repositoryJSON(repository)},
	}
}

func (f *forge) pull(r *http.Request) any {
	number, _ := strconv.Atoi(r.PathValue("number"))
	if p, there := f.pulls[number]; there {
		return p.json(number)
	}
	return nil
}

// find lists the open pull requests of a branch, as ?head=owner:branch asks for.
func (f *forge) find(r *http.Request) any {
	_, branch, _ := strings.Cut(r.URL.Query().Get("head"), ":")
	all := []any{}
	for number, p := range f.pulls {
		if p.branch == branch && p.state == "open" {
			all = append(all, p.json(number))
		}
	}
	return all
}

func (f *forge) open(r *http.Request) any {
	var asked struct{ Title, Head, Base string }
	if json.NewDecoder(r.Body).Decode(&asked) != nil || asked.Base != "main" {
		return nil
	}
	number := len(f.pulls) + 1
	f.pulls[number] = pull{title: asked.Title, branch: asked.Head, state: "open", head: strings.Repeat("a", 40), base: strings.Repeat("b", 40)}
	return f.pulls[number].json(number)
}

func (f *forge) retitle(r *http.Request) any {
	number, _ := strconv.Atoi(r.PathValue("number"))
	p, there := f.pulls[number]
	var asked struct{ Title string }
	if !there || json.NewDecoder(r.Body).Decode(&asked) != nil {
		return nil
	}
	p.title = asked.Title
	f.pulls[number] = p
	return p.json(number)
}

func (f *forge) list(r *http.Request) any {
	number, _ := strconv.Atoi(r.PathValue("number"))
	all := []any{}
	for _, id := range slices.Sorted(maps.Keys(f.comments)) {
		if c := f.comments[id]; c.pull == number {
			all = append(all, commentJSON(id, c))
		}
	}
	return all
}

func commentJSON(id int, c comment) map[string]any {
	return map[string]any{"id": id, "body": c.body, "user": map[string]any{"login": "github-actions[bot]", "type": "Bot"}, "html_url": "https://github.com/c"}
}

func (f *forge) create(r *http.Request) any {
	number, _ := strconv.Atoi(r.PathValue("number"))
	id := 100 + len(f.comments)
	f.comments[id] = comment{number, bodyOf(r)}
	return commentJSON(id, f.comments[id])
}

func (f *forge) edit(r *http.Request) any {
	id, _ := strconv.Atoi(r.PathValue("id"))
	c, there := f.comments[id]
	if !there {
		return nil
	}
	c.body = bodyOf(r)
	f.comments[id] = c
	return commentJSON(id, c)
}

func bodyOf(r *http.Request) string {
	var asked struct{ Body string }
	_ = json.NewDecoder(r.Body).Decode(&asked) // "" is told by the test
	return asked.Body
}

func (f *forge) set(r *http.Request) any {
	var s status
	if json.NewDecoder(r.Body).Decode(&s) != nil {
		return nil
	}
	sha := r.PathValue("sha")
	f.statuses[sha] = append(f.statuses[sha], s)
	return map[string]any{"id": 1, "context": s.Context, "state": s.State, "description": s.Description}
}
