package rollout

import (
	"cmp"

	"hotswap/internal/azure"
)

// Actor is who does something to an endpoint: whom the workspace takes them for, and the run of
// a forge that they work through.
type Actor struct {
	Principal azure.Principal `json:"principal"`
	Forge     *Forge          `json:"forge,omitempty"` // nil where none runs this
	Local     string          `json:"local,omitempty"` // user@host, where no forge runs this
}

// Forge is a run of a workflow, as GitHub and Gitea describe it to its steps.
type Forge struct {
	Server      string `json:"server,omitempty"` // its address
	Repository  string `json:"repository,omitempty"`
	Actor       string `json:"actor,omitempty"` // whose push, pull request or click began the run
	Workflow    string `json:"workflow,omitempty"`
	Run         string `json:"run,omitempty"`
	Attempt     string `json:"attempt,omitempty"`
	Ref         string `json:"ref,omitempty"`
	Commit      string `json:"commit,omitempty"` // checked out: for a pull request, its merge with the target
	Head        string `json:"head,omitempty"`   // the newest commit of the pull request itself
	PullRequest int    `json:"pullRequest,omitempty"`
	URL         string `json:"url,omitempty"` // of the run
}

// same reports whether two runs are for the same pull request or, where they are for none, for the
// same branch.
func (f *Forge) same(of *Forge) bool {
	if f == nil || of == nil || f.Server != of.Server || f.Repository != of.Repository || f.PullRequest != of.PullRequest {
		return false
	}
	return f.PullRequest > 0 || f.Ref != "" && f.Ref == of.Ref
}

// String names the actor to people, by the name that says most.
func (a Actor) String() string {
	p := a.Principal
	if a.Forge != nil && a.Forge.Actor != "" {
		return a.Forge.Actor
	}
	return cmp.Or(p.Name, a.Local, p.App, p.ID)
}
