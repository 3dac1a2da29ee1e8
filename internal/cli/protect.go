package cli

import (
	"context"

	"github.com/spf13/cobra"

	"hotswap/internal/forge"
)

// checkName is the job of the workflow that hotswap init writes.
const checkName = "Workshop-Deployment"

func newProtect(s *session) *cobra.Command {
	var (
		place forgeFlags
		rule  forge.Rule
		plan  bool
	)
	c := &cobra.Command{
		Use:   "protect",
		Short: "Set the rule of a branch: a pull request, and the deployment's check",
		Long: `Protect makes the forge merge into a branch only by pull request, and only when the deployment's check
has passed. On GitHub it keeps the rule in a ruleset of its own, or adds to the classic branch protection
where the plan has no rulesets, and pins the check to the app that makes it: anyone who may write could
set a status of that name. On Gitea and Forgejo it adds to the branch protection. It takes nothing away
that is there, and where the rule is in force already it changes nothing.

The token must be permitted to administer the repository; the built-in one of a workflow never is. It is
taken from $HOTSWAP_FORGE_TOKEN, else from $GH_TOKEN or $GITHUB_TOKEN for GitHub and $GITEA_TOKEN for Gitea.`,
		Example: `  hotswap protect --plan
  hotswap protect --up-to-date
  hotswap protect --forge gitea --forge-url https://git.example.com --repo ml/taxi-fare`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return s.protect(c.Context(), place, rule, plan) },
	}
	place.add(c)
	c.Flags().StringVar(&rule.Branch, "branch", "main", "`NAME` of the branch")
	c.Flags().StringVar(&rule.Check, "check", checkName, "`NAME` of the job whose check is required")
	c.Flags().Int64Var(&rule.App, "app-id", 0, "`ID` of the GitHub app that makes the check (default: GitHub Actions)")
	c.Flags().BoolVar(&rule.UpToDate, "up-to-date", false, "require a pull request to have the newest commit of the branch in it")
	c.Flags().BoolVar(&plan, "plan", false, "print what would change, and change nothing")
	return c
}

func (s *session) protect(ctx context.Context, place forgeFlags, rule forge.Rule, plan bool) error {
	switch {
	case rule.Branch == "" || rule.Check == "":
		return usagef("--branch and --check must name something")
	case rule.App < 0:
		return usagef("--app-id is %d, want the number of an app", rule.App)
	}
	r, err := s.repository(ctx, place)
	if err != nil {
		return err
	}
	do := r.Protect
	if plan {
		do = r.Plan
	}
	change, err := do(ctx, rule)
	if err != nil {
		return err
	}
	switch {
	case change.Action == forge.None:
		s.say("the rule of %s is in force already: nothing to change", rule.Branch)
	case plan:
		if err := s.sayPlanned(ctx, r); err != nil {
			return err
		}
	default:
		s.say("the rule of %s is in force", rule.Branch)
	}
	for _, what := range change.Before.Unread {
		s.say("not readable with this token: %s", what)
	}
	return s.print(viewChange(change, plan), func() *table { return changeTable(change) })
}

// sayPlanned tells that nothing was changed, and whether it could have been.
func (s *session) sayPlanned(ctx context.Context, r *forge.Repository) error {
	s.say("this is a plan: nothing was changed")
	facts, err := r.Facts(ctx)
	if err != nil {
		return err
	}
	if !facts.Administers {
		s.say("this token may not do it: it must be an administrator's of %s, with the permission to administer the repository", facts.Name)
	}
	return nil
}

// changeView is a change of a branch's rules as -o json shows it.
type changeView struct {
	Branch  string         `json:"branch"`
	Action  string         `json:"action"` // none, create or update
	Rule    string         `json:"rule"`
	Changes []string       `json:"changes"`
	Planned bool           `json:"planned"` // true: nothing was changed
	Before  protectionView `json:"before"`
	After   protectionView `json:"after"`
}

type protectionView struct {
	PullRequest bool        `json:"pullRequest"`
	Checks      []checkView `json:"checks"`
	UpToDate    bool        `json:"upToDate"`
	By          []string    `json:"by"`
	Unread      []string    `json:"unread"`
}

type checkView struct {
	Context string `json:"context"`
	App     int64  `json:"app"` // 0: any
}

func viewChange(c forge.Change, planned bool) changeView {
	return changeView{
		Branch: c.Before.Branch, Action: string(c.Action), Rule: c.Name, Changes: append([]string{}, c.Does...), Planned: planned,
		Before: viewProtection(c.Before), After: viewProtection(c.After),
	}
}

func viewProtection(p forge.Protection) protectionView {
	v := protectionView{
		PullRequest: p.PullRequest, Checks: []checkView{}, UpToDate: p.UpToDate,
		By: append([]string{}, p.By...), Unread: append([]string{}, p.Unread...),
	}
	for _, c := range p.Checks {
		v.Checks = append(v.Checks, checkView(c))
	}
	return v
}

func changeTable(c forge.Change) *table {
	t := &table{head: []string{"BRANCH", "RULE", "ACTION", "CHANGE"}}
	for _, what := range c.Does {
		t.add(c.Before.Branch, c.Name, string(c.Action), what)
	}
	if len(c.Does) == 0 {
		t.add(c.Before.Branch, c.Name, string(c.Action), "-")
	}
	return t
}
