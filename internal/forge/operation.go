package forge

import "net/http"

// operation is one call of the API: an index of the table, so that there is no call beside it.
type operation int

const (
	getRepository operation = iota
	getPull
	listPulls
	createPull
	editPull
	listComments
	createComment
	editComment
	getUser
	createStatus
	getBranch

	listCheckRuns
	getApp
	listBranchRules
	listRulesets
	getRuleset
	createRuleset
	editRuleset
	getBranchProtection
	setBranchProtection

	listStatuses
	getRule
	createRule
	editRule
)

// call is what the forges' documentation says of an operation.
type call struct {
	method, path string // {owner} and {repo} are the repository's, the rest is the request's, in its order
	does         string // in people's words
	needs        string // of a GitHub token, as permissions are written in a workflow
	scope        string // of a Gitea token
	twice        bool   // sending it twice leaves what sending it once leaves
	of           Kind   // "": both forges have it
}

// The permissions are those of docs.github.com/rest, "Permissions required for fine-grained
// personal access tokens"; the scopes those of docs.gitea.com, "API usage".
var calls = [...]call{
	getRepository: {http.MethodGet, "/repos/{owner}/{repo}", "read the repository", "metadata: read", "read:repository", true, ""},
	getPull:       {http.MethodGet, "/repos/{owner}/{repo}/pulls/{pull_number}", "read the pull request", "pull-requests: read", "read:repository", true, ""},
	listPulls:     {http.MethodGet, "/repos/{owner}/{repo}/pulls", "list the pull requests", "pull-requests: read", "read:repository", true, ""},
	createPull:    {http.MethodPost, "/repos/{owner}/{repo}/pulls", "open the pull request", "pull-requests: write", "write:repository", false, ""},
	editPull:      {http.MethodPatch, "/repos/{owner}/{repo}/pulls/{pull_number}", "update the pull request", "pull-requests: write", "write:repository", true, ""},
	listComments:  {http.MethodGet, "/repos/{owner}/{repo}/issues/{issue_number}/comments", "list the comments", "pull-requests: read", "read:issue", true, ""},
	createComment: {http.MethodPost, "/repos/{owner}/{repo}/issues/{issue_number}/comments", "write the comment", "pull-requests: write", "write:issue", false, ""},
	editComment:   {http.MethodPatch, "/repos/{owner}/{repo}/issues/comments/{comment_id}", "edit the comment", "pull-requests: write", "write:issue", true, ""},
	getUser:       {http.MethodGet, "/user", "read whose token this is", "", "read:user", true, ""},
	// Each POST adds a row, of which the newest counts: two that say the same are as good as one.
	createStatus: {http.MethodPost, "/repos/{owner}/{repo}/statuses/{sha}", "set the commit's status", "statuses: write", "write:repository", true, ""},
	getBranch:    {http.MethodGet, "/repos/{owner}/{repo}/branches/{branch}", "read the branch", "contents: read", "read:repository", true, ""},

	listCheckRuns:       {http.MethodGet, "/repos/{owner}/{repo}/commits/{ref}/check-runs", "list the commit's checks", "checks: read", "", true, GitHub},
	getApp:              {http.MethodGet, "/apps/{app_slug}", "read the app", "", "", true, GitHub},
	listBranchRules:     {http.MethodGet, "/repos/{owner}/{repo}/rules/branches/{branch}", "read the rules of the branch", "metadata: read", "", true, GitHub},
	listRulesets:        {http.MethodGet, "/repos/{owner}/{repo}/rulesets", "list the rulesets", "metadata: read", "", true, GitHub},
	getRuleset:          {http.MethodGet, "/repos/{owner}/{repo}/rulesets/{ruleset_id}", "read the ruleset", "metadata: read", "", true, GitHub},
	createRuleset:       {http.MethodPost, "/repos/{owner}/{repo}/rulesets", "create the ruleset", "administration: write", "", false, GitHub},
	editRuleset:         {http.MethodPut, "/repos/{owner}/{repo}/rulesets/{ruleset_id}", "change the ruleset", "administration: write", "", true, GitHub},
	getBranchProtection: {http.MethodGet, "/repos/{owner}/{repo}/branches/{branch}/protection", "read the protection of the branch", "administration: read", "", true, GitHub},
	setBranchProtection: {http.MethodPut, "/repos/{owner}/{repo}/branches/{branch}/protection", "set the protection of the branch", "administration: write", "", true, GitHub},

	listStatuses: {http.MethodGet, "/repos/{owner}/{repo}/commits/{ref}/statuses", "list the commit's statuses", "", "read:repository", true, Gitea},
	getRule:      {http.MethodGet, "/repos/{owner}/{repo}/branch_protections/{name}", "read the branch protection", "", "read:repository", true, Gitea},
	createRule:   {http.MethodPost, "/repos/{owner}/{repo}/branch_protections", "create the branch protection", "", "write:repository", false, Gitea},
	editRule:     {http.MethodPatch, "/repos/{owner}/{repo}/branch_protections/{name}", "change the branch protection", "", "write:repository", true, Gitea},
}

// Operations lists every call that this package makes of a forge, as METHOD PATH. Tests hold the
// list against what the forge has published, and want each call to be among those that they saw.
func Operations(kind Kind) []string {
	var all []string
	for _, c := range calls {
		if c.of == "" || c.of == kind {
			all = append(all, c.method+" "+c.path)
		}
	}
	return all
}
