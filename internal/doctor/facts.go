package doctor

import (
	"context"
	"errors"
	"path/filepath"

	"hotswap/internal/azure"
	"hotswap/internal/checks"
	"hotswap/internal/forge"
	"hotswap/internal/online"
	"hotswap/internal/spec"
)

// found is a fact, or why it is not to be had.
type found[T any] struct {
	is  T
	err error
}

func find[T any](is T, err error) found[T] { return found[T]{is, err} }

// errBefore is of a fact that was not looked for, since what leads to it is not there.
var errBefore = errors.New("not looked for")

func without[T any](err error) found[T] {
	return found[T]{err: errors.Join(errBefore, err)}
}

func (f found[T]) before() bool { return errors.Is(f.err, errBefore) }

// facts are what the checks judge.
type facts struct {
	Options

	account   found[Account]
	principal found[azure.Principal]
	assertion found[azure.Assertion] // errBefore where the login is by none
	workspace found[Workspace]
	home      found[azure.Facts]
	may       found[[]azure.Permission]
	store     found[azure.Datastore]
	probe     error

	workflow   found[*workflow]
	endpoint   found[spec.Endpoint]
	deployment found[spec.Deployment]
	config     string // the name of the settings' file, "" where there is none
	settings   found[map[string]string]
	suite      found[checks.Suite]

	repository found[Forge]
	kind       forge.Kind // "" where the repository is not known
	protection found[forge.Protection]
	lacks      []string
	reported   found[*forge.Report]
}

// look finds out all that can be found out.
func look(ctx context.Context, o Options) *facts {
	f := &facts{Options: o}
	f.workflow = find(readWorkflow(o.Root, o.Workflow, o.Rule.Check))
	f.readFiles()
	f.lookAtCloud(ctx)
	f.lookAtForge(ctx)
	return f
}

// inRoot makes a name that is relative to the repository one that can be opened.
func (f *facts) inRoot(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(f.Root, filepath.FromSlash(name))
}

// shown is a path as people know it: from the repository's folder.
func (f *facts) shown(path string) string {
	if rel, err := filepath.Rel(f.Root, path); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return path
}

func (f *facts) lookAtCloud(ctx context.Context) {
	f.account = find(f.SignIn())
	f.principal, f.assertion = without[azure.Principal](f.account.err), without[azure.Assertion](nil)
	f.workspace, f.home = without[Workspace](nil), without[azure.Facts](nil)
	if f.account.err == nil {
		account := f.account.is
		if said, is, err := account.Assertion(ctx); err != nil || is {
			f.assertion = find(said, err)
		}
		f.principal = find(account.Principal(ctx))
		f.workspace = find(f.Open(f.named()))
	}
	if f.principal.err == nil && f.workspace.err == nil {
		f.home = find(f.workspace.is.Facts(ctx))
	}
	f.may, f.store, f.probe = without[[]azure.Permission](f.home.err), without[azure.Datastore](f.home.err), errBefore
	if f.home.err != nil {
		return
	}
	f.may = find(f.permissionsOf(ctx))
	if f.store = find(f.workspace.is.Datastore(ctx)); f.store.err == nil {
		f.probe = f.workspace.is.Probe(ctx)
	}
}

// named is the workspace that the workflow gives its steps.
func (f *facts) named() azure.Workspace {
	w := f.workflow.is
	if w == nil {
		return azure.Workspace{}
	}
	return azure.Workspace{ResourceGroup: w.env("RESOURCE_GROUP"), Name: w.env("WORKSPACE_NAME")}
}

// permissionsOf are those on the workspace and, for roles that were given there, on the endpoint.
func (f *facts) permissionsOf(ctx context.Context) ([]azure.Permission, error) {
	all, err := f.workspace.is.Permissions(ctx, "")
	if err != nil || f.endpoint.err != nil {
		return all, err
	}
	more, err := f.workspace.is.Permissions(ctx, f.endpoint.is.Name)
	if err != nil && online.CodeOf(err) != online.NotFound {
		return all, err
	}
	return append(all, more...), nil
}

func (f *facts) lookAtForge(ctx context.Context) {
	f.repository = find(f.Repository(ctx))
	f.protection, f.reported = without[forge.Protection](f.repository.err), without[*forge.Report](f.repository.err)
	if f.repository.err != nil {
		return
	}
	f.kind = f.repository.is.Kind()
	p, lacks, err := f.repository.is.Lacks(ctx, f.Rule)
	f.protection, f.lacks = find(p, err), lacks
	f.reported = find(f.repository.is.Reported(ctx, f.Rule.Check))
}
