package doctor_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hotswap"
	"hotswap/examples"
	"hotswap/internal/azure"
	"hotswap/internal/doctor"
	"hotswap/internal/forge"
	"hotswap/internal/online"
)

// world is a repository as hotswap init leaves it, in a job of its workflow, with a cloud and a
// forge in which all is as it should be.
type world struct {
	t       *testing.T
	options doctor.Options
	cloud   *fakeCloud
	forge   *fakeForge
}

// fakeCloud is account and workspace in one. What is set fails.
type fakeCloud struct {
	federated                       bool
	said                            azure.Assertion
	signIn, assertion, token, named error
	facts, permissions, store, blob error
	endpoint                        error    // of the permissions on it
	actions                         []string // allowed on the workspace
	onEndpoint                      []string // and by a role on the endpoint
	identity                        bool     // the datastore has no secret
	account                         string   // that the workspace names
	looked                          azure.Workspace
}

func (c *fakeCloud) Principal(context.Context) (azure.Principal, error) {
	return azure.Principal{Name: "pipeline"}, c.token
}

func (c *fakeCloud) Assertion(context.Context) (azure.Assertion, bool, error) {
	return c.said, c.federated && c.assertion == nil && c.said.Subject != "", c.assertion
}
func (c *fakeCloud) Federated() bool { return c.federated }
func (c *fakeCloud) Sources() []azure.Source {
	return []azure.Source{{What: "credential", Value: "service principal app", From: "somewhere"}}
}

func (c *fakeCloud) Mend(err error) []string {
	if refused, is := errors.AsType[*azure.RefusedError](err); is {
		return []string{"trust", refused.Assertion.Subject}
	}
	return nil
}

func (c *fakeCloud) Facts(context.Context) (azure.Facts, error) {
	return azure.Facts{Location: "here", StorageAccount: "/subscriptions/s/storageAccounts/" + c.account}, c.facts
}

func (c *fakeCloud) Permissions(_ context.Context, endpoint string) ([]azure.Permission, error) {
	if endpoint == "" {
		return []azure.Permission{{Actions: c.actions}}, c.permissions
	}
	if c.endpoint != nil {
		return nil, c.endpoint
	}
	if c.onEndpoint == nil {
		return nil, online.Errorf(online.NotFound, "no endpoint %q", endpoint)
	}
	return []azure.Permission{{Actions: c.onEndpoint}}, nil
}

func (c *fakeCloud) Datastore(context.Context) (azure.Datastore, error) {
	return azure.Datastore{Name: "store", URL: "https://acct.blob/box", Account: "acct", Identity: c.identity}, c.store
}
func (c *fakeCloud) Probe(context.Context) error { return c.blob }
func (c *fakeCloud) Grant(role azure.Role, scope string) []string {
	return []string{"grant", string(role), scope}
}

type fakeForge struct {
	kind                                forge.Kind
	unreachable, protection, reportedIs error
	lacks, unread                       []string
	reported                            *forge.Report
}

func (f *fakeForge) Kind() forge.Kind { return f.kind }
func (f *fakeForge) Lacks(_ context.Context, rule forge.Rule) (forge.Protection, []string, error) {
	return forge.Protection{Branch: rule.Branch, By: []string{"ruleset"}, Unread: f.unread}, f.lacks, f.protection
}

func (f *fakeForge) Reported(context.Context, string) (*forge.Report, error) {
	return f.reported, f.reportedIs
}

const workflowName = ".github/workflows/workshop_cd.yml"

func newWorld(t *testing.T) *world {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, hotswap.GitHub); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(root, "examples"), examples.TaxiFare); err != nil {
		t.Fatal(err)
	}
	c := &fakeCloud{
		federated: true, said: azure.Assertion{Issuer: "https://issuer", Subject: "repo:a/b:environment:production", Expires: time.Now()},
		actions: []string{"*"}, account: "acct",
	}
	f := &fakeForge{kind: forge.GitHub, reported: &forge.Report{PullRequest: 7, Context: "Workshop-Deployment"}}
	w := &world{t: t, cloud: c, forge: f}
	w.options = doctor.Options{
		Root: root, Rule: forge.Rule{Branch: "main", Check: "Workshop-Deployment"}, InJob: true, Shipped: hotswap.GitHub,
		Sight: doctor.Sight{
			SignIn: func() (doctor.Account, error) {
				if c.signIn != nil {
					return nil, c.signIn
				}
				return c, nil
			},
			Open: func(named azure.Workspace) (doctor.Workspace, error) {
				if c.looked = named; c.named != nil {
					return nil, c.named
				}
				return c, nil
			},
			Repository: func(context.Context) (doctor.Forge, error) {
				if f.unreachable != nil {
					return nil, f.unreachable
				}
				return f, nil
			},
		},
	}
	return w
}

// edit replaces what must be in a file of the repository.
func (w *world) edit(name, old, text string) {
	w.t.Helper()
	name = filepath.Join(w.options.Root, name)
	was, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(was), old) {
		w.t.Fatalf("%s has no %q (%v)", name, old, err)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(was), old, text, 1)), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) workflow(old, text string) { w.t.Helper(); w.edit(workflowName, old, text) }

func (w *world) remove(name string) {
	w.t.Helper()
	if err := os.Remove(filepath.Join(w.options.Root, name)); err != nil {
		w.t.Fatal(err)
	}
}

func TestWhatIsShippedIsWell(t *testing.T) {
	w := newWorld(t)
	for _, f := range doctor.Examine(t.Context(), w.options) {
		want := doctor.OK
		if f.Check == "metrics role" {
			want = doctor.NotNeeded // the example has no steps
		}
		if f.Status != want || len(f.Fix) != 0 {
			t.Errorf("%s: %s, %s %q; want %s", f.Check, f.Status, f.Detail, f.Fix, want)
		}
	}
	if want := (azure.Workspace{ResourceGroup: "hotswap", Name: "local"}); w.cloud.looked != want {
		t.Errorf("the workspace is %+v, want %+v as the workflow names it", w.cloud.looked, want)
	}
}

var errAny = online.Errorf(online.Unavailable, "it is down")

// row is a world that differs in one thing, and what one check makes of that.
type row struct {
	differs func(*world)
	check   string
	status  doctor.Status
	detail  string
	fix     string
}

func runRows(t *testing.T, rows map[string]row) {
	t.Helper()
	for name, tt := range rows {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tt.differs(w)
			all := doctor.Examine(t.Context(), w.options)
			i := slices.IndexFunc(all, func(f doctor.Finding) bool { return f.Check == tt.check })
			if i < 0 {
				t.Fatalf("no check %q", tt.check)
			}
			f := all[i]
			if f.Status != tt.status || !strings.Contains(f.Detail, tt.detail) || !strings.Contains(strings.Join(f.Fix, "\n"), tt.fix) || (tt.fix == "") != (len(f.Fix) == 0) {
				t.Errorf("%s: %s, %s, fix %q\nwant %s, %q, fix %q", f.Check, f.Status, f.Detail, f.Fix, tt.status, tt.detail, tt.fix)
			}
			for _, f := range all {
				if f.Status == doctor.Failed && f.Detail == "" {
					t.Errorf("%s failed and says nothing", f.Check)
				}
			}
		})
	}
}

func TestCloud(t *testing.T) {
	untrusted := online.Errorf(online.Unauthenticated, "log in: %w",
		&azure.RefusedError{Said: "AADSTS700213", Assertion: azure.Assertion{Subject: "the subject"}, Untrusted: true})
	forbidden := online.Errorf(online.Forbidden, "not you")
	runRows(t, map[string]row{
		"no credential":       {func(w *world) { w.cloud.signIn = errAny }, "credential", doctor.Failed, "it is down", "hotswap login"},
		"no login":            {func(w *world) { w.cloud.token = errAny }, "credential", doctor.Failed, "service principal app (somewhere): it is down", "hotswap login"},
		"no OIDC for the job": {func(w *world) { w.cloud.signIn = online.Errorf(online.Unauthenticated, "may not") }, "credential", doctor.Failed, "may not", ": permissions: id-token: write"},
		"none elsewhere": {func(w *world) {
			w.options.InJob, w.cloud.signIn = false, online.Errorf(online.Unauthenticated, "may not")
		}, "credential", doctor.Failed, "may not", "hotswap login"},
		"not trusted":              {func(w *world) { w.cloud.token = untrusted }, "credential", doctor.Failed, "AADSTS700213", "trust 'the subject'"},
		"after no credential":      {func(w *world) { w.cloud.signIn = errAny }, "oidc subject", doctor.Unknown, `"credential"`, ""},
		"a secret in the job":      {func(w *world) { w.cloud.federated = false }, "oidc subject", doctor.NotNeeded, "secret", ""},
		"a secret elsewhere":       {func(w *world) { w.cloud.federated, w.options.InJob = false, false }, "oidc subject", doctor.Unknown, "outside of a workflow", "hotswap login"},
		"no assertion":             {func(w *world) { w.cloud.assertion = errAny }, "oidc subject", doctor.Failed, "it is down", ": permissions: id-token: write"},
		"assertion is no JWT":      {func(w *world) { w.cloud.said.Subject = "" }, "oidc subject", doctor.Failed, "no JWT", "hotswap login"},
		"subject not trusted":      {func(w *world) { w.cloud.token = untrusted }, "oidc subject", doctor.Failed, `"repo:a/b:environment:production" is not trusted: AADSTS700213`, "trust 'the subject'"},
		"subject, no token":        {func(w *world) { w.cloud.token = errAny }, "oidc subject", doctor.Unknown, `"credential"`, ""},
		"subject of one event":     {func(w *world) { w.cloud.said.Subject = "repo:a/b:pull_request" }, "oidc subject", doctor.Unknown, "another event has another subject", "environment: production"},
		"workspace not named":      {func(w *world) { w.cloud.named = errAny }, "workspace", doctor.Failed, "it is down", "--workspace-name NAME"},
		"workspace not permitted":  {func(w *world) { w.cloud.facts = forbidden }, "workspace", doctor.Failed, "not you", "grant 'AzureML Data Scientist' ''"},
		"workspace not there":      {func(w *world) { w.cloud.facts = errAny }, "workspace", doctor.Failed, "it is down", "hotswap login"},
		"workspace, no login":      {func(w *world) { w.cloud.token = errAny }, "workspace", doctor.Unknown, `"credential"`, ""},
		"roles, no workspace":      {func(w *world) { w.cloud.facts = errAny }, "workspace roles", doctor.Unknown, `"workspace"`, ""},
		"roles not readable":       {func(w *world) { w.cloud.permissions = errAny }, "workspace roles", doctor.Unknown, "it is down", ""},
		"roles on endpoint hidden": {func(w *world) { w.cloud.endpoint = errAny }, "workspace roles", doctor.Unknown, "it is down", ""},
		"datastore by identity":    {func(w *world) { w.cloud.identity = true }, "datastore", doctor.OK, "by the identity of whoever opens it", ""},
		"datastore not there":      {func(w *world) { w.cloud.store = errAny }, "datastore", doctor.Failed, "it is down", "az ml datastore list"},
		"datastore not permitted":  {func(w *world) { w.cloud.store = forbidden }, "datastore", doctor.Failed, "not you", "grant 'AzureML Data Scientist'"},
		"datastore, no workspace":  {func(w *world) { w.cloud.facts = errAny }, "datastore", doctor.Unknown, `"workspace"`, ""},
		"blob, no datastore":       {func(w *world) { w.cloud.store = errAny }, "storage access", doctor.Unknown, `"datastore"`, ""},
		"blob not reached":         {func(w *world) { w.cloud.blob = errAny }, "storage access", doctor.Failed, "firewall", "az storage account show --name acct"},
		"blob, some error":         {func(w *world) { w.cloud.blob = online.Errorf(online.Internal, "odd") }, "storage access", doctor.Failed, "odd", ""},
		"blob not permitted":       {func(w *world) { w.cloud.blob = forbidden }, "storage access", doctor.Failed, "not you", "grant 'AzureML Data Scientist'"},
		"blob by identity": {
			func(w *world) { w.cloud.blob, w.cloud.identity = forbidden, true },
			"storage access", doctor.Failed, "not you", "grant 'Storage Blob Data Contributor' /subscriptions/s/storageAccounts/acct",
		},
		"blob of another account": {
			func(w *world) { w.cloud.blob, w.cloud.identity, w.cloud.account = forbidden, true, "other" },
			"storage access", doctor.Failed, "not you", "az storage account show --name acct --query id -o tsv\ngrant 'Storage Blob Data Contributor' WHAT-IT-PRINTED",
		},
	})
}

func TestRoles(t *testing.T) {
	const ws = "Microsoft.MachineLearningServices/workspaces/"
	reader := []string{"*/read"}
	onEndpoint := []string{ws + "onlineEndpoints/*"}
	steps := func(w *world) {
		w.edit("examples/taxi-fare/hotswap.yml", "tests:", "steps: [5, 100]\ntests:")
	}
	runRows(t, map[string]row{
		"a reader": {
			func(w *world) { w.cloud.actions = reader },
			"workspace roles", doctor.Failed, ws + "onlineEndpoints/write (to create the endpoint and to move its traffic)", "grant 'AzureML Data Scientist' ''",
		},
		"case does not count": {func(w *world) {
			w.cloud.actions = []string{"microsoft.machinelearningservices/WORKSPACES/*"}
		}, "workspace roles", doctor.OK, "", ""},
		"a role on the endpoint": {func(w *world) {
			w.cloud.actions, w.cloud.onEndpoint = append(reader, ws+"codes/versions/*", ws+"environments/versions/*", ws+"datastores/*"), onEndpoint
		}, "workspace roles", doctor.OK, "", ""},
		"no key": {func(w *world) {
			w.cloud.actions = []string{"*/read", "*/write", "*/delete", ws + "onlineEndpoints/deployments/getLogs/action", ws + "datastores/listSecrets/action"}
		}, "workspace roles", doctor.Failed, "onlineEndpoints/listKeys/action (to test", "grant"},
		"no token": {func(w *world) {
			w.edit("examples/taxi-fare/endpoint.yml", "auth_mode: key", "auth_mode: aml_token")
			w.cloud.actions = []string{"*/read", "*/write", "*/delete", ws + "onlineEndpoints/listKeys/action"}
		}, "workspace roles", doctor.Failed, "onlineEndpoints/token/action", "grant"},
		"a secret that may not be read": {func(w *world) {
			w.cloud.actions = []string{"*/read", "*/write", "*/delete", ws + "onlineEndpoints/*"}
		}, "workspace roles", doctor.Failed, "datastores/listSecrets/action", "grant"},
		"no secret to read": {func(w *world) {
			w.cloud.actions, w.cloud.identity = []string{"*/read", "*/write", "*/delete", ws + "onlineEndpoints/*"}, true
		}, "workspace roles", doctor.OK, "", ""},
		"metrics":                {steps, "metrics role", doctor.OK, "Microsoft.Insights/metrics/read", ""},
		"metrics of a bake":      {func(w *world) { w.edit("examples/taxi-fare/hotswap.yml", "tests:", "bake: 10m\ntests:") }, "metrics role", doctor.OK, "", ""},
		"metrics not permitted":  {func(w *world) { steps(w); w.cloud.actions = []string{ws + "*"} }, "metrics role", doctor.Failed, "Microsoft.Insights/metrics/read", "grant 'Monitoring Reader' ''"},
		"metrics, no workspace":  {func(w *world) { steps(w); w.cloud.facts = errAny }, "metrics role", doctor.Unknown, `"workspace"`, ""},
		"metrics, not readable":  {func(w *world) { steps(w); w.cloud.permissions = errAny }, "metrics role", doctor.Unknown, "it is down", ""},
		"metrics, wrong setting": {func(w *world) { w.edit("examples/taxi-fare/hotswap.yml", "tests:", "bake: soon\ntests:") }, "metrics role", doctor.OK, "", ""},
	})
}

func TestFiles(t *testing.T) {
	const dir = "examples/taxi-fare/"
	runRows(t, map[string]row{
		"endpoint broken":      {func(w *world) { w.edit(dir+"endpoint.yml", "auth_mode", "auth_mod") }, "endpoint file", doctor.Failed, "endpoint.yml:", "edit examples/taxi-fare/endpoint.yml"},
		"endpoint missing":     {func(w *world) { w.remove(dir + "endpoint.yml") }, "endpoint file", doctor.Failed, "no such file", "edit"},
		"no endpoint named":    {func(w *world) { w.workflow("  ENDPOINT_FILE: ", "  ELSE: ") }, "endpoint file", doctor.Unknown, "ENDPOINT_FILE", "--endpoint-file FILE"},
		"named by expression":  {func(w *world) { w.workflow("ENDPOINT_FILE: examples", "ENDPOINT_FILE: ${{ x }}") }, "endpoint file", doctor.Unknown, "ENDPOINT_FILE", "--endpoint-file FILE"},
		"named by the job":     {func(w *world) { w.workflow("    env:\n", "    env:\n      ENDPOINT_FILE: nowhere.yml\n") }, "endpoint file", doctor.Failed, "nowhere.yml", "edit nowhere.yml"},
		"named from the root":  {func(w *world) { w.workflow("ENDPOINT_FILE: examples", "ENDPOINT_FILE: "+w.options.Root+"/examples") }, "endpoint file", doctor.OK, "examples/taxi-fare/endpoint.yml is of", ""},
		"deployment broken":    {func(w *world) { w.edit(dir+"deployment.yml", "instance_count: 1", "instance_count: x") }, "deployment file", doctor.Failed, "deployment.yml:", "edit examples/taxi-fare/deployment.yml"},
		"no deployment named":  {func(w *world) { w.workflow("  DEPLOYMENT_FILE: ", "  ELSE: ") }, "deployment file", doctor.Unknown, "DEPLOYMENT_FILE", "--deployment-file FILE"},
		"of another endpoint":  {func(w *world) { w.edit(dir+"endpoint.yml", "name: taxi-fare", "name: other") }, "deployment file", doctor.Failed, `"taxi-fare"`, "endpoint_name: other"},
		"settings broken":      {func(w *world) { w.edit(dir+"hotswap.yml", "tests:", "test:") }, "settings", doctor.Failed, `unknown key "test"`, "hotswap config schema"},
		"no settings":          {func(w *world) { w.remove(dir + "hotswap.yml") }, "settings", doctor.NotNeeded, "defaults", ""},
		"settings of the root": {func(w *world) { w.rename(dir+"hotswap.yml", "hotswap.yml") }, "settings", doctor.OK, "hotswap.yml, ", ""},
		"settings given":       {func(w *world) { w.options.ConfigFile = filepath.Join(w.options.Root, "nowhere.yml") }, "settings", doctor.Failed, "no such file", "edit nowhere.yml"},
		"suite broken":         {func(w *world) { w.edit(dir+"tests.yml", "cases:", "case:") }, "tests", doctor.Failed, "tests.yml:", "hotswap checks schema"},
		"suite missing":        {func(w *world) { w.remove(dir + "tests.yml") }, "tests", doctor.Failed, "tests.yml", "edit examples/taxi-fare/tests.yml"},
		"tests, bad settings":  {func(w *world) { w.edit(dir+"hotswap.yml", "tests:", "test:") }, "tests", doctor.Unknown, `"settings"`, ""},
		"no tests":             {func(w *world) { w.remove(dir + "hotswap.yml") }, "tests", doctor.Failed, "nothing says how to test", "tests: tests.yml"},
		"a request": {func(w *world) {
			w.remove(dir + "hotswap.yml")
			w.workflow("REQUEST_FILE: ''", "REQUEST_FILE: examples/taxi-fare/request.json")
		}, "tests", doctor.OK, "examples/taxi-fare/request.json", ""},
		"a request that is not there": {func(w *world) {
			w.remove(dir + "hotswap.yml")
			w.workflow("REQUEST_FILE: ''", "REQUEST_FILE: nowhere.json")
		}, "tests", doctor.Failed, "nowhere.json", "edit nowhere.json"},
	})
}

func (w *world) rename(from, to string) {
	w.t.Helper()
	if err := os.Rename(filepath.Join(w.options.Root, from), filepath.Join(w.options.Root, to)); err != nil {
		w.t.Fatal(err)
	}
	w.edit(to, "tests: ", "tests: examples/taxi-fare/")
}

func TestForge(t *testing.T) {
	noToken := online.Errorf(online.Unauthenticated, "no token")
	runRows(t, map[string]row{
		"no token":             {func(w *world) { w.forge.unreachable = noToken }, "branch rule", doctor.Unknown, "no token", "HOTSWAP_FORGE_TOKEN"},
		"no repository":        {func(w *world) { w.forge.unreachable = errAny }, "branch rule", doctor.Unknown, "it is down", "--repo OWNER/NAME"},
		"a token too weak":     {func(w *world) { w.forge.protection = online.Errorf(online.Forbidden, "not you") }, "branch rule", doctor.Unknown, "not you", "HOTSWAP_FORGE_TOKEN"},
		"no rule to be read":   {func(w *world) { w.forge.protection = errAny }, "branch rule", doctor.Failed, "it is down", "hotswap protect --branch main --check Workshop-Deployment"},
		"no rule":              {func(w *world) { w.forge.lacks = []string{"a", "b"} }, "branch rule", doctor.Failed, "a, nor that b", "hotswap protect --branch main --check Workshop-Deployment"},
		"not all can be read":  {func(w *world) { w.forge.lacks, w.forge.unread = []string{"a"}, []string{"classic"} }, "branch rule", doctor.Unknown, "classic", "hotswap protect"},
		"never reported":       {func(w *world) { w.forge.reported = nil }, "reported check", doctor.Unknown, "first one that runs", "hotswap pr open"},
		"reports not readable": {func(w *world) { w.forge.reportedIs = errAny }, "reported check", doctor.Unknown, "it is down", ""},
		"reports, no forge":    {func(w *world) { w.forge.unreachable = noToken }, "reported check", doctor.Unknown, `"branch rule"`, ""},
	})
}

func TestABinaryWithoutActions(t *testing.T) {
	w := newWorld(t)
	w.options.Shipped = os.DirFS(t.TempDir())
	all := doctor.Examine(t.Context(), w.options)
	i := slices.IndexFunc(all, func(f doctor.Finding) bool { return f.Check == "actions" })
	if all[i].Status != doctor.Unknown {
		t.Errorf("actions: %+v, want unknown", all[i])
	}
}

func TestEveryCheckGoesOnWithNothingThere(t *testing.T) {
	w := newWorld(t)
	w.options.Root, w.options.Shipped = t.TempDir(), os.DirFS(t.TempDir())
	w.cloud.signIn, w.forge.unreachable = errAny, errAny
	for _, f := range doctor.Examine(t.Context(), w.options) {
		if f.Status == doctor.OK || f.Detail == "" {
			t.Errorf("%s: %s, %q", f.Check, f.Status, f.Detail)
		}
	}
}

// rename2 moves the workflow.
func (w *world) rename2(to string) {
	w.t.Helper()
	to = filepath.Join(w.options.Root, to)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(w.options.Root, workflowName), to); err != nil {
		w.t.Fatal(err)
	}
}
