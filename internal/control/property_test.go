package control

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"hotswap/internal/online"
	"hotswap/internal/workers"
)

// Whatever is asked for in whatever order, with crashes in between: once nothing is under way, what
// runs and what is routed is what the last accepted requests want, and nothing else is left.
func TestAnySequenceConverges(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		flag.Set("rapid.checks", "20")
	}
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		w := makeWorld(rt, t.TempDir())
		defer w.crash()
		m := machine{w: w, models: map[string]string{}}
		rt.Repeat(map[string]func(*rapid.T){
			"put the endpoint":    m.putEndpoint,
			"put a deployment":    m.putDeployment,
			"delete a deployment": m.deleteDeployment,
			"delete the endpoint": m.deleteEndpoint,
			"crash":               func(*rapid.T) { w.crash(); w.start() },
			"wait":                func(rt *rapid.T) { w.quiet(); m.check(rt) },
		})
		w.quiet()
		m.check(rt)
	})
	t.Logf("%d sequences", n)
}

// machine remembers what was accepted.
type machine struct {
	w      *world
	exists bool
	shares map[string]int
	models map[string]string // desired, by deployment
}

var slots = []string{"blue", "green", "red"}

// refusable are the codes of requests that may be refused at any time, without an effect.
func refusable(rt *rapid.T, err error) bool {
	switch codeOf(err) {
	case online.Invalid, online.Conflict, online.NotFound:
		return true
	case "":
		return false
	}
	rt.Fatalf("%v", err)
	return true
}

func (m *machine) putEndpoint(rt *rapid.T) {
	shares := map[string]int{}
	first, second := rapid.SampledFrom(slots).Draw(rt, "first"), rapid.SampledFrom(slots).Draw(rt, "second")
	if part := rapid.SampledFrom([]int{0, 30, 100}).Draw(rt, "percent"); rapid.Bool().Draw(rt, "open") {
		shares[first] += part
		shares[second] += 100 - part
	}
	maps.DeleteFunc(shares, func(_ string, share int) bool { return share == 0 })
	if !refusable(rt, m.w.endpoint(shares)) {
		m.exists, m.shares = true, shares
	}
}

func (m *machine) putDeployment(rt *rapid.T) {
	name, model := rapid.SampledFrom(slots).Draw(rt, "name"), rapid.SampledFrom([]string{"1", "2"}).Draw(rt, "model")
	d := deployment(name, model, instances(rapid.IntRange(0, 2).Draw(rt, "instances")), that(rapid.SampledFrom([]string{"", "", fails}).Draw(rt, "behave")))
	if _, err := m.w.put(d); !refusable(rt, err) {
		m.models[name] = model
	}
}

func (m *machine) deleteDeployment(rt *rapid.T) {
	name := rapid.SampledFrom(slots).Draw(rt, "name")
	if _, err := m.w.DeleteDeployment(context.Background(), "taxi", name); !refusable(rt, err) {
		delete(m.models, name)
	}
}

func (m *machine) deleteEndpoint(rt *rapid.T) {
	if rapid.IntRange(0, 3).Draw(rt, "really") > 0 {
		return // or there would be nothing to delete most of the time
	}
	if _, err := m.w.DeleteEndpoint(context.Background(), "taxi"); !refusable(rt, err) {
		m.exists, m.shares, m.models = false, nil, map[string]string{}
	}
}

// check compares the world with what was accepted, as soon as it has settled.
func (m *machine) check(rt *rapid.T) {
	rt.Helper()
	wrong := ""
	m.w.eventually("the world has settled", func() bool {
		wrong = m.wrong()
		return wrong == ""
	}, func() string { return wrong })
}

func (m *machine) wrong() string {
	s, err := m.w.load(context.Background(), "taxi")
	if err != nil {
		return err.Error()
	}
	if (s.endpoint != nil) != m.exists {
		return fmt.Sprintf("the endpoint exists: %t, want %t", s.endpoint != nil, m.exists)
	}
	models := map[string]string{}
	wanted := map[string]int{} // instances by deployment and model
	for _, d := range s.deployments {
		models[d.Name] = d.Desired.Model.Version
		if d.State.Busy() {
			return fmt.Sprintf("%s is %s and nothing is under way", d.Name, d.State)
		}
		if d.Served != nil && !d.Served.Parked() {
			wanted[d.Name+" "+d.Served.Model.Version] += d.Served.InstanceCount
		}
		if d.State == online.Failed {
			wanted[d.Name+" "+d.Desired.Model.Version]++ // for its log
		}
	}
	if !maps.Equal(models, m.models) {
		return fmt.Sprintf("desired %v, want %v", models, m.models)
	}
	if up := m.w.up(); !maps.Equal(up, wanted) {
		return fmt.Sprintf("up %v, want %v", up, wanted)
	}
	return m.wrongRoutes(s)
}

func (m *machine) wrongRoutes(s snapshot) string {
	w := m.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(s.instances) != len(w.running) {
		return fmt.Sprintf("%d rows, %d instances", len(s.instances), len(w.running))
	}
	for _, row := range s.instances {
		if f := w.running[row.ID]; f == nil || (f.state == workers.Failed) != row.Kept {
			return fmt.Sprintf("row %+v of %+v", row, f)
		}
	}
	routes, routed := w.routes["taxi"]
	if routed != m.exists || !maps.Equal(routes.Shares, m.shares) {
		return fmt.Sprintf("routed %t by %v, want %v", routed, routes.Shares, m.shares)
	}
	for _, d := range s.deployments {
		var up, want []string
		for _, to := range routes.Deployments {
			if to.ID != d.Incarnation {
				continue
			}
			for _, i := range to.Instances {
				up = append(up, w.running[i.ID].Model.Version)
			}
		}
		if d.Served != nil {
			want = slices.Repeat([]string{d.Served.Model.Version}, d.Served.InstanceCount)
		}
		if !slices.Equal(up, want) {
			return fmt.Sprintf("%s is routed to %q, want %q", d.Name, up, want)
		}
	}
	return ""
}
