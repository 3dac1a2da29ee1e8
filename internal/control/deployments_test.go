package control

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"hotswap/internal/online"
	"hotswap/internal/workers"
)

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
	before := w.revision()
	w.succeeded(w.put(deployment("blue", "2", instances(2))))
	if after := w.revision(); after <= before {
		t.Errorf("routes of other instances have revision %d, after %d", after, before)
	}
	if got := w.live("blue"); !slices.Equal(got, []string{"2", "2"}) {
		t.Errorf("routed to models %v, want 2 of version 2", got)
	}
	w.eventually("the old set is gone", func() bool { return maps.Equal(w.up(), map[string]int{"blue 2": 2}) })
	d := w.diary()
	swap, drain, remove := slices.Index(d, "swap map[blue:100]"), slices.Index(d, "drain instance"), slices.Index(d, "remove blue")
	if swap >= drain || drain >= remove {
		t.Errorf("order %q", d)
	}
}

func (w *world) revision() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.routes["taxi"].Revision
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
