package control

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"hotswap/internal/online"
)

// The seconds of --azure-like pass in no time: the state file is opened within the bubble, and
// nothing waits for long on anything outside of it.
func TestAzureLike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *Options) { o.AzureLike = true })
		w.poll = 50 * time.Millisecond // of the bubble's time
		began := time.Now()
		o, err := w.putEndpoint(online.Endpoint{Name: "taxi"}, nil)
		if err != nil || o.Status != online.InProgress || time.Since(began) > time.Second {
			t.Fatalf("operation %+v after %v, %v; want one under way at once", o, time.Since(began), err)
		}
		if _, err := w.putEndpoint(online.Endpoint{Name: "taxi"}, nil); codeOf(err) != online.Conflict {
			t.Errorf("a second PUT: %v, want a conflict", err)
		}
		w.takes(o, 3*time.Second)
		w.sees(online.Creating)
		time.Sleep(2 * time.Second)
		w.sees(online.Succeeded)

		for _, name := range []string{"blue", "green"} {
			o, err := w.put(deployment(name, "1"))
			if err != nil {
				t.Fatal(err)
			}
			w.takes(o, 3*time.Second)
		}
		o, _ = w.putEndpoint(online.Endpoint{Name: "taxi"}, all)
		w.takes(o, 3*time.Second)
		if got := w.share("blue"); got != 0 {
			t.Errorf("blue has %d %% before the delay is over", got)
		}
		time.Sleep(10*time.Second + 100*time.Millisecond) // the reconciler's timer may be as late as this one
		if got := w.share("blue"); got != 100 {
			t.Errorf("blue has %d %% after the delay", got)
		}

		w.saysNoMoreThanAzure()
		o, err = w.putEndpoint(online.Endpoint{Name: "taxi"}, map[string]int{"green": 100})
		if err != nil {
			t.Fatal(err)
		}
		w.takes(o, 3*time.Second)
		w.follows("blue", o, 10*time.Second)

		// A deployment that is deleted while it has the traffic still leaves the routes first.
		o, _ = w.putEndpoint(online.Endpoint{Name: "taxi"}, all)
		w.takes(o, 3*time.Second)
		gone, err := w.DeleteDeployment(t.Context(), "taxi", "green")
		if err != nil {
			t.Fatal(err)
		}
		w.takes(gone, 3*time.Second)
		if got := w.share("blue"); got != 100 {
			t.Errorf("blue has %d %% after green was deleted", got)
		}
		if _, err := w.Deployment(t.Context(), "taxi", "green"); err != nil {
			t.Errorf("a late read doesn't see what was deleted: %v", err)
		}
		time.Sleep(2 * time.Second)
		if _, err := w.Deployment(t.Context(), "taxi", "green"); codeOf(err) != online.NotFound {
			t.Errorf("error %v, want not found", err)
		}
		w.crash()
	})
}

// saysNoMoreThanAzure checks that green can't be parked and that taxi doesn't say anything of the server.
func (w *world) saysNoMoreThanAzure() {
	w.t.Helper()
	if _, err := w.put(deployment("green", "1", instances(0))); codeOf(err) != online.Invalid {
		w.t.Errorf("parking: %v, want that Azure has none", err)
	}
	e, err := w.Endpoint(context.Background(), "taxi")
	if err != nil || e.Properties[online.Parking]+e.Properties[online.MetricsAtOnce]+e.Properties[online.RoutesAtOnce] != "" {
		w.t.Errorf("%v, %v: it says more than Azure", e.Properties, err)
	}
}

// takes waits for the end of an operation, which must have taken so long and no more than a bit longer.
func (w *world) takes(o online.Operation, want time.Duration) {
	w.t.Helper()
	o = w.ended(o, nil)
	if took := o.EndedAt.Sub(o.StartedAt); o.Status != online.OperationSucceeded || took < want || took > want+time.Second {
		w.t.Errorf("operation %+v took %v, want %v", o, took, want)
	}
}

func (w *world) sees(want online.ProvisioningState) {
	w.t.Helper()
	if e, err := w.Endpoint(context.Background(), "taxi"); err != nil || e.State != want {
		w.t.Errorf("a read sees state %s (%v), want %s", e.State, err, want)
	}
}

func (w *world) share(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.routes["taxi"].Shares[name]
}

// follows checks that the traffic leaves a deployment so long after an operation that has ended.
func (w *world) follows(from string, o online.Operation, want time.Duration) {
	w.t.Helper()
	o = w.ended(o, nil)
	before := w.share(from)
	time.Sleep(time.Until(o.EndedAt.Add(want - 100*time.Millisecond)))
	if got := w.share(from); got != before {
		w.t.Errorf("the share of %s went from %d to %d too soon", from, before, got)
	}
	time.Sleep(200 * time.Millisecond)
	if got := w.share(from); got != 0 {
		w.t.Errorf("the share of %s is %d after %v", from, got, want)
	}
}
