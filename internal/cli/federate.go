package cli

import (
	"context"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"hotswap/internal/azure"
	"hotswap/internal/doctor"
)

// githubIssuer is the issuer of GitHub's own runners
// (docs.github.com/actions/reference/security/oidc).
const githubIssuer = "https://token.actions.githubusercontent.com"

// federateFlags say whom a principal is to trust.
type federateFlags struct {
	issuer, audience, subject         string
	repository, repositoryID, ownerID string
	environment, ref                  string
	pullRequest                       bool
}

func newPrincipalFederate(s *session) *cobra.Command {
	var f federateFlags
	c := &cobra.Command{
		Use: "federate NAME", Short: "Let a workflow log in as a principal, without a secret",
		Long: `Federate lets jobs of a repository log in as a principal with the OIDC token that their runner gives
them. Issuer, subject and audience must match exactly, in case too.

A token's subject has the repository's name or, for repositories made, renamed or moved after
15 July 2026, name and numeric ids. With --repository-id and --owner-id both forms are trusted, and a token
that has other ids, or none, is not, so that whoever takes over the repository's name later can't log in. Of a
repository on GitHub, gh api repos/OWNER/NAME --jq '.id, .owner.id' tells both.

NAME may be the principal's client id. Only an owner may do this.`,
		Example: `  hotswap principal federate ci --repo octo/taxi --environment production --repository-id 22 --owner-id 11
  hotswap principal federate ci --repo octo/taxi --ref main
  hotswap principal federate ci --issuer https://forgejo.example.org/api/actions --subject repo:octo/taxi:pull_request`,
		Args: oneName,
		RunE: func(c *cobra.Command, args []string) error {
			credential, err := f.credential()
			if err != nil {
				return err
			}
			return s.federate(c.Context(), args[0], credential)
		},
	}
	c.Flags().StringVar(&f.issuer, "issuer", githubIssuer, "`URL` of who issues the tokens")
	c.Flags().StringVar(&f.audience, "audience", azure.FederationAudience, "`TEXT` that the tokens must be for")
	c.Flags().StringVar(&f.subject, "subject", "", "`TEXT` of the whole subject, instead of --repo")
	c.Flags().StringVar(&f.repository, "repo", "", "`OWNER/NAME` of the repository")
	c.Flags().StringVar(&f.repositoryID, "repository-id", "", "`NUMBER` of the repository")
	c.Flags().StringVar(&f.ownerID, "owner-id", "", "`NUMBER` of its owner")
	c.Flags().StringVar(&f.environment, "environment", "", "`NAME` of the environment that the job names")
	c.Flags().StringVar(&f.ref, "ref", "", "`REF` that the workflow runs on: a branch, or refs/…")
	c.Flags().BoolVar(&f.pullRequest, "pull-request", false, "jobs of pull requests that name no environment")
	return c
}

var (
	repositoryPattern = regexp.MustCompile(`^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$`)
	numberPattern     = regexp.MustCompile(`^[1-9][0-9]{0,18}$`)
)

// credential checks the flags and makes the subjects.
func (f *federateFlags) credential() (azure.FederatedCredential, error) {
	c := azure.FederatedCredential{Issuer: f.issuer, Audience: f.audience}
	given := 0
	for _, is := range []bool{f.environment != "", f.ref != "", f.pullRequest} {
		if is {
			given++
		}
	}
	switch {
	case f.subject != "" && (f.repository != "" || given > 0):
		return c, usagef("--subject is the whole subject: give it without --repo, --environment, --ref and --pull-request")
	case f.subject == "" && f.repository == "":
		return c, usagef("whose tokens? give --repo with one of --environment, --ref and --pull-request, or --subject")
	case f.subject == "" && given != 1:
		return c, usagef("give one of --environment, --ref and --pull-request: a token has the one or the other")
	case f.subject == "" && !repositoryPattern.MatchString(f.repository):
		return c, usagef("--repo is %q, want OWNER/NAME", f.repository)
	}
	var err error
	if c.Claims, err = f.claims(); err != nil {
		return c, err
	}
	if c.Subjects = []string{f.subject}; f.subject == "" {
		c.Subjects = f.subjects()
	}
	return c, nil
}

// claims are the ids that a token must not have otherwise.
func (f *federateFlags) claims() (map[string]string, error) {
	if f.repositoryID == "" && f.ownerID == "" {
		return nil, nil
	}
	for _, id := range []string{f.repositoryID, f.ownerID} {
		if !numberPattern.MatchString(id) {
			return nil, usagef("--repository-id is %q and --owner-id is %q, want a number each: a subject has both or neither", f.repositoryID, f.ownerID)
		}
	}
	return map[string]string{"repository_id": f.repositoryID, "repository_owner_id": f.ownerID}, nil
}

// subjects are those of GitHub's tokens, by the repository's name and, where its ids are given, with
// them too (docs.github.com/actions/reference/security/oidc; github.blog/changelog, "Immutable subject
// claims for GitHub Actions OIDC tokens", 2026-04-23).
func (f *federateFlags) subjects() []string {
	var context string
	switch {
	case f.environment != "":
		context = "environment:" + strings.ReplaceAll(f.environment, ":", "%3A") // as GitHub writes it
	case f.pullRequest:
		context = "pull_request"
	case strings.HasPrefix(f.ref, "refs/"):
		context = "ref:" + f.ref
	default:
		context = "ref:refs/heads/" + f.ref
	}
	owner, name, _ := strings.Cut(f.repository, "/")
	all := []string{"repo:" + owner + "/" + name + ":" + context}
	if f.repositoryID != "" {
		all = append(all, "repo:"+owner+"@"+f.ownerID+"/"+name+"@"+f.repositoryID+":"+context)
	}
	return all
}

func (s *session) federate(ctx context.Context, name string, f azure.FederatedCredential) error {
	client, err := s.principals(ctx, func(client *azure.Client) (commands []string) {
		for _, subject := range f.Subjects { // Entra has one in each
			commands = append(commands, doctor.Command(azure.TrustCommand(name, f.Issuer, subject, f.Audience)...))
		}
		return commands
	})
	if err != nil {
		return err
	}
	p, err := client.Federate(ctx, name, f)
	if err != nil {
		return err
	}
	s.say("principal %s trusts %s for %s", p.Name, f.Issuer, strings.Join(f.Subjects, " and "))
	if f.Issuer == githubIssuer && len(f.Claims) == 0 {
		s.say("whoever takes over the repository's name is trusted too: --repository-id and --owner-id bind it to this one")
	}
	return s.print(viewPrincipal(p), func() *table { return principalTable(p) })
}
