package control

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"hotswap/internal/online"
	"hotswap/internal/workers"
)

// idleGreen returns a world where blue has the traffic and green has two instances and none of it.
func idleGreen(t *testing.T) *world {
	t.Helper()
	w := taxi(t)
	w.succeeded(w.put(deployment("green", "2", instances(2))))
	return w
}

// routed tells whether the routes name a deployment.
func (w *world) routed(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.routes["taxi"].Deployments {
		if d.Name == name {
			return true
		}
	}
	return false
}

// parked checks that green is, and is the deployment that it was.
func (w *world) parked(before online.Deployment) {
	w.t.Helper()
	s, err := w.load(context.Background(), "taxi")
	if err != nil || len(s.instances) != 1 || s.instances[0].Deployment != "blue" {
		w.t.Errorf("rows %+v, %v; want one of blue", s.instances, err)
	}
	if !w.routed("green") || len(w.live("green")) != 0 {
		w.t.Error("the routes have to name it, without an instance")
	}
	d, err := w.Deployment(context.Background(), "taxi", "green")
	if err != nil || !d.Parked() || d.State != online.Succeeded || !d.CreatedAt.Equal(before.CreatedAt) {
		w.t.Errorf("%+v, %v; want it parked", d, err)
	}
}

func TestParking(t *testing.T) {
	zero := 0
	for name, park := range map[string]func(w *world) (online.Operation, error){
		"by PUT": func(w *world) (online.Operation, error) { return w.put(deployment("green", "2", instances(0))) },
		"by PATCH": func(w *world) (online.Operation, error) {
			_, o, _, err := w.PatchDeployment(t.Context(), "taxi", "green", Patch{Capacity: &zero})
			return o, err
		},
		"after a failed update": func(w *world) (online.Operation, error) {
			w.deploy(deployment("green", "3", that(fails)))
			return w.put(deployment("green", "2", instances(0)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := idleGreen(t)
			before, _ := w.Deployment(t.Context(), "taxi", "green")
			o, err := park(w)
			started := w.starts()
			w.succeeded(o, err)
			if up := w.up(); !maps.Equal(up, map[string]int{"blue 1": 1}) {
				t.Errorf("up %v when it has succeeded", up)
			}
			w.parked(before)
			if w.starts() != started {
				t.Errorf("%d instances were started to park it", w.starts()-started)
			}
			w.crash()
			w.start()
			w.eventually("blue is up", func() bool { return len(w.live("blue")) == 1 })
			w.parked(before)

			w.succeeded(w.put(deployment("green", "2", instances(2))))
			if got := w.live("green"); !slices.Equal(got, []string{"2", "2"}) {
				t.Errorf("back as %v", got)
			}
			after, _ := w.Deployment(t.Context(), "taxi", "green")
			after.ModifiedAt = before.ModifiedAt
			if !reflect.DeepEqual(after, before) {
				t.Errorf("back as %+v, was %+v", after, before)
			}
			if err := w.endpoint(map[string]int{"green": 100}); err != nil {
				t.Error(err)
			}
		})
	}
}

// What the server says of itself comes back when an endpoint is written as it was read, and isn't kept.
func TestAnnouncementsAreNotKept(t *testing.T) {
	w := taxi(t)
	e, err := w.Endpoint(t.Context(), "taxi")
	if err != nil || e.Properties[online.Parking] != "yes" || e.Properties[online.MetricsAtOnce] != "PT1S" || e.Properties[online.RoutesAtOnce] == "" {
		t.Errorf("%v, %v: want all that the server is better at", e.Properties, err)
	}
	e.Properties["own"] = "kept"
	if _, err := w.putEndpoint(e, all); err != nil {
		t.Fatal(err)
	}
	s, err := w.load(t.Context(), "taxi")
	if want := map[string]string{"own": "kept"}; err != nil || !maps.Equal(s.endpoint.Properties, want) {
		t.Errorf("kept %v, %v; want %v", s.endpoint.Properties, err, want)
	}
}

// Wherever the server ends, the next one goes on.
func TestParkingGoesOnAfterACrash(t *testing.T) {
	w := idleGreen(t)
	w.mu.Lock()
	w.draining = make(chan struct{})
	w.mu.Unlock()
	o, err := w.put(deployment("green", "2", instances(0)))
	w.eventually("it leaves the routes", func() bool { return len(w.live("green")) == 0 })
	if o, _ := w.Operation(t.Context(), o.ID); o.Status != online.InProgress {
		t.Error("it has succeeded while it drains")
	}
	if err := w.endpoint(map[string]int{"green": 100}); codeOf(err) != online.Invalid {
		t.Errorf("traffic to one that is being parked: %v", err)
	}
	w.crash()
	w.draining = nil
	w.start()
	w.succeeded(o, err)
	w.eventually("blue alone is up", func() bool { return maps.Equal(w.up(), map[string]int{"blue 1": 1}) })
}

func TestParkingIsRefused(t *testing.T) {
	w := idleGreen(t)
	park := func(change ...func(*online.Deployment)) func() error {
		return func() error {
			_, err := w.put(deployment("green", "2", append(change, instances(0))...))
			return err
		}
	}
	mirrored := online.Endpoint{Name: "taxi", Mirror: online.Mirror{Deployment: "green", Percent: 10}}
	steps := []struct {
		name string
		do   func() error
		code online.Code
		text string
	}{
		{"the live one", func() error { _, err := w.put(deployment("blue", "1", instances(0))); return err }, online.Invalid, "100 % of the live traffic"},
		{"a new one", func() error { _, err := w.put(deployment("red", "1", instances(0))); return err }, online.Invalid, "can't be made with 0 instances"},
		{"another version", park(func(d *online.Deployment) { d.Model.Version = "3" }), online.Invalid, "another version than it has served"},
		{"a mirror", func() error { _, err := w.putEndpoint(mirrored, all); return err }, "", ""},
		{"one that is mirrored to", park(), online.Invalid, "mirrored to it"},
		{"no mirror", func() error { return w.endpoint(all) }, "", ""},
		{"the idle one", func() error { w.succeeded(w.put(deployment("green", "2", instances(0)))); return nil }, "", ""},
		{"traffic to it", func() error { return w.endpoint(map[string]int{"green": 100}) }, online.Invalid, "parked: give it 1 instance or more first"},
		{"a part of it", func() error { return w.endpoint(map[string]int{"blue": 95, "green": 5}) }, online.Invalid, "parked"},
		{"mirror to it", func() error { _, err := w.putEndpoint(mirrored, all); return err }, online.Invalid, "parked"},
		{"back in vain", func() error { w.deploy(deployment("green", "4", that(fails))); return nil }, "", ""},
		{"traffic after that", func() error { return w.endpoint(map[string]int{"green": 100}) }, online.Invalid, "parked"},
		{"back, slowly", func() error { _, err := w.put(deployment("green", "2", that(hangs))); return err }, "", ""},
		{"traffic before it is back", func() error { return w.endpoint(map[string]int{"green": 100}) }, online.Conflict, "parked until its update has succeeded"},
		{"back", func() error { w.become(w.hanging(), workers.Ready, nil); w.quiet(); return nil }, "", ""},
		{"traffic when it is back", func() error { return w.endpoint(map[string]int{"green": 100}) }, "", ""},
	}
	for _, step := range steps {
		err := step.do()
		if codeOf(err) != step.code || err != nil && !strings.Contains(err.Error(), step.text) {
			t.Errorf("%s: %v of code %q, want %q with %q", step.name, err, codeOf(err), step.code, step.text)
		}
	}
}
