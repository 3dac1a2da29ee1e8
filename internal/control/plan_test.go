package control

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"hotswap/internal/gateway"
	"hotswap/internal/online"
	"hotswap/internal/store"
	"hotswap/internal/workers"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// version reads "v1×2": launch v1, two instances.
func version(text string) store.Version {
	launch, count, _ := strings.Cut(text, "×")
	n := map[string]int{"1": 1, "2": 2, "3": 3}[count]
	return store.Version{Launch: launch, Deployment: online.Deployment{InstanceCount: n}}
}

// row reads "Updating v2×1 v1×1": state, desired, served.
func row(text string) store.Deployment {
	words := strings.Fields(text)
	d := store.Deployment{State: online.ProvisioningState(words[0]), Desired: version(words[1])}
	if len(words) > 2 {
		v := version(words[2])
		d.Served = &v
	}
	return d
}

// have reads "a:v1:Ready:routed b:v2:Failed:11s": id, launch, state, and routed, kept, leaving or how
// long ago it failed.
func have(text string) (all []instance) {
	for word := range strings.FieldsSeq(text) {
		f := append(strings.Split(word, ":"), "")
		i := instance{Instance: store.Instance{ID: f[0], Launch: f[1], Kept: f[3] == "kept"}, state: workers.State(f[2])}
		i.routed, i.leaving = f[3] == "routed", f[3] == "leaving"
		if i.state == workers.Failed {
			ago, _ := time.ParseDuration(f[3])
			i.failedAt = noon.Add(-ago)
		}
		all = append(all, i)
	}
	return all
}

// String is like "start v2×1; serve v1 a,b; succeeded; leave c; drop; again 9s".
func (in intent) String() string {
	var words []string
	for _, s := range in.starts {
		words = append(words, fmt.Sprintf("start %s×%d", s.version.Launch, s.n))
	}
	if in.version != nil {
		words = append(words, strings.TrimSpace("serve "+in.version.Launch+" "+strings.Join(in.serve, ",")))
	}
	switch in.outcome {
	case succeeded:
		words = append(words, "succeeded")
	case failed:
		words = append(words, "failed by "+in.culprit.ID)
	}
	if len(in.leave) > 0 {
		words = append(words, "leave "+strings.Join(in.leave, ","))
	}
	if in.drop {
		words = append(words, "drop")
	}
	if in.again > 0 {
		words = append(words, "again "+in.again.String())
	}
	return strings.Join(words, "; ")
}

func TestDecide(t *testing.T) {
	tests := map[string]struct{ row, have, want string }{
		"create":                           {"Creating v1×2", "", "start v1×2"},
		"create, one started":              {"Creating v1×2", "a:v1:Starting", "start v1×1"},
		"create, one ready":                {"Creating v1×2", "a:v1:Ready b:v1:Starting", ""},
		"create, all ready":                {"Creating v1×2", "a:v1:Ready b:v1:Ready", "serve v1 a,b; succeeded"},
		"create, one failed":               {"Creating v1×2", "a:v1:Ready b:v1:Failed:1s", "failed by b"},
		"created in vain":                  {"Failed v1×2", "a:v1:Ready b:v1:Failed:kept", "leave a"},
		"created":                          {"Succeeded v1×1 v1×1", "a:v1:Ready:routed", "serve v1 a"},
		"update":                           {"Updating v2×1 v1×1", "a:v1:Ready:routed", "start v2×1; serve v1 a"},
		"update, new one starts":           {"Updating v2×1 v1×1", "a:v1:Ready:routed b:v2:Starting", "serve v1 a"},
		"update, half of the new set":      {"Updating v2×2 v1×1", "a:v1:Ready:routed b:v2:Ready c:v2:Starting", "serve v1 a"},
		"update, new set ready":            {"Updating v2×2 v1×1", "a:v1:Ready:routed b:v2:Ready c:v2:Ready", "serve v2 b,c; succeeded"},
		"update, new one failed":           {"Updating v2×1 v1×1", "a:v1:Ready:routed b:v2:Failed:1s", "serve v1 a; failed by b"},
		"updated, the old set leaves":      {"Succeeded v2×1 v2×1", "a:v1:Ready b:v2:Ready:routed", "serve v2 b; leave a"},
		"updated, it is on its way":        {"Succeeded v2×1 v2×1", "a:v1:Ready:leaving b:v2:Ready:routed", "serve v2 b"},
		"updated in vain":                  {"Failed v2×2 v1×1", "a:v1:Ready:routed b:v2:Failed:kept c:v2:Ready", "serve v1 a; leave c"},
		"back after a failure":             {"Updating v1×1 v1×1", "a:v1:Ready:routed b:v2:Failed:kept", "serve v1 a; succeeded"},
		"back, then settled":               {"Succeeded v1×1 v1×1", "a:v1:Ready:routed b:v2:Failed:kept", "serve v1 a; leave b"},
		"the failed one again":             {"Updating v2×1 v1×1", "a:v1:Ready:routed b:v2:Failed:kept", "start v2×1; serve v1 a; leave b"},
		"tags only":                        {"Updating v1×1 v1×1", "a:v1:Ready:routed", "serve v1 a; succeeded"},
		"tags only, it is down a moment":   {"Updating v1×1 v1×1", "a:v1:Unready:routed", "serve v1 a; succeeded"},
		"more":                             {"Scaling v1×3 v1×1", "a:v1:Ready:routed", "start v1×2; serve v1 a"},
		"more, all ready":                  {"Scaling v1×3 v1×1", "a:v1:Ready:routed b:v1:Ready c:v1:Ready", "serve v1 a,b,c; succeeded"},
		"more, in vain":                    {"Scaling v1×3 v1×1", "a:v1:Ready:routed b:v1:Failed:1s c:v1:Ready", "serve v1 a; failed by b"},
		"more in vain, settled":            {"Failed v1×3 v1×1", "a:v1:Ready:routed b:v1:Failed:kept c:v1:Ready", "serve v1 a; leave c"},
		"less":                             {"Scaling v1×1 v1×2", "a:v1:Ready:routed b:v1:Ready:routed", "serve v1 a; succeeded"},
		"less, the first is down":          {"Scaling v1×1 v1×2", "a:v1:Unready:routed b:v1:Ready:routed", "serve v1 b; succeeded"},
		"less, settled":                    {"Succeeded v1×1 v1×1", "a:v1:Ready:routed b:v1:Ready", "serve v1 a; leave b"},
		"restart":                          {"Succeeded v1×2 v1×2", "", "start v1×2; serve v1"},
		"restart, one up":                  {"Succeeded v1×2 v1×2", "a:v1:Ready b:v1:Starting", "serve v1 a"},
		"restart in an update":             {"Updating v2×1 v1×1", "", "start v1×1; start v2×1; serve v1"},
		"restart in a scaling":             {"Scaling v1×3 v1×1", "", "start v1×3; serve v1"},
		"restart after a failed create":    {"Failed v1×1", "a:v1:Failed:kept", ""},
		"restart after a failed update":    {"Failed v2×1 v1×1", "b:v2:Starting:kept", "start v1×1; serve v1"},
		"restart, it can't start":          {"Succeeded v1×1 v1×1", "a:v1:Failed:1s", "serve v1; again 9s"},
		"restart, another try":             {"Succeeded v1×1 v1×1", "a:v1:Failed:10s", "start v1×1; serve v1; leave a"},
		"restart, another try of one":      {"Succeeded v1×2 v1×2", "a:v1:Failed:10s b:v1:Ready", "start v1×1; serve v1 b; leave a"},
		"restart, more than it wants":      {"Succeeded v1×1 v1×1", "a:v1:Starting b:v1:Starting", "serve v1; leave b"},
		"park":                             {"Updating v1×0 v1×2", "a:v1:Ready:routed b:v1:Ready:routed", "serve v1; leave a,b"},
		"park, one has left":               {"Scaling v1×0 v1×2", "b:v1:Ready:leaving", "serve v1"},
		"park, all have left":              {"Updating v1×0 v1×2", "", "serve v1; succeeded"},
		"park after a failed update":       {"Updating v1×0 v1×1", "a:v1:Ready:routed b:v2:Failed:kept", "serve v1; leave a,b"},
		"parked":                           {"Succeeded v1×0 v1×0", "", "serve v1"},
		"parked, tags only":                {"Updating v1×0 v1×0", "", "serve v1; succeeded"},
		"back from parking":                {"Updating v1×2 v1×0", "", "start v1×2; serve v1"},
		"back from parking, one up":        {"Updating v1×2 v1×0", "a:v1:Ready b:v1:Starting", "serve v1"},
		"back from parking, all up":        {"Updating v1×2 v1×0", "a:v1:Ready b:v1:Ready", "serve v1 a,b; succeeded"},
		"back from parking in vain":        {"Failed v1×1 v1×0", "a:v1:Failed:kept", "serve v1"},
		"one crashed":                      {"Succeeded v1×2 v1×2", "a:v1:Unready:routed b:v1:Ready:routed", "serve v1 a,b"},
		"a crash before it was ever ready": {"Succeeded v1×1 v1×1", "a:v1:Unready", "serve v1"},
		"delete":                           {"Deleting v1×1 v1×1", "a:v1:Ready:routed", "drop"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := decide(row(tt.row), have(tt.have), noon).String(); got != tt.want {
				t.Errorf("%s with %s:\n got %s\nwant %s", tt.row, tt.have, got, tt.want)
			}
		})
	}
}

func TestLag(t *testing.T) {
	blue, green := map[string]int{"blue": 100}, map[string]int{"green": 100}
	both := map[string]bool{"blue": true, "green": true}
	inForce := &gateway.Endpoint{Shares: blue}
	type look struct {
		at      time.Duration
		state   online.ProvisioningState
		present map[string]bool
		want    map[string]int
		wait    time.Duration
	}
	tests := map[string]struct {
		inForce *gateway.Endpoint
		delay   time.Duration
		looks   []look
	}{
		"as fast as it goes":  {inForce, 0, []look{{0, online.Updating, both, green, 0}}},
		"no routes yet":       {nil, 10 * time.Second, []look{{0, online.Updating, both, green, 0}}},
		"late":                {inForce, 10 * time.Second, []look{{0, online.Updating, both, blue, 0}, {3 * time.Second, online.Succeeded, both, blue, 10 * time.Second}, {12 * time.Second, online.Succeeded, both, blue, time.Second}, {13 * time.Second, online.Succeeded, both, green, 0}}},
		"another change":      {inForce, 10 * time.Second, []look{{0, online.Succeeded, both, blue, 10 * time.Second}, {9 * time.Second, online.Updating, both, blue, 0}, {12 * time.Second, online.Succeeded, both, blue, 10 * time.Second}}},
		"the old one is gone": {inForce, 10 * time.Second, []look{{0, online.Succeeded, both, blue, 10 * time.Second}, {time.Second, online.Succeeded, map[string]bool{"green": true}, green, 0}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var l lag
			for _, look := range tt.looks {
				e := online.Endpoint{State: look.state, Traffic: online.AllTo("green")}
				got, wait := l.shares(e, tt.inForce, look.present, tt.delay, noon.Add(look.at))
				if !maps.Equal(got, look.want) || wait != look.wait {
					t.Errorf("after %v: %v for %v, want %v for %v", look.at, got, wait, look.want, look.wait)
				}
			}
		})
	}
}

func TestLateReads(t *testing.T) {
	moments := []moment{}
	for i, state := range []online.ProvisioningState{online.Creating, online.Succeeded, online.Updating} {
		e := store.Endpoint{Endpoint: online.Endpoint{State: state}}
		moments = append(moments, moment{noon.Add(time.Duration(i) * 10 * time.Second), snapshot{endpoint: &e}})
	}
	tests := map[string]struct {
		at   time.Duration
		want online.ProvisioningState
	}{
		"before it was made":      {-time.Second, online.Creating},
		"when it was made":        {0, online.Creating},
		"just before the change":  {10*time.Second - 1, online.Creating},
		"at the change":           {10 * time.Second, online.Succeeded},
		"long after the last one": {time.Hour, online.Updating},
	}
	for name, tt := range tests {
		if got := since(moments, noon.Add(tt.at))[0].endpoint.State; got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestVisible(t *testing.T) {
	of := func(names ...string) snapshot {
		s := snapshot{endpoint: &store.Endpoint{}}
		for _, name := range names {
			s.deployments = append(s.deployments, store.Deployment{Name: name})
		}
		return s
	}
	tests := map[string]struct {
		then, now snapshot
		want      []string
	}{
		"one was made":           {of("blue"), of("blue", "green"), []string{"blue", "green"}},
		"one was deleted":        {of("blue", "green"), of("blue"), []string{"blue", "green"}},
		"all was deleted":        {of("blue"), snapshot{}, []string{"blue"}},
		"all was made again":     {snapshot{}, of("green"), []string{"green"}},
		"nothing but the states": {of("blue"), of("blue"), []string{"blue"}},
	}
	for name, tt := range tests {
		var got []string
		for _, d := range visible(tt.then, tt.now).deployments {
			got = append(got, d.Name)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
