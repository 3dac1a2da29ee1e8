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
	"hotswap/internal/workers"
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
		"a bad endpoint name":       {func() error { _, err := w.putEndpoint(online.Endpoint{Name: "a_b"}, nil); return err }, online.Invalid, "letters, digits and hyphens"},
		"traffic of 90":             {traffic(map[string]int{"blue": 90}), online.Invalid, "adds up to 90"},
		"traffic to nobody":         {traffic(map[string]int{"green": 100}), online.Invalid, `"green", which does not exist`},
		"traffic to a failed one":   {traffic(map[string]int{"dead": 100}), online.Invalid, "Specified deployment [dead] failed during initial provisioning"},
		"traffic to one to come":    {traffic(map[string]int{"slow": 100}), online.Conflict, "still being created"},
		"mirror to nobody":          {mirror("green", 10), online.Invalid, `"green", which does not exist`},
		"mirror to the live one":    {mirror("blue", 10), online.Invalid, "live and mirrored"},
		"no endpoint":               {put(deployment("blue", "1", func(d *online.Deployment) { d.Endpoint = "bus" })), online.NotFound, `endpoint "bus"`},
		"no such model":             {put(deployment("green", "0")), online.Invalid, "azureml:fare:0 was not found"},
		"no scoring script":         {put(deployment("green", "1", func(d *online.Deployment) { d.Code.Script = "" })), online.Invalid, "Could not find driver program in the request"},
		"a climbing script":         {put(deployment("green", "1", func(d *online.Deployment) { d.Code.Script = "../x.py" })), online.Invalid, "climbs out"},
		"51 instances":              {put(deployment("green", "1", instances(51))), online.Invalid, "51 instances"},
		"no instance type":          {put(deployment("green", "1", func(d *online.Deployment) { d.InstanceType = "" })), online.Invalid, "no instance type"},
		"no worker":                 {put(deployment("green", "1", func(d *online.Deployment) { d.Variables = map[string]string{workerCount: "0"} })), online.Invalid, "WORKER_COUNT"},
		"a failed first create":     {put(deployment("dead", "2")), online.Invalid, "Specified deployment [dead] failed during initial provisioning and is in an unrecoverable state. Delete and re-create."},
		"a second PUT":              {put(deployment("slow", "2")), online.Conflict, "Creating provisioning state"},
		"deleting the live one":     {func() error { _, err := w.DeleteDeployment(t.Context(), "taxi", "blue"); return err }, online.Invalid, "100 % of the live traffic"},
		"deleting nothing":          {func() error { _, err := w.DeleteDeployment(t.Context(), "taxi", "green"); return err }, online.NotFound, "green"},
		"deleting no endpoint":      {func() error { _, err := w.DeleteEndpoint(t.Context(), "bus"); return err }, online.NotFound, "bus"},
		"a fence that is no number": {put(deployment("green", "1", fenced("x"))), online.Invalid, "hotswap.fence"},
		"a log of nobody":           {func() error { _, err := w.Logs(t.Context(), "taxi", "green", "", 9); return err }, online.NotFound, "green"},
		"a log of no such kind":     {func() error { _, err := w.Logs(t.Context(), "taxi", "blue", "Bin", 9); return err }, online.Invalid, "container type"},
		"a third key":               {func() error { _, err := w.RegenerateKey(t.Context(), "taxi", "Third", ""); return err }, online.Invalid, "key type"},
		"patching nothing":          {func() error { _, _, _, err := w.PatchDeployment(t.Context(), "taxi", "green", Patch{}); return err }, online.NotFound, "green"},
		"patching to no instance": {func() error {
			n := 0
			_, _, _, err := w.PatchDeployment(t.Context(), "taxi", "blue", Patch{Capacity: &n})
			return err
		}, online.Invalid, "0 instances"},
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

func TestTwentyDeployments(t *testing.T) {
	w := taxi(t)
	for i := range maxDeployments - 1 {
		w.succeeded(w.put(deployment("deployment-"+string(rune('a'+i)), "1")))
	}
	if _, err := w.put(deployment("green", "1")); codeOf(err) != online.Invalid || !strings.Contains(err.Error(), "20 deployments") {
		t.Errorf("error %v, want that there are 20", err)
	}
}

func TestUpdateReplacesTheSet(t *testing.T) {
	w := taxi(t)
	w.succeeded(w.put(deployment("blue", "2", instances(2))))
	if got := w.live("blue"); !slices.Equal(got, []string{"2", "2"}) {
		t.Errorf("routed to models %v, want 2 of version 2", got)
	}
	w.eventually("the old set is gone", func() bool { return maps.Equal(w.up(), map[string]int{"blue 2": 2}) })
	d := w.diary()
	swap, drain, remove := slices.Index(d, "swap map[blue:100]"), slices.Index(d, "drain instance"), slices.Index(d, "remove blue")
	if !(swap < drain && drain < remove) {
		t.Errorf("order %q", d)
	}
}

// Only what needs new processes starts them.
func TestUpdateStartsNoMoreThanItNeeds(t *testing.T) {
	tests := map[string]struct {
		change func(*online.Deployment)
		starts int
		state  online.ProvisioningState
	}{
		"nothing":      {func(*online.Deployment) {}, 0, online.Updating},
		"tags":         {func(d *online.Deployment) { d.Tags = map[string]string{"a": "b"} }, 0, online.Updating},
		"concurrency":  {func(d *online.Deployment) { d.Request.MaxConcurrentRequestsPerInstance = 8 }, 0, online.Updating},
		"no variables": {func(d *online.Deployment) { d.Variables = map[string]string{} }, 0, online.Updating},
		"more":         {instances(5), 3, online.Updating},
		"less":         {instances(1), 0, online.Updating},
		"code":         {func(d *online.Deployment) { d.Code.Code.Version = "2" }, 2, online.Updating},
		"script":       {func(d *online.Deployment) { d.Code.Script = "other.py" }, 2, online.Updating},
		"environment":  {func(d *online.Deployment) { d.Environment.Version = "2" }, 2, online.Updating},
		"a variable":   {func(d *online.Deployment) { d.Variables = map[string]string{"A": "b"} }, 2, online.Updating},
		"a probe":      {func(d *online.Deployment) { d.Liveness = online.DefaultProbe(); d.Liveness.Timeout++ }, 2, online.Updating},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if err := w.endpoint(nil); err != nil {
				t.Fatal(err)
			}
			w.succeeded(w.put(deployment("blue", "1", instances(2))))
			before := w.starts()
			d, o, created, err := w.PutDeployment(t.Context(), deployment("blue", "1", instances(2), tt.change))
			if created || d.State != tt.state {
				t.Errorf("created %t, state %s, want an update", created, d.State)
			}
			w.succeeded(o, err)
			if got := w.starts() - before; got != tt.starts {
				t.Errorf("%d starts, want %d", got, tt.starts)
			}
			want := deployment("blue", "1", instances(2), tt.change).InstanceCount
			w.eventually("there are as many instances as asked for", func() bool {
				return len(w.live("blue")) == want && w.up()["blue 1"] == want
			})
		})
	}
}

func TestPatchScales(t *testing.T) {
	w := taxi(t)
	three := 3
	d, o, _, err := w.PatchDeployment(t.Context(), "taxi", "blue", Patch{Capacity: &three, Tags: map[string]string{"a": "b"}})
	if d.State != online.Scaling || d.Tags["a"] != "b" {
		t.Errorf("%+v, %v", d, err)
	}
	w.succeeded(o, err)
	if got := w.live("blue"); len(got) != 3 || w.starts() != 3 {
		t.Errorf("%v are routed, %d were started; want 3", got, w.starts())
	}
}

func TestFailedUpdateKeepsTheOldSet(t *testing.T) {
	w := taxi(t)
	o := w.deploy(deployment("blue", "2", that(fails), instances(3)))
	if o.Status != online.OperationFailed || o.ErrorCode != "BadArgument" ||
		!strings.HasPrefix(o.ErrorMessage, "User container has crashed or terminated: worker 0 ended") || !strings.Contains(o.ErrorMessage, "no model here") {
		t.Errorf("operation %+v", o)
	}
	if d, err := w.Deployment(t.Context(), "taxi", "blue"); err != nil || d.State != online.Failed || d.Model.Version != "2" {
		t.Errorf("%+v, %v", d, err)
	}
	if got := w.live("blue"); !slices.Equal(got, []string{"1"}) {
		t.Errorf("routed to %v, want model 1", got)
	}
	w.eventually("one failed instance is kept", func() bool { return maps.Equal(w.up(), map[string]int{"blue 1": 1, "blue 2": 1}) })
	log, err := w.Logs(t.Context(), "taxi", "blue", "", 9)
	if err != nil || !strings.Contains(log, "InferenceServer Failed of fare 2, 9 lines") || strings.Index(log, "Failed") > strings.Index(log, "Ready") {
		t.Errorf("log %q, %v; want that of the failed one first", log, err)
	}

	before := w.starts()
	w.succeeded(w.put(deployment("blue", "1")))
	if w.starts() != before {
		t.Error("going back to what serves started an instance")
	}
	w.eventually("the log of the failure is gone", func() bool { return maps.Equal(w.up(), map[string]int{"blue 1": 1}) })
}

// The same version may be tried again after a failure that had nothing to do with it.
func TestFailedUpdateCanBeTriedAgain(t *testing.T) {
	w := taxi(t)
	again := deployment("blue", "2", that(hangs))
	o, err := w.put(again)
	if err != nil {
		t.Fatal(err)
	}
	first := w.hanging()
	w.become(first, workers.Failed, nil)
	if o := w.ended(o, err); o.Status != online.OperationFailed || o.ErrorCode != "ResourceNotReady" {
		t.Fatalf("operation %+v", o)
	}
	o, err = w.put(again)
	if err != nil {
		t.Fatal(err)
	}
	w.eventually("another instance is started", func() bool { return w.hanging() != "" && w.hanging() != first })
	w.become(w.hanging(), workers.Ready, nil)
	w.succeeded(o, err)
}

// hanging waits for an instance that hangs and returns its id.
func (w *world) hanging() (id string) {
	w.t.Helper()
	w.eventually("an instance hangs", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, f := range w.running {
			if f.state == workers.Starting && f.Variables[behave] == hangs {
				id = f.ID
			}
		}
		return id != ""
	})
	return id
}

func TestFailedCreateCanOnlyBeDeleted(t *testing.T) {
	w := taxi(t)
	if o := w.deploy(deployment("green", "2", that(fails))); o.Status != online.OperationFailed {
		t.Fatalf("operation %+v", o)
	}
	if log, err := w.Logs(t.Context(), "taxi", "green", workers.StorageInitializer, 9); err != nil || log != "StorageInitializer Failed of fare 2, 9 lines" {
		t.Errorf("log %q, %v", log, err)
	}
	w.crash()
	w.start()
	if log, err := w.Logs(t.Context(), "taxi", "green", "", 9); err != nil || !strings.Contains(log, "Failed") {
		t.Errorf("log %q, %v after a restart", log, err)
	}
	if _, err := w.put(deployment("green", "1")); codeOf(err) != online.Invalid {
		t.Errorf("error %v, want that it is refused", err)
	}
	w.succeeded(w.DeleteDeployment(t.Context(), "taxi", "green"))
	w.succeeded(w.put(deployment("green", "1")))
}

func TestDeleteOfADeployment(t *testing.T) {
	w := taxi(t)
	w.succeeded(w.put(deployment("green", "2", instances(2))))
	w.mu.Lock()
	w.journal = nil
	w.mu.Unlock()
	w.succeeded(w.DeleteDeployment(t.Context(), "taxi", "green"))
	want := []string{"swap map[blue:100]", "drain deployment", "remove green", "remove green"}
	if got := w.diary(); !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
	if _, err := w.Deployment(t.Context(), "taxi", "green"); codeOf(err) != online.NotFound {
		t.Errorf("error %v, want not found", err)
	}
	if got := w.up(); !maps.Equal(got, map[string]int{"blue 1": 1}) {
		t.Errorf("left %v", got)
	}
}

func TestDeleteCancelsACreate(t *testing.T) {
	w := taxi(t)
	create, err := w.put(deployment("green", "2", that(hangs)))
	if err != nil {
		t.Fatal(err)
	}
	w.hanging()
	w.succeeded(w.DeleteDeployment(t.Context(), "taxi", "green"))
	if o := w.ended(create, nil); o.Status != online.OperationCanceled || o.ErrorCode != "OperationCanceled" {
		t.Errorf("operation %+v, want a canceled one", o)
	}
	if got := w.up(); !maps.Equal(got, map[string]int{"blue 1": 1}) {
		t.Errorf("left %v", got)
	}
}

func TestDeleteOfAnEndpoint(t *testing.T) {
	w := taxi(t)
	w.succeeded(w.put(deployment("green", "2")))
	w.succeeded(w.DeleteEndpoint(t.Context(), "taxi"))
	if _, err := w.Endpoint(t.Context(), "taxi"); codeOf(err) != online.NotFound {
		t.Errorf("error %v, want not found", err)
	}
	if got := w.up(); len(got) != 0 {
		t.Errorf("left %v", got)
	}
	if err := w.endpoint(nil); err != nil {
		t.Errorf("an endpoint of the same name: %v", err)
	}
	if all, err := w.Deployments(t.Context(), "taxi"); len(all) != 0 || err != nil {
		t.Errorf("deployments %v, %v; want none", all, err)
	}
}

// Requests that don't end hold up neither the traffic of others nor, for ever, the delete.
func TestTrafficMovesWhileADeploymentDrains(t *testing.T) {
	w := taxi(t)
	w.succeeded(w.put(deployment("green", "2")))
	w.mu.Lock()
	w.draining = make(chan struct{})
	w.mu.Unlock()
	gone, err := w.DeleteDeployment(t.Context(), "taxi", "green")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.endpoint(nil); err != nil {
		t.Fatal(err)
	}
	if err := w.endpoint(map[string]int{"green": 100}); codeOf(err) != online.Invalid {
		t.Errorf("traffic to a deployment that is being deleted: %v", err)
	}
	if _, err := w.put(deployment("green", "2")); codeOf(err) != online.Conflict {
		t.Errorf("a PUT of a deployment that is being deleted: %v", err)
	}
	close(w.draining)
	w.succeeded(gone, nil)
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

func TestWarningShows(t *testing.T) {
	w := taxi(t)
	w.succeeded(w.put(deployment("green", "1", that(warns))))
	d, err := w.Deployment(t.Context(), "taxi", "green")
	if err != nil || d.Properties["hotswap.warning"] != "python 3.8 is not here" {
		t.Errorf("properties %v, %v", d.Properties, err)
	}
	d.Variables, d.Environment.Version = nil, "2"
	w.succeeded(w.put(d)) // as a client does: what it read, changed
	if d, err := w.Deployment(t.Context(), "taxi", "green"); err != nil || len(d.Properties) != 0 {
		t.Errorf("properties %v, %v; the warning was of another environment", d.Properties, err)
	}
}

func TestRefsAreResolvedOnce(t *testing.T) {
	w := taxi(t)
	w.succeeded(w.put(deployment("green", "@latest")))
	if d, err := w.Deployment(t.Context(), "taxi", "green"); err != nil || d.Model.Version != "9" {
		t.Errorf("model %v, %v; want version 9", d.Model, err)
	}
}

// An instance that crashes stays in the routes: its other workers serve, and it comes back.
func TestCrashedInstanceStaysRouted(t *testing.T) {
	w := taxi(t)
	w.mu.Lock()
	id := w.routes["taxi"].Deployments[0].Instances[0].ID
	w.mu.Unlock()
	w.become(id, workers.Unready, nil)
	if err := w.endpoint(all); err != nil {
		t.Fatal(err)
	}
	if got := w.live("blue"); len(got) != 1 || w.starts() != 1 {
		t.Errorf("routed %v, %d started", got, w.starts())
	}
}

// Routes that can't be put in force hold up the operation; the next try ends it.
func TestSwapIsTriedAgain(t *testing.T) {
	w := taxi(t)
	w.mu.Lock()
	w.swapFail = errSwap
	w.mu.Unlock()
	o, err := w.put(deployment("blue", "2"))
	if err != nil {
		t.Fatal(err)
	}
	w.eventually("the new set is up", func() bool { return w.up()["blue 2"] == 1 })
	if got := w.live("blue"); !slices.Equal(got, []string{"1"}) {
		t.Errorf("routed %v", got)
	}
	w.mu.Lock()
	w.swapFail = nil
	w.mu.Unlock()
	w.succeeded(o, err)
	if got := w.live("blue"); !slices.Equal(got, []string{"2"}) {
		t.Errorf("routed %v", got)
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

func TestCloseDrainsThenStops(t *testing.T) {
	w := taxi(t)
	w.mu.Lock()
	w.journal = nil
	w.mu.Unlock()
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := w.diary(), []string{"unroute taxi", "drain deployment", "close"}; !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
	if err := w.endpoint(nil); codeOf(err) != online.Unavailable {
		t.Errorf("a change after Close: %v", err)
	}
	w.start()
	w.eventually("blue serves again", func() bool { return slices.Equal(w.live("blue"), []string{"1"}) })
}

func TestRestart(t *testing.T) {
	tests := map[string]struct {
		before func(*world)
		live   []string // models of blue
		up     map[string]int
		state  online.ProvisioningState // of blue
	}{
		"nothing under way": {func(*world) {}, []string{"1"}, map[string]int{"blue 1": 1}, online.Succeeded},
		"an update under way goes on": {func(w *world) {
			w.ended(w.put(deployment("green", "3")))
			w.put(deployment("blue", "2", that(hangs)))
			w.hanging()
		}, []string{"1"}, map[string]int{"blue 1": 1, "blue 2": 1, "green 3": 1}, online.Updating},
		"what a failed update left goes on": {func(w *world) {
			w.deploy(deployment("blue", "2", that(fails)))
		}, []string{"1"}, map[string]int{"blue 1": 1, "blue 2": 1}, online.Failed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := taxi(t)
			tt.before(w)
			w.crash()
			w.start()
			w.eventually("everything is up", func() bool {
				return slices.Equal(w.live("blue"), tt.live) && maps.Equal(w.up(), tt.up)
			})
			if d, err := w.Deployment(t.Context(), "taxi", "blue"); err != nil || d.State != tt.state {
				t.Errorf("%+v, %v; want state %s", d, err, tt.state)
			}
		})
	}
}

func TestRestartEndsWhatWasUnderWay(t *testing.T) {
	w := taxi(t)
	o, err := w.put(deployment("blue", "2", that(hangs)))
	if err != nil {
		t.Fatal(err)
	}
	w.hanging()
	w.crash()
	w.start()
	w.become(w.hanging(), workers.Ready, nil)
	w.succeeded(o, err)
	w.mu.Lock()
	w.draining = make(chan struct{})
	w.mu.Unlock()
	gone, err := w.DeleteEndpoint(t.Context(), "taxi")
	if err != nil {
		t.Fatal(err)
	}
	w.eventually("the endpoint is out of the routes", func() bool { return slices.Contains(w.diary(), "unroute taxi") })
	w.crash()
	w.draining = nil
	w.start()
	w.succeeded(gone, nil)
	if got := w.up(); len(got) != 0 {
		t.Errorf("left %v", got)
	}
}

// After a restart the endpoint is known at once, with a deployment that is not up yet, and those
// with traffic come up first.
func TestRestartBringsUpTheLiveFirst(t *testing.T) {
	w := newWorld(t)
	if err := w.endpoint(nil); err != nil {
		t.Fatal(err)
	}
	o, err := w.put(deployment("live", "1", that(hangs)))
	if err != nil {
		t.Fatal(err)
	}
	w.become(w.hanging(), workers.Ready, nil)
	w.succeeded(o, err)
	w.succeeded(w.put(deployment("idle", "2")))
	if err := w.endpoint(map[string]int{"live": 100}); err != nil {
		t.Fatal(err)
	}
	w.crash()
	w.start()
	id := w.hanging()
	w.eventually("the routes name both", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.routes["taxi"].Deployments) == 2
	})
	if got := w.up(); !maps.Equal(got, map[string]int{"live 1": 1}) {
		t.Errorf("started %v before the live one was up", got)
	}
	w.become(id, workers.Ready, nil)
	w.eventually("both are up", func() bool { return len(w.live("live")) == 1 && len(w.live("idle")) == 1 })
}
