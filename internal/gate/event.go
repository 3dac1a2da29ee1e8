package gate

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"hotswap/internal/online"
)

// A Kind is what has happened to the repository.
type Kind string

// The kinds.
const (
	Open       Kind = "open"       // a pull request was opened, opened again, pushed to, or marked ready
	Closed     Kind = "closed"     // a pull request was closed unmerged
	Merged     Kind = "merged"     // a pull request was merged
	Queued     Kind = "queued"     // a merge queue asks about what it would merge
	Dispatched Kind = "dispatched" // a person began the run
)

// Event is what began a run, as GitHub and Gitea describe it. All texts in it are anybody's.
type Event struct {
	Kind        Kind
	Repository  string // owner/name
	PullRequest int    // 0 where the event is of none
	Title, URL  string
	Fork, Draft bool
	Dependabot  bool // began the run, which therefore has no credential

	Head, HeadBranch string // the newest commit; of a dispatch, what is checked out
	Base, BaseBranch string
	MergeBase        string    // where the branch has left its base, by Gitea, whose Base is what the base has by now; else ""
	Merge            string    // the commit that a merge has made
	Branch           string    // of a dispatch; a tag is there by its whole name, refs/tags/v1, which no branch has
	DefaultBranch    string    // of the repository
	Updated          time.Time // when the pull request changed last
}

// Run is what the runner tells a step of its event.
type Run struct {
	Name string // of the event
	SHA  string
	Ref  string
}

// payload is the part of the event's JSON that the forges share
// (docs.github.com/webhooks/webhook-events-and-payloads; Gitea's modules/structs/hook.go).
type payload struct {
	Action      string
	Number      int
	PullRequest *struct {
		Number         int
		Title          string
		HTMLURL        string `json:"html_url"`
		Draft          bool
		Merged         bool
		State          string
		MergeCommitSHA string    `json:"merge_commit_sha"`
		MergedCommitID string    `json:"merged_commit_id"` // Gitea's older name
		MergeBase      string    `json:"merge_base"`       // Gitea's alone
		UpdatedAt      time.Time `json:"updated_at"`
		Head, Base     end
	} `json:"pull_request"`
	MergeGroup *struct {
		HeadSHA string `json:"head_sha"`
		HeadRef string `json:"head_ref"`
		BaseSHA string `json:"base_sha"`
		BaseRef string `json:"base_ref"`
	} `json:"merge_group"`
	Repository struct {
		FullName      string `json:"full_name"`
		DefaultBranch string `json:"default_branch"`
	}
}

// end is one side of a pull request.
type end struct {
	Ref, SHA string
	Repo     *struct {
		ID       int64
		FullName string `json:"full_name"`
	}
}

// ReadEvent reads an event.
func ReadEvent(run Run, text []byte) (e Event, err error) {
	var p payload
	if err := json.Unmarshal(text, &p); err != nil {
		return e, online.Errorf(online.Invalid, "the event's file is not JSON as GitHub and Gitea write it: %w", err)
	}
	e.Repository, e.DefaultBranch = p.Repository.FullName, p.Repository.DefaultBranch
	switch run.Name {
	case "pull_request":
		return p.pullRequest(e)
	case "merge_group":
		return p.mergeGroup(e)
	case "workflow_dispatch":
		e.Kind, e.Head = Dispatched, run.SHA
		e.Branch = branchName(run.Ref)
		if e.Head == "" {
			return e, online.Errorf(online.Invalid, "the run has no commit: $GITHUB_SHA is empty")
		}
		return e, nil
	case "pull_request_target":
		return e, online.Errorf(online.Invalid, "the event is pull_request_target, which would run a fork's files with this repository's secrets: use pull_request")
	}
	return e, online.Errorf(online.Invalid, "the event is %q, want pull_request, merge_group or workflow_dispatch", run.Name)
}

func (p payload) pullRequest(e Event) (Event, error) {
	r := p.PullRequest
	if r == nil {
		return e, online.Errorf(online.Invalid, "the event's file has no pull request")
	}
	e.PullRequest, e.Title, e.URL, e.Draft, e.Updated = max(r.Number, p.Number), r.Title, r.HTMLURL, r.Draft, r.UpdatedAt
	e.Head, e.HeadBranch, e.Base, e.BaseBranch = r.Head.SHA, branchName(r.Head.Ref), r.Base.SHA, branchName(r.Base.Ref)
	e.Fork = r.Head.foreign(r.Base)
	if isCommit(r.MergeBase) {
		e.MergeBase = r.MergeBase
	}
	e.Kind = Open
	switch {
	case r.Merged:
		e.Kind, e.Merge = Merged, r.MergeCommitSHA
		if e.Merge == "" {
			e.Merge = r.MergedCommitID
		}
	case p.Action == "closed" || r.State == "closed":
		e.Kind = Closed
	}
	for what, text := range map[string]string{"head": e.Head, "base": e.Base} {
		if !isCommit(text) {
			return e, online.Errorf(online.Invalid, "the event's file has no %s commit of the pull request, it has %q", what, text)
		}
	}
	switch {
	case e.PullRequest <= 0:
		return e, online.Errorf(online.Invalid, "the event's file has no number of the pull request")
	case e.Kind == Merged && !isCommit(e.Merge):
		return e, online.Errorf(online.Invalid, "the event's file has no commit of the merge, it has %q", e.Merge)
	}
	return e, nil
}

// foreign reports whether the head is of another repository; one that is deleted is another.
func (head end) foreign(base end) bool {
	switch {
	case head.Repo == nil || base.Repo == nil:
		return true
	case head.Repo.ID != 0 && base.Repo.ID != 0:
		return head.Repo.ID != base.Repo.ID
	}
	return head.Repo.FullName == "" || !strings.EqualFold(head.Repo.FullName, base.Repo.FullName)
}

func (p payload) mergeGroup(e Event) (Event, error) {
	g := p.MergeGroup
	if g == nil || !isCommit(g.HeadSHA) || !isCommit(g.BaseSHA) {
		return e, online.Errorf(online.Invalid, "the event's file has no merge group with its commits")
	}
	e.Kind, e.Head, e.Base = Queued, g.HeadSHA, g.BaseSHA
	e.HeadBranch, e.BaseBranch = branchName(g.HeadRef), branchName(g.BaseRef)
	return e, nil
}

func branchName(ref string) string { return strings.TrimPrefix(ref, "refs/heads/") }

// refName names a branch, or a tag, in a sentence.
func refName(ref string) string {
	if tag, is := strings.CutPrefix(ref, "refs/tags/"); is {
		return "tag " + tag
	}
	return "branch " + ref
}

// isCommit reports whether text is a commit's id, and so nothing that git takes for an option.
func isCommit(text string) bool {
	const sha1, sha256 = 40, 64
	if len(text) != sha1 && len(text) != sha256 {
		return false
	}
	return strings.Trim(text, "0123456789abcdef") == ""
}

// main is the commit that main has by the event.
func (e Event) main() string {
	if e.Kind == Merged {
		return e.Merge
	}
	return e.Head
}

// String names the event in a sentence.
func (e Event) String() string {
	switch {
	case e.PullRequest > 0:
		return fmt.Sprintf("pull request #%d", e.PullRequest)
	case e.Kind == Queued:
		return "the merge queue's commit " + short(e.Head)
	case e.Branch != "":
		return refName(e.Branch)
	}
	return "commit " + short(e.Head)
}
