// Package forge speaks to the forge that a repository lives on: its pull requests, their comments,
// the statuses of commits and the rule of a branch. GitHub's REST API and the one of Gitea and
// Forgejo are of one family: most calls are the same, and what differs is behind a dialect.
//
// Every call is in the table of operation.go, and is made by one function, which tries again what
// may be sent twice, waits for rate limits as long as the context allows, and turns refusals into
// errors that name the permission which the token lacks.
package forge

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hotswap/internal/online"
)

// Kind is whose API a forge speaks.
type Kind string

// The kinds; Gitea is Forgejo's too.
const (
	GitHub Kind = "github"
	Gitea  Kind = "gitea"
)

// title is its name in sentences.
func (k Kind) title() string {
	if k == GitHub {
		return "GitHub"
	}
	return "Gitea"
}

// Options says which repository is meant, and who speaks.
type Options struct {
	Kind       Kind
	BaseURL    string // of the API: https://api.github.com, https://gitea.example.com/api/v1
	Repository string // OWNER/NAME
	Token      string
	HTTP       *http.Client                     // nil: one of its own
	Say        func(format string, args ...any) // tells people why it takes so long; nil: nobody
}

// Repository is one repository on its forge. Its methods may be called by several goroutines.
type Repository struct {
	kind        Kind
	base        *url.URL
	owner, name string
	token       string
	client      *http.Client
	say         func(format string, args ...any)
	dialect     dialect
}

// dialect is what the forges do in ways of their own.
type dialect interface {
	// find returns the open pull request of these two branches of the repository; nil where there is none.
	find(ctx context.Context, head, base string) (*PullRequest, error)
	// protection reads the rule that a branch is under.
	protection(ctx context.Context, branch string) (Protection, error)
	// prepare finds out what has to be written for a rule to be in force that is not.
	prepare(ctx context.Context, rule Rule, before Protection) (draft, error)
	// reported looks for a check on a commit.
	reported(ctx context.Context, sha, check string) (*Report, error)
	// administers finds out whether the token may change the rules, where the role of whoever it belongs to allows it.
	administers(ctx context.Context, branch string) (bool, error)
}

// tryTime bounds one try of one call. GitHub itself gives up on a request after 10 seconds
// (docs.github.com/rest, "Troubleshooting the REST API").
const tryTime = 30 * time.Second

// Dial checks what it was given and sends nothing.
func Dial(o Options) (*Repository, error) {
	base, err := parseBase(o.BaseURL)
	if err != nil {
		return nil, err
	}
	owner, name, both := strings.Cut(o.Repository, "/")
	if !both || owner == "" || name == "" || strings.ContainsAny(name, "/?#") {
		return nil, online.Errorf(online.Invalid, "the repository is %q, want OWNER/NAME", o.Repository)
	}
	if o.Token == "" {
		return nil, online.Errorf(online.Unauthenticated, "there is no token for %s", base.Host)
	}
	r := &Repository{
		kind: o.Kind, base: base, owner: owner, name: name, token: o.Token, client: newClient(o.HTTP), say: o.Say,
	}
	if r.say == nil {
		r.say = func(string, ...any) {}
	}
	switch o.Kind {
	case GitHub:
		r.dialect = github{r}
	case Gitea:
		r.dialect = gitea{r}
	default:
		return nil, online.Errorf(online.Invalid, "the forge is %q, want %s or %s", o.Kind, GitHub, Gitea)
	}
	return r, nil
}

func parseBase(address string) (*url.URL, error) {
	base, err := url.Parse(strings.TrimRight(address, "/"))
	switch {
	case err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http":
		return nil, online.Errorf(online.Invalid, "the forge's address %q is no URL such as https://api.github.com", address)
	case base.User != nil: // which may be a password: not quoted
		return nil, online.Errorf(online.Invalid, "the forge's address at %q has a user in it: give the token alone", base.Host)
	}
	return base, nil
}

// Kind tells whose API the forge speaks.
func (r *Repository) Kind() Kind { return r.kind }

// Name is OWNER/NAME as it was given.
func (r *Repository) Name() string { return r.owner + "/" + r.name }

// newClient follows redirects of reads only, and none that leads to another host: the token is for
// the one that it was given for.
func newClient(given *http.Client) *http.Client {
	c := &http.Client{}
	if given != nil {
		*c = *given
	}
	c.CheckRedirect = func(next *http.Request, before []*http.Request) error {
		first := before[0]
		if first.Method != http.MethodGet || len(before) > 3 || next.URL.Scheme != first.URL.Scheme || next.URL.Host != first.URL.Host {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return c
}

// Facts is what there is to know of a repository before anything is done with it.
type Facts struct {
	Name          string // as the forge has it: another one than was asked for, where it was renamed
	URL           string
	DefaultBranch string
	Archived      bool
	// Administers is whether the token may change the rules of branches, as far as that can be known without trying.
	Administers bool
}

type wireRepository struct {
	FullName      string `json:"full_name"`
	HTMLURL       string `json:"html_url"`
	DefaultBranch string `json:"default_branch"`
	Archived      bool   `json:"archived"`
	Permissions   struct {
		Admin bool `json:"admin"`
	} `json:"permissions"`
}

// Facts reads them.
func (r *Repository) Facts(ctx context.Context) (Facts, error) {
	var w wireRepository
	if err := r.call(ctx, request{op: getRepository, out: &w}); err != nil {
		return Facts{}, err
	}
	f := Facts{Name: w.FullName, URL: w.HTMLURL, DefaultBranch: w.DefaultBranch, Archived: w.Archived}
	if !w.Permissions.Admin {
		return f, nil
	}
	var err error
	f.Administers, err = r.dialect.administers(ctx, f.DefaultBranch)
	return f, err
}
