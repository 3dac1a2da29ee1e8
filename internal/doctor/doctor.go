// Package doctor checks what a first run needs, and says what mends each thing that is wrong.
//
//	Examine ──looks at the cloud, the files, the forge──► facts ──checks, one pure function each──► []Finding
//
// A fact that can't be had has an error, and each check says what that means for it: a check goes
// on where another fails. What nobody can see from here is unknown, and never ok.
package doctor

import (
	"context"
	"fmt"
	"io/fs"

	"hotswap/internal/azure"
	"hotswap/internal/forge"
)

// Status is how a check ended.
type Status string

// The statuses.
const (
	OK        Status = "ok"
	Failed    Status = "failed"
	Unknown   Status = "unknown"    // it can't be seen from here, or not before something else is mended
	NotNeeded Status = "not needed" // the set-up does without it
)

// Finding is what came of one check.
type Finding struct {
	Check  string   `json:"check"`
	Status Status   `json:"status"`
	Detail string   `json:"detail"`
	Fix    []string `json:"fix,omitempty"` // commands, and lines to edit
}

// Options is what to look at.
type Options struct {
	Root           string // the folder of the repository
	Workflow       string // its file, from Root
	EndpointFile   string // "" for what the workflow says
	DeploymentFile string // the same
	ConfigFile     string // "" for hotswap.yml beside the endpoint's file, else in Root
	Rule           forge.Rule
	InJob          bool // this runs as a step of a workflow
	Shipped        fs.FS
	Sight
}

// Sight is how the doctor sees what is not on this machine.
type Sight struct {
	SignIn     func() (Account, error)
	Open       func(named azure.Workspace) (Workspace, error) // named by the workflow, as far as it does
	Repository func(context.Context) (Forge, error)
}

// Account is a login.
type Account interface {
	Principal(ctx context.Context) (azure.Principal, error)
	Assertion(ctx context.Context) (azure.Assertion, bool, error)
	Federated() bool
	Sources() []azure.Source
	Mend(err error) []string
}

// Workspace is an Azure ML workspace.
type Workspace interface {
	Facts(ctx context.Context) (azure.Facts, error)
	Permissions(ctx context.Context, endpoint string) ([]azure.Permission, error)
	Datastore(ctx context.Context) (azure.Datastore, error)
	Probe(ctx context.Context) error
	Grant(role azure.Role, scope string) []string
}

// Forge is the forge of the repository.
type Forge interface {
	Kind() forge.Kind
	Lacks(ctx context.Context, rule forge.Rule) (forge.Protection, []string, error)
	Reported(ctx context.Context, check string) (*forge.Report, error)
}

// check is one thing that a first run needs.
type check struct {
	name string
	look func(*facts) Finding
}

// table has all of them, in the order in which they are best mended.
var table = []check{
	{"credential", (*facts).credential},
	{"oidc subject", (*facts).subject},
	{"workspace", (*facts).workspaceRead},
	{"workspace roles", (*facts).roles},
	{"datastore", (*facts).datastore},
	{"storage access", (*facts).storage},
	{"metrics role", (*facts).metrics},
	{"endpoint file", (*facts).endpointFile},
	{"deployment file", (*facts).deploymentFile},
	{"settings", (*facts).settingsFile},
	{"tests", (*facts).tests},
	{"workflow file", (*facts).workflowFile},
	{"triggers", (*facts).triggers},
	{"permissions", (*facts).permissions},
	{"job always runs", (*facts).alwaysRuns},
	{"concurrency", (*facts).concurrency},
	{"environment", (*facts).environment},
	{"checkout", (*facts).checkout},
	{"actions", (*facts).actions},
	{"check name", (*facts).checkName},
	{"branch rule", (*facts).branchRule},
	{"reported check", (*facts).reportedCheck},
}

// Examine makes all checks.
func Examine(ctx context.Context, o Options) []Finding {
	f := look(ctx, o)
	findings := make([]Finding, len(table))
	for i, c := range table {
		findings[i] = c.look(f)
		findings[i].Check = c.name
	}
	return findings
}

func ok(format string, args ...any) Finding {
	return Finding{Status: OK, Detail: fmt.Sprintf(format, args...)}
}

func notNeeded(format string, args ...any) Finding {
	return Finding{Status: NotNeeded, Detail: fmt.Sprintf(format, args...)}
}

func unknown(fix []string, format string, args ...any) Finding {
	return Finding{Status: Unknown, Detail: fmt.Sprintf(format, args...), Fix: fix}
}

func failed(fix []string, format string, args ...any) Finding {
	return Finding{Status: Failed, Detail: fmt.Sprintf(format, args...), Fix: fix}
}

// after is for a check that can't be made before another one is ok.
func after(other string) Finding {
	return unknown(nil, "this can't be checked before %q is ok", other)
}
