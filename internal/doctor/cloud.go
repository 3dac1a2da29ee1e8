package doctor

import (
	"cmp"
	"errors"
	"strings"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

func (f *facts) credential() Finding {
	if err := f.account.err; err != nil {
		if f.InJob && online.CodeOf(err) == online.Unauthenticated {
			return failed([]string{f.grantLine("id-token: write")}, "%v", err)
		}
		return failed([]string{"hotswap login"}, "%v", err)
	}
	source := f.account.is.Sources()[0]
	if err := f.principal.err; err != nil {
		return failed(f.mend(err), "%s (%s): %v", source.Value, source.From, err)
	}
	p := f.principal.is
	return ok("%s (%s), logged in as %s", source.Value, source.From, cmp.Or(p.Name, p.App, p.ID))
}

// mend is what to run where the login failed.
func (f *facts) mend(err error) []string {
	if command := f.account.is.Mend(err); command != nil {
		return []string{Command(command...)}
	}
	return []string{"hotswap login"}
}

// subject is about the one thing in an assertion that differs from run to run.
func (f *facts) subject() Finding {
	switch {
	case f.account.err != nil:
		return after("credential")
	case !f.account.is.Federated() && f.InJob:
		return notNeeded("the job logs in by a secret")
	case !f.account.is.Federated():
		return unknown([]string{"hotswap login # as a step of the workflow's job"}, "outside of a workflow nobody gives out an OIDC token")
	case f.assertion.before():
		return failed([]string{"hotswap login"}, "the assertion is no JWT: it has no subject")
	case f.assertion.err != nil:
		return failed([]string{f.grantLine("id-token: write")}, "%v", f.assertion.err)
	}
	said := f.assertion.is
	if refused, is := errors.AsType[*azure.RefusedError](f.principal.err); is && refused.Untrusted {
		return failed(f.mend(f.principal.err), "%q is not trusted: %s", said.Subject, refused.Said)
	}
	if f.principal.err != nil {
		return after("credential")
	}
	if f.InJob && !strings.Contains(said.Subject, ":environment:") {
		return unknown([]string{f.environmentLine()},
			"%q is trusted, but a run for another event has another subject: with a named environment, all have one", said.Subject)
	}
	return ok("%q of %s is trusted", said.Subject, said.Issuer)
}

func (f *facts) workspaceRead() Finding {
	switch {
	case f.principal.err != nil:
		return after("credential")
	case f.workspace.err != nil:
		return failed([]string{"hotswap doctor --subscription ID --resource-group NAME --workspace-name NAME"}, "%v", f.workspace.err)
	case online.CodeOf(f.home.err) == online.Forbidden:
		return failed(f.grant(azure.WorkspaceRole, ""), "%v", f.home.err)
	case f.home.err != nil:
		return failed([]string{"hotswap login"}, "%v", f.home.err)
	}
	return ok("it can be read; it is in %s", f.home.is.Location)
}

func (f *facts) grant(role azure.Role, scope string) []string {
	return []string{Command(f.workspace.is.Grant(role, scope)...)}
}

func (f *facts) datastore() Finding {
	switch err := f.store.err; {
	case f.store.before():
		return after("workspace")
	case online.CodeOf(err) == online.Forbidden:
		return failed(f.grant(azure.WorkspaceRole, ""), "%v", err)
	case err != nil:
		return failed([]string{"az ml datastore list --query \"[?is_default]\""}, "%v", err)
	}
	by := "by its own key or signature"
	if f.store.is.Identity {
		by = "by the identity of whoever opens it"
	}
	return ok("%s at %s, %s", f.store.is.Name, f.store.is.URL, by)
}

// storage judges what came of writing, reading and deleting a blob beside the lock.
func (f *facts) storage() Finding {
	store, err := f.store.is, f.probe
	switch {
	case f.store.err != nil:
		return after("datastore")
	case err == nil:
		return ok("a blob below hotswap/ was written, read and deleted")
	case online.CodeOf(err) == online.Unavailable:
		return failed([]string{Command("az", "storage", "account", "show", "--name", store.Account, "--query", "networkRuleSet")},
			"%v; the storage account must let this machine in: let the job run inside of its network, or open its firewall", err)
	case online.CodeOf(err) != online.Forbidden:
		return failed(nil, "%v", err)
	case !store.Identity:
		return failed(f.grant(azure.WorkspaceRole, ""), "%v", err)
	}
	scope := f.home.is.StorageAccount
	if !strings.HasSuffix(strings.ToLower(scope), "/storageaccounts/"+strings.ToLower(store.Account)) {
		return failed([]string{
			Command("az", "storage", "account", "show", "--name", store.Account, "--query", "id", "-o", "tsv"),
			f.grant(azure.StorageRole, "WHAT-IT-PRINTED")[0],
		}, "%v", err)
	}
	return failed(f.grant(azure.StorageRole, scope), "%v", err)
}
