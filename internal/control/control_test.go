package control

import (
	"context"
	"crypto/sha256"
	"maps"
	"slices"
	"strings"
	"testing"

	"hotswap/internal/online"
	"hotswap/internal/store"
)

var all = map[string]int{"blue": 100}

// taxi returns a world with the endpoint taxi, whose traffic goes to blue with model 1.
func taxi(t *testing.T, options ...func(*Options)) *world {
	t.Helper()
	w := newWorld(t, options...)
	if err := w.endpoint(nil); err != nil {
		t.Fatal(err)
	}
	w.succeeded(w.put(deployment("blue", "1")))
	if err := w.endpoint(all); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestEndpointIsDoneWhenItsRoutesAreInForce(t *testing.T) {
	w := newWorld(t)
	e, o, created, err := w.PutEndpoint(t.Context(), online.Endpoint{Name: "taxi", Tags: map[string]string{"a": "b"}})
	if err != nil || !created || o.Status != online.OperationSucceeded || e.State != online.Succeeded {
		t.Errorf("%+v, %+v, created %t, %v", e, o, created, err)
	}
	if e.ScoringURI != "https://localhost/endpoints/taxi/score" || e.AuthMode != online.KeyAuth || e.CreatedAt.IsZero() {
		t.Errorf("endpoint %+v", e)
	}
	w.succeeded(w.put(deployment("blue", "1")))
	e, o, created, err = w.PutEndpoint(t.Context(), online.Endpoint{Name: "taxi", Traffic: online.AllTo("blue")})
	if err != nil || created || o.Status != online.OperationSucceeded || e.State != online.Succeeded || len(e.Tags) != 0 {
		t.Errorf("%+v, %+v, created %t, %v", e, o, created, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := w.routes["taxi"].Shares; !maps.Equal(got, all) {
		t.Errorf("shares %v when the operation had succeeded", got)
	}
}

func TestPutWithoutTrafficTurnsItOff(t *testing.T) {
	w := taxi(t)
	if err := w.endpoint(nil); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.routes["taxi"]; len(r.Shares) != 0 || len(r.Deployments) != 1 {
		t.Errorf("routes %+v, want blue without a share", r)
	}
}

func TestRefusals(t *testing.T) {
	w := taxi(t)
	if o := w.deploy(deployment("dead", "1", that(fails))); o.Status != online.OperationFailed {
		t.Fatalf("operation %+v", o)
	}
	if _, err := w.put(deployment("slow", "1", that(hangs))); err != nil {
		t.Fatal(err)
	}
	w.hanging()
	put := func(d online.Deployment) func() error { return func() error { _, err := w.put(d); return err } }
	traffic := func(shares map[string]int) func() error { return func() error { return w.endpoint(shares) } }
	mirror := func(to string, percent int) func() error {
		return func() error {
			_, err := w.putEndpoint(online.Endpoint{Name: "taxi", Mirror: online.Mirror{Deployment: to, Percent: percent}}, all)
			return err
		}
	}
	tests := map[string]struct {
		do   func() error
		code online.Code
		text string
	}{
		"a bad endpoint name":         {func() error { _, err := w.putEndpoint(online.Endpoint{Name: "a_b"}, nil); return err }, online.Invalid, "letters, digits and hyphens"},
		"traffic of 90":               {traffic(map[string]int{"blue": 90}), online.Invalid, "adds up to 90"},
		"traffic to nobody":           {traffic(map[string]int{"green": 100}), online.Invalid, `"green", which does not exist`},
		"traffic to a failed one":     {traffic(map[string]int{"dead": 100}), online.Invalid, "Specified deployment [dead] failed during initial provisioning"},
		"traffic to one to come":      {traffic(map[string]int{"slow": 100}), online.Conflict, "still being created"},
		"mirror to nobody":            {mirror("green", 10), online.Invalid, `"green", which does not exist`},
		"mirror to the live one":      {mirror("blue", 10), online.Invalid, "live and mirrored"},
		"no endpoint":                 {put(deployment("blue", "1", func(d *online.Deployment) { d.Endpoint = "bus" })), online.NotFound, `endpoint "bus"`},
		"no such model":               {put(deployment("green", "0")), online.Invalid, "azureml:fare:0 was not found"},
		"no scoring script":           {put(deployment("green", "1", func(d *online.Deployment) { d.Code.Script = "" })), online.Invalid, "Could not find driver program in the request"},
		"a climbing script":           {put(deployment("green", "1", func(d *online.Deployment) { d.Code.Script = "../x.py" })), online.Invalid, "climbs out"},
		"less than none":              {put(deployment("green", "1", instances(-1))), online.Invalid, "-1 instances"},
		"51 instances":                {put(deployment("green", "1", instances(51))), online.Invalid, "51 instances"},
		"no instance type":            {put(deployment("green", "1", func(d *online.Deployment) { d.InstanceType = "" })), online.Invalid, "no instance type"},
		"no worker":                   {put(deployment("green", "1", func(d *online.Deployment) { d.Variables = map[string]string{workerCount: "0"} })), online.Invalid, "WORKER_COUNT"},
		"a failed first create":       {put(deployment("dead", "2")), online.Invalid, "Specified deployment [dead] failed during initial provisioning and is in an unrecoverable state. Delete and re-create."},
		"a second PUT":                {put(deployment("slow", "2")), online.Conflict, "Creating provisioning state"},
		"deleting the live one":       {func() error { _, err := w.DeleteDeployment(t.Context(), "taxi", "blue"); return err }, online.Invalid, "100 % of the live traffic"},
		"deleting nothing":            {func() error { _, err := w.DeleteDeployment(t.Context(), "taxi", "green"); return err }, online.NotFound, "green"},
		"deleting no endpoint":        {func() error { _, err := w.DeleteEndpoint(t.Context(), "bus"); return err }, online.NotFound, "bus"},
		"a fence that is no number":   {put(deployment("green", "1", fenced("x"))), online.Invalid, "hotswap.fence"},
		"a log of nobody":             {func() error { _, err := w.Logs(t.Context(), "taxi", "green", "", 9); return err }, online.NotFound, "green"},
		"a log of no such kind":       {func() error { _, err := w.Logs(t.Context(), "taxi", "blue", "Bin", 9); return err }, online.Invalid, "container type"},
		"a third key":                 {func() error { _, err := w.RegenerateKey(t.Context(), "taxi", "Third", ""); return err }, online.Invalid, "key type"},
		"a key of two lines":          {func() error { _, err := w.RegenerateKey(t.Context(), "taxi", "Primary", "a\nb"); return err }, online.Invalid, "printable ASCII"},
		"patching nothing":            {func() error { _, _, _, err := w.PatchDeployment(t.Context(), "taxi", "green", Patch{}); return err }, online.NotFound, "green"},
		"an operation that never was": {func() error { _, err := w.Operation(t.Context(), "x"); return err }, online.NotFound, "operation"},
	}
	before := w.starts()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.do()
			if codeOf(err) != tt.code || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %v of code %q, want %s with %q", err, codeOf(err), tt.code, tt.text)
			}
		})
	}
	if e, err := w.Endpoint(t.Context(), "taxi"); err != nil || !e.Traffic.Equal(online.AllTo("blue")) || e.State != online.Succeeded {
		t.Errorf("endpoint %+v, %v: something changed", e, err)
	}
	if w.starts() != before {
		t.Errorf("%d instances were started", w.starts()-before)
	}
}

func fenced(fence string) func(*online.Deployment) {
	return func(d *online.Deployment) {
		d.Tags = map[string]string{online.TagFence: fence, online.TagRollout: "r" + fence}
	}
}

func TestFence(t *testing.T) {
	w := taxi(t)
	endpoint := func(fence string) error {
		_, err := w.putEndpoint(online.Endpoint{Name: "taxi", Tags: map[string]string{online.TagFence: fence}}, all)
		return err
	}
	w.succeeded(w.put(deployment("green", "1", fenced("5"))))
	if e, err := w.Endpoint(t.Context(), "taxi"); err != nil || e.Tags[online.TagFence] != "5" {
		t.Errorf("the endpoint shows fence %q, %v; want that of the deployment", e.Tags[online.TagFence], err)
	}
	for _, step := range []struct {
		name string
		err  error
		want online.Code
	}{
		{"a lower one on the endpoint", endpoint("4"), online.Stale},
		{"the same", endpoint("5"), ""},
		{"a higher one", endpoint("7"), ""},
		{"none", w.endpoint(all), ""},
		{"a lower one on a deployment", func() error { _, err := w.put(deployment("green", "1", fenced("6"))); return err }(), online.Stale},
		{"a lower one that the deployment has", func() error { _, err := w.put(deployment("green", "2", fenced("5"))); return err }(), ""},
	} {
		if codeOf(step.err) != step.want {
			t.Errorf("%s: %v, want code %q", step.name, step.err, step.want)
		}
	}
	w.crash()
	w.start()
	if err := endpoint("6"); codeOf(err) != online.Stale {
		t.Errorf("after a restart: %v, want stale", err)
	}
	w.succeeded(w.DeleteEndpoint(t.Context(), "taxi"))
	if _, err := w.putEndpoint(online.Endpoint{Name: "taxi", Tags: map[string]string{online.TagFence: "1"}}, nil); err != nil {
		t.Errorf("after the endpoint was deleted: %v", err)
	}
}

func TestKeys(t *testing.T) {
	w := taxi(t)
	first, second, err := w.Keys(t.Context(), "taxi")
	if err != nil || len(first) != 43 || len(second) != 43 || first == second {
		t.Fatalf("keys of %d and %d characters, %v", len(first), len(second), err)
	}
	w.opens(first, second)
	if err := w.endpoint(all); err != nil {
		t.Fatal(err)
	}
	w.opens(first, second)
	for name, value := range map[string]string{"no value": "", "the old value": second} {
		w.succeeded(w.RegenerateKey(t.Context(), "taxi", "Secondary", value))
		_, next, _ := w.Keys(t.Context(), "taxi")
		if next == second || len(next) != 43 {
			t.Errorf("%s: the key is %d characters, the same: %t", name, len(next), next == second)
		}
		second = next
	}
	w.succeeded(w.RegenerateKey(t.Context(), "taxi", "primary", "mine"))
	w.opens("mine", second)
	if _, err := w.putEndpoint(online.Endpoint{Name: "bus", Keys: online.Keys{Primary: "given"}}, nil); err != nil {
		t.Fatal(err)
	}
	if got, other, err := w.Keys(t.Context(), "bus"); got != "given" || len(other) != 43 || err != nil {
		t.Errorf("keys of a PUT: %q and %d characters, %v", got, len(other), err)
	}
	if _, err := w.putEndpoint(online.Endpoint{Name: "bus", AuthMode: online.AADTokenAuth}, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Keys(t.Context(), "bus"); codeOf(err) != online.Invalid {
		t.Errorf("keys of an endpoint that wants tokens: %v", err)
	}
}

// opens checks that exactly these keys open taxi.
func (w *world) opens(keys ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var want [][32]byte
	for _, key := range keys {
		want = append(want, sha256.Sum256([]byte(key)))
	}
	if !slices.Equal(w.routes["taxi"].KeyDigests, want) {
		w.t.Error("the gateway has other keys")
	}
}

func TestFullDisk(t *testing.T) {
	w := taxi(t)
	limit := func(pages string) {
		err := w.store.Update(context.Background(), func(tx *store.Tx) error {
			_, err := tx.ExecContext(context.Background(), "PRAGMA max_page_count = "+pages)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit("1") // no more than there are
	big := deployment("green", "1", func(d *online.Deployment) { d.Description = strings.Repeat("x", 1<<20) })
	if _, err := w.put(big); codeOf(err) != online.Unavailable {
		t.Errorf("error %v, want that it is to be tried again", err)
	}
	if all, err := w.Deployments(t.Context(), "taxi"); len(all) != 1 || err != nil {
		t.Errorf("deployments %v, %v; want blue only", all, err)
	}
	limit("1000000")
	w.succeeded(w.put(big))
}
