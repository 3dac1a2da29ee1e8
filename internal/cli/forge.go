package cli

import (
	"cmp"
	"context"
	"net/url"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"hotswap/internal/forge"
	"hotswap/internal/online"
)

// forgeFlags say on which forge the repository is. In a workflow its variables say so, and
// elsewhere the address that git knows as origin.
type forgeFlags struct{ kind, url, repository string }

func (f *forgeFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.kind, "forge", "", "`KIND` of forge: github, or gitea, which Forgejo is too (default: the workflow's, or that of git's remote origin)")
	c.Flags().StringVar(&f.url, "forge-url", "", "`URL` of the forge (default: as --forge)")
	c.Flags().StringVar(&f.repository, "repo", "", "`OWNER/NAME` of the repository (default: as --forge)")
}

// place is where a repository is, and who says so.
type place struct {
	kind             forge.Kind
	host             string // of the forge as people know it, as given
	api              string
	repository, from string
}

// repository is the one that this command is about.
func (s *session) repository(ctx context.Context, f forgeFlags) (*forge.Repository, error) {
	p, err := s.place(ctx, f)
	if err != nil {
		return nil, err
	}
	token, from := s.forgeToken(p)
	if token == "" {
		return nil, online.Errorf(online.Unauthenticated, "there is no token for %s: give one in $%s", p.host, strings.Join(p.tokenVariables(s.inWorkflow()), " or $"))
	}
	if s.verbose {
		s.say("repository: %s at %s (%s), token of $%s", p.repository, p.api, p.from, from)
	}
	return forge.Dial(forge.Options{Kind: p.kind, BaseURL: p.api, Repository: p.repository, Token: token, Say: s.say})
}

// place is what the workflow or git says, with what the flags say instead.
func (s *session) place(ctx context.Context, f forgeFlags) (place, error) {
	kind := forge.Kind(f.kind)
	if kind != "" && kind != forge.GitHub && kind != forge.Gitea {
		return place{}, usagef("--forge is %q, want %s or %s", f.kind, forge.GitHub, forge.Gitea)
	}
	p := s.surroundings(ctx)
	if f.url != "" {
		p.host, p.api = strings.TrimRight(f.url, "/"), ""
		if p.from != theWorkflow {
			p.kind = kindOf(p.host)
		}
	}
	if kind != "" && kind != p.kind {
		p.kind, p.api = kind, ""
	}
	if p.kind == forge.GitHub && p.host == "" {
		p.host = "https://github.com"
	}
	p.repository = cmp.Or(f.repository, p.repository)
	switch {
	case p.repository == "":
		return p, usagef("which repository? give --repo OWNER/NAME, or run this where git has a remote origin")
	case p.host == "":
		return p, usagef("where is %s? give --forge github, or --forge gitea and --forge-url", p.repository)
	case p.kind == "":
		return p, usagef("is %s a GitHub or a Gitea? give --forge", p.host)
	}
	p.api = cmp.Or(p.api, apiOf(p.kind, p.host))
	return p, nil
}

// Where a place is known from.
const (
	theWorkflow = "the workflow"
	theRemote   = "git's remote origin"
	theFlags    = "the flags"
)

// surroundings is what is known without flags.
func (s *session) surroundings(ctx context.Context) place {
	if s.inWorkflow() && s.Getenv("GITHUB_REPOSITORY") != "" {
		kind := forge.GitHub
		if s.onGitea() {
			kind = forge.Gitea
		}
		return place{
			kind: kind, host: s.Getenv("GITHUB_SERVER_URL"), api: strings.TrimRight(s.Getenv("GITHUB_API_URL"), "/"),
			repository: s.Getenv("GITHUB_REPOSITORY"), from: theWorkflow,
		}
	}
	remote, err := s.git(ctx, "remote", "get-url", "origin")
	if err != nil {
		return place{from: theFlags} // what is missing then is told
	}
	return remotePlace(remote)
}

// onGitea reports whether this is a step of a workflow of Gitea or Forgejo.
func (s *session) onGitea() bool {
	return s.Getenv("GITEA_ACTIONS") == "true" || s.Getenv("FORGEJO_ACTIONS") == "true"
}

// remotePlace reads what git has for a remote: https://HOST/OWNER/NAME.git,
// ssh://git@HOST/OWNER/NAME or git@HOST:OWNER/NAME. Of hosts, github.com is known by its name.
func remotePlace(remote string) place {
	if !strings.Contains(remote, "://") {
		if at, rest, is := strings.Cut(remote, ":"); is && !strings.Contains(at, "/") {
			remote = "ssh://" + at + "/" + rest
		}
	}
	u, err := url.Parse(remote)
	if err != nil || u.Host == "" {
		return place{from: theFlags} // a folder, say
	}
	p := place{host: "https://" + u.Hostname(), repository: strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git"), from: theRemote}
	if u.Scheme == "http" || u.Scheme == "https" {
		p.host = u.Scheme + "://" + u.Host
	}
	if below, name := path.Split(p.repository); strings.Count(below, "/") > 1 { // the forge is below a path
		under, owner := path.Split(strings.TrimSuffix(below, "/"))
		p.host, p.repository = p.host+"/"+strings.TrimSuffix(under, "/"), owner+"/"+name
	}
	p.kind = kindOf(p.host)
	return p
}

// kindOf knows GitHub's own addresses; what a server of somebody's is cannot be told by its name.
func kindOf(address string) forge.Kind {
	if isGitHub(address) {
		return forge.GitHub
	}
	return ""
}

func isGitHub(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	return host == "github.com" || host == "api.github.com" || strings.HasSuffix(host, ".ghe.com")
}

// apiOf is where a forge has its API; an address that is the API's already stays
// (docs.github.com/rest, "Getting started"; docs.gitea.com, "API usage").
func apiOf(kind forge.Kind, address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address // Dial says what is wrong with it
	}
	switch {
	case kind == forge.Gitea && !strings.HasSuffix(u.Path, "/api/v1"):
		return address + "/api/v1"
	case kind != forge.GitHub || strings.HasSuffix(u.Path, "/api/v3") || strings.HasPrefix(u.Host, "api."):
		return address
	case isGitHub(address):
		return "https://api." + u.Host
	}
	return address + "/api/v3"
}

// tokenVariables are where a token may come from. One that is meant for GitHub goes to no other
// host because a remote says so.
func (p place) tokenVariables(inWorkflow bool) []string {
	all := []string{"HOTSWAP_FORGE_TOKEN"}
	if p.kind == forge.GitHub || inWorkflow {
		all = append(all, "GH_TOKEN", "GITHUB_TOKEN")
	}
	if p.kind == forge.Gitea {
		all = append(all, "GITEA_TOKEN")
	}
	return all
}

func (s *session) forgeToken(p place) (token, from string) {
	for _, name := range p.tokenVariables(s.inWorkflow()) {
		if token := s.Getenv(name); token != "" {
			return token, name
		}
	}
	return "", ""
}
