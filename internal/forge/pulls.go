package forge

import (
	"context"
	"net/url"
	"strings"

	"hotswap/internal/online"
)

// PullRequest is one as its forge has it.
type PullRequest struct {
	Number      int
	Title, URL  string
	State       string // open or closed
	Merged      bool
	Draft       bool
	Fork        bool // its head is in another repository than its base, or is in none any more
	Head        string
	HeadBranch  string
	Base        string
	BaseBranch  string
	MergeCommit string // once it is merged
	Author      string

	body string
}

// ByWorkflow reports whether the built-in token of a workflow opened it: then no workflow runs for
// it, or none before somebody has approved it (docs.github.com/actions, "GITHUB_TOKEN"). In Gitea
// that token's user is gitea-actions, in Forgejo forgejo-actions.
func (p PullRequest) ByWorkflow() bool {
	switch p.Author {
	case "github-actions[bot]", "gitea-actions", "forgejo-actions":
		return true
	}
	return false
}

type wirePull struct {
	Number      int        `json:"number"`
	Title       string     `json:"title"`
	Body        *string    `json:"body"`
	HTMLURL     string     `json:"html_url"`
	State       string     `json:"state"`
	Draft       bool       `json:"draft"`
	MergedAt    *string    `json:"merged_at"` // null until it is merged, and the only sign of it in lists
	MergeCommit *string    `json:"merge_commit_sha"`
	User        *wireUser  `json:"user"`
	Head        wireBranch `json:"head"`
	Base        wireBranch `json:"base"`
}

type wireBranch struct {
	Ref  string `json:"ref"`
	SHA  string `json:"sha"`
	Repo *struct {
		ID int64 `json:"id"`
	} `json:"repo"` // null where it was deleted
}

type wireUser struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Type  string `json:"type"` // Bot is what an app is; Gitea has no types
}

func (w *wirePull) pull() PullRequest {
	p := PullRequest{
		Number: w.Number, Title: w.Title, URL: w.HTMLURL, State: w.State, Draft: w.Draft, Merged: w.MergedAt != nil,
		Fork: w.Head.Repo == nil || w.Base.Repo == nil || w.Head.Repo.ID != w.Base.Repo.ID,
		Head: w.Head.SHA, HeadBranch: w.Head.Ref, Base: w.Base.SHA, BaseBranch: w.Base.Ref,
	}
	if w.User != nil {
		p.Author = w.User.Login
	}
	if w.Body != nil {
		p.body = *w.Body
	}
	// Before the merge, GitHub has the commit of a trial merge there.
	if p.Merged && w.MergeCommit != nil {
		p.MergeCommit = *w.MergeCommit
	}
	return p
}

// PullRequest reads one.
func (r *Repository) PullRequest(ctx context.Context, n int) (PullRequest, error) {
	var w wirePull
	if err := r.call(ctx, request{op: getPull, at: []any{n}, out: &w}); err != nil {
		return PullRequest{}, err
	}
	return w.pull(), nil
}

// NewPullRequest is what a pull request shall be. Its branches are the repository's own.
type NewPullRequest struct {
	Head, Base  string
	Title, Body string // "": what it has; the title of a new one is then made of its branches
}

// Find returns the open pull request of two branches of the repository; nil where there is none.
func (r *Repository) Find(ctx context.Context, head, base string) (*PullRequest, error) {
	return r.dialect.find(ctx, head, base)
}

// Open opens the pull request of two branches, or updates the one that is open. Doing it again
// changes nothing.
func (r *Repository) Open(ctx context.Context, n NewPullRequest) (p PullRequest, created bool, err error) {
	open, err := r.Find(ctx, n.Head, n.Base)
	if err != nil {
		return p, false, err
	}
	if open == nil {
		p, err = r.open(ctx, n)
		if err == nil {
			return p, true, nil
		}
		// Another one may have been quicker, or the answer was lost; what is there now tells.
		if !mayHaveHappened(err) {
			return p, false, err
		}
		if open, _ = r.Find(ctx, n.Head, n.Base); open == nil {
			return p, false, err
		}
	}
	p, err = r.update(ctx, *open, n)
	return p, false, err
}

// mayHaveHappened reports whether what a refused call was to bring about can be there all the same.
func mayHaveHappened(err error) bool {
	switch online.CodeOf(err) {
	case online.Unavailable, online.Conflict, online.Invalid:
		return true
	}
	return false
}

func (r *Repository) open(ctx context.Context, n NewPullRequest) (PullRequest, error) {
	if n.Title == "" {
		n.Title = "Merge " + n.Head + " into " + n.Base
	}
	var w wirePull
	in := struct {
		Title string `json:"title"`
		Head  string `json:"head"`
		Base  string `json:"base"`
		Body  string `json:"body"`
	}{n.Title, n.Head, n.Base, n.Body}
	if err := r.call(ctx, request{op: createPull, in: in, out: &w}); err != nil {
		return PullRequest{}, err
	}
	return w.pull(), nil
}

func (r *Repository) update(ctx context.Context, p PullRequest, n NewPullRequest) (PullRequest, error) {
	in := map[string]string{}
	if n.Title != "" && n.Title != p.Title {
		in["title"] = n.Title
	}
	if n.Body != "" && !sameText(n.Body, p.body) {
		in["body"] = n.Body
	}
	if len(in) == 0 {
		return p, nil
	}
	var w wirePull
	if err := r.call(ctx, request{op: editPull, at: []any{p.Number}, in: in, out: &w}); err != nil {
		return PullRequest{}, err
	}
	return w.pull(), nil
}

// sameText compares as a forge does, which may give lines the ends that browsers send, and drop
// the space around the whole.
func sameText(a, b string) bool {
	plain := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	return plain(a) == plain(b)
}

// recent returns the pull requests that were changed last, closed ones among them.
func (r *Repository) recent(ctx context.Context) ([]PullRequest, error) {
	query := url.Values{"state": {"all"}}
	if r.kind == GitHub {
		query.Set("sort", "updated")
		query.Set("direction", "desc")
	} else {
		query.Set("sort", "recentupdate")
	}
	for page, err := range pages[[]wirePull](ctx, r, request{op: listPulls, query: r.perPage(query)}) {
		if err != nil {
			return nil, err
		}
		var all []PullRequest
		for _, w := range page {
			all = append(all, w.pull())
		}
		return all, nil // the first page is enough
	}
	return nil, nil
}

// Report is a check that has been reported on the head of a pull request.
type Report struct {
	PullRequest int
	Context     string // as the branch rule has to name it; in Gitea with workflow and event
	App         int64  // that made it, on GitHub
	AppName     string
}

// looked bounds how many pull requests Reported asks about.
const looked = 20

// Reported looks for a check by its name on the heads of the pull requests that were changed last;
// nil where none has it. A rule that requires a check which nothing reports lets nothing merge.
func (r *Repository) Reported(ctx context.Context, check string) (*Report, error) {
	all, err := r.recent(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range all[:min(len(all), looked)] {
		report, err := r.dialect.reported(ctx, p.Head, check)
		if err != nil && online.CodeOf(err) != online.NotFound { // a head may be gone with its fork
			return nil, err
		}
		if report != nil {
			report.PullRequest = p.Number
			return report, nil
		}
	}
	return nil, nil
}

// State is what a commit's status says.
type State string

// The states that all forges have.
const (
	Pending State = "pending"
	Success State = "success"
	Failure State = "failure"
	Errored State = "error"
)

// Status is one that a commit is given. The newest of a context counts.
type Status struct {
	Context     string
	State       State
	Description string // cut where it is longer than a forge takes
	URL         string
}

// longestDescription is GitHub's limit of a status's description.
const longestDescription = 140

// SetStatus gives a commit a status.
func (r *Repository) SetStatus(ctx context.Context, sha string, s Status) error {
	in := map[string]string{"context": s.Context, "state": string(s.State), "description": cut(s.Description, longestDescription)}
	if s.URL != "" {
		in["target_url"] = s.URL
	}
	return r.call(ctx, request{op: createStatus, at: []any{sha}, in: in})
}

// cut shortens a text to at most n characters, and shows that it did.
func cut(text string, n int) string {
	if all := []rune(text); len(all) > n {
		return string(all[:n-1]) + "…"
	}
	return text
}

// branch is what the forges' own shapes of one have in common.
func (r *Repository) branch(ctx context.Context, name string, out any) error {
	err := r.call(ctx, request{op: getBranch, at: []any{name}, out: out})
	if online.CodeOf(err) == online.NotFound {
		return online.Errorf(online.NotFound, "%s has no branch %s: push it first, or name another one: %w", r.Name(), name, err)
	}
	return err
}
