package cli

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hotswap/internal/forge"
	"hotswap/internal/online"
)

func newPR(s *session) *cobra.Command {
	c := group(&cobra.Command{Use: "pr", Short: "The pull request that brings a model to production"})
	c.AddCommand(newPROpen(s))
	return c
}

func newPROpen(s *session) *cobra.Command {
	var (
		place    forgeFlags
		pull     forge.NewPullRequest
		bodyFile string
	)
	c := &cobra.Command{
		Use:   "open",
		Short: "Open a pull request between two branches, or update the open one",
		Long: `Open opens the pull request of two branches of the repository, or gives the one that is open the title
and the body. What is not given stays as it is, so running it again changes nothing.

A pull request that the built-in token of a workflow opens starts no workflow, or one that waits until
somebody approves it: its required check is never reported by itself. Use the token of a GitHub app, or a
fine-grained personal token with the permissions "contents: read" and "pull-requests: write".`,
		Example: `  hotswap pr open
  hotswap pr open --head integration --base main --title "Fare model 7" --body-file report.md`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if bodyFile != "" {
				if pull.Body, err = s.readText("body-file", bodyFile); err != nil {
					return err
				}
			}
			return s.openPull(c.Context(), place, pull)
		},
	}
	place.add(c)
	c.Flags().StringVar(&pull.Head, "head", "integration", "`BRANCH` to merge")
	c.Flags().StringVar(&pull.Base, "base", "main", "`BRANCH` to merge into")
	c.Flags().StringVarP(&pull.Title, "title", "t", "", "`TEXT` of the title (default of a new one: what is merged into what)")
	c.Flags().StringVarP(&pull.Body, "body", "b", "", "`TEXT` of the description, in Markdown")
	c.Flags().StringVar(&bodyFile, "body-file", "", "`FILE` with the description; - is stdin")
	c.MarkFlagsMutuallyExclusive("body", "body-file")
	return c
}

// readText reads a file that a flag names, or stdin.
func (s *session) readText(flag, name string) (string, error) {
	if name != "-" {
		text, err := s.read(flag, name)
		return string(text), err
	}
	text, err := io.ReadAll(s.Stdin)
	if err != nil {
		return "", online.Errorf(online.Invalid, "--%s: %w", flag, err)
	}
	return string(text), nil
}

// pullView is a pull request as -o json shows it.
type pullView struct {
	Number  int    `json:"number"`
	URL     string `json:"url"`
	Title   string `json:"title"`
	Head    string `json:"head"`
	Base    string `json:"base"`
	Commit  string `json:"commit"` // of the head
	Created bool   `json:"created"`
	// Automatic is false where the forge starts no workflow for it by itself.
	Automatic bool `json:"automatic"`
}

func (s *session) openPull(ctx context.Context, place forgeFlags, pull forge.NewPullRequest) error {
	if strings.TrimSpace(pull.Head) == "" || strings.TrimSpace(pull.Base) == "" || pull.Head == pull.Base {
		return usagef("--head and --base must name two branches")
	}
	r, err := s.repository(ctx, place)
	if err != nil {
		return err
	}
	p, created, err := r.Open(ctx, pull)
	if err != nil {
		return err
	}
	if p.ByWorkflow() {
		s.sayBuiltIn(r.Kind(), p)
	}
	v := pullView{p.Number, p.URL, p.Title, p.HeadBranch, p.BaseBranch, p.Head, created, !p.ByWorkflow()}
	return s.print(v, func() *table {
		t := &table{head: []string{"NUMBER", "URL", "TITLE", "CREATED"}}
		t.add(strconv.Itoa(v.Number), v.URL, v.Title, strconv.FormatBool(created))
		return t
	})
}

// sayBuiltIn tells what to do about a pull request that starts no workflow.
func (s *session) sayBuiltIn(kind forge.Kind, p forge.PullRequest) {
	s.say("%s opened pull request %d with the built-in token of a workflow: it starts no workflow, or one that waits for approval.", p.Author, p.Number)
	if kind == forge.GitHub {
		s.say("Give $HOTSWAP_FORGE_TOKEN the token of a GitHub app or a fine-grained personal token, and close this one first; until then approve its run, or start the workflow by hand: gh workflow run workshop_cd.yml --ref %s", p.HeadBranch)
		return
	}
	s.say("Give $HOTSWAP_FORGE_TOKEN the token of a user of its own, and close this one first.")
}
