package rollout

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hotswap/internal/azure"
	"hotswap/internal/checks"
	"hotswap/internal/online"
	"hotswap/internal/spec"
)

// planned is a change of model, code, environment and variables over a live deployment.
func planned(t *testing.T, r *rig) Request {
	t.Helper()
	r.live(t, "1", "2")
	r.cloud.code = map[string]azure.Code{"src": {Hash: "one"}}
	req := request("3")
	req.Deployment.CodeDir = "src"
	req.Deployment.LocalEnvironment = &online.Environment{Image: "img"}
	req.Deployment.Variables = map[string]string{"A": "1"}
	return req
}

// saved is a plan as it comes back from its file.
func saved(t *testing.T, p Preview) *Preview {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	back := new(Preview)
	if err := json.Unmarshal(text, back); err != nil {
		t.Fatal(err)
	}
	return back
}

func TestExpectedRollout(t *testing.T) {
	r := newRig(t)
	req := planned(t, r)
	req.Expect = saved(t, r.preview(t, req, wanting("")))
	r.cloud.code = map[string]azure.Code{"src": {Hash: "one", Ref: online.Ref{Kind: online.Codes, Name: "c", Version: "1"}}} // registered since
	if s, err := r.Rollout(t.Context(), req, wanting(""), false); err != nil || s.Phase != Promoted || s.Plan.Slot != "blue" {
		t.Fatalf("it ended %s in %s: %v", s.Phase, s.Plan.Slot, err)
	}
	_, err := r.Rollout(t.Context(), req, wanting(""), false)
	if online.CodeOf(err) != online.Refused || !strings.Contains(err.Error(), "traffic: was green=100, is blue=100") {
		t.Errorf("the same plan again: %v, want it refused", err)
	}
	if l, err := r.Journal.Lock(t.Context()); err != nil || l.Held {
		t.Errorf("the lock is %+v, %v; want it free", l, err)
	}
}

// A plan binds: what is another by the time of the rollout is named, and nothing is done.
func TestWorldThatMoved(t *testing.T) {
	tests := map[string]struct {
		move func(r *rig, req *Request)
		want string
	}{
		"traffic":         {func(r *rig, _ *Request) { r.cloud.endpoint.Traffic = online.AllTo("blue") }, "traffic: was green=100, is blue=100; slot: was blue, is green"},
		"mirror":          {func(r *rig, _ *Request) { r.cloud.endpoint.Mirror = online.Mirror{Deployment: "red", Percent: 10} }, "mirror: was map[], is map[red:10]"},
		"live deployment": {func(r *rig, _ *Request) { r.deployed("green", func(d *online.Deployment) { d.Description = "x" }) }, "deployment green: was changed"},
		"gone":            {func(r *rig, _ *Request) { delete(r.cloud.deployments, "blue") }, "deployment blue: is gone"},
		"new": {func(r *rig, _ *Request) {
			r.cloud.keep(online.Deployment{Name: "red", State: online.Succeeded})
		}, "deployment red: is new"},
		"model":            {func(_ *rig, req *Request) { req.ModelVersion = "4" }, "model: was azureml:m:3, is azureml:m:4"},
		"code":             {func(r *rig, _ *Request) { r.cloud.code["src"] = azure.Code{Hash: "two"} }, "code: was sha256:one, is sha256:two"},
		"environment":      {func(_ *rig, req *Request) { req.Deployment.LocalEnvironment = &online.Environment{Image: "other"} }, "environment: was sha256:"},
		"instances":        {func(_ *rig, req *Request) { req.Deployment.InstanceCount = 9 }, "instances: was 0, is 9"},
		"variable's name":  {func(_ *rig, req *Request) { req.Deployment.Variables = map[string]string{"B": "1"} }, "environment variables: was A, is B"},
		"variable's value": {func(_ *rig, req *Request) { req.Deployment.Variables = map[string]string{"A": "2"} }, "environment variables: a value is another"},
		"steps":            {func(_ *rig, req *Request) { req.Strategy.Steps = []int{5, 100} }, "steps: was 100 %, is 5 % for 10m0s; 100 %"},
		"retain":           {func(_ *rig, req *Request) { req.Strategy.Retain = None }, "retain: was warm, is none"},
		"bounds":           {func(_ *rig, req *Request) { req.Strategy.Bake = time.Minute; req.Expect.Swap.Steps[0].Watched = "1m0s" }, "bounds: was none, is at least 100"},
		"endpoint": {func(_ *rig, req *Request) {
			req.UpdateEndpoint, req.Endpoint.Keys, req.Endpoint.Description = true, map[string]bool{"description": true}, "x"
		}, "endpoint: was there, is there, to be updated: description"},
		"endpoint that is gone": {func(r *rig, _ *Request) { r.cloud.endpoint = nil }, "endpoint: was there, is to be created"},
		"fence":                 {func(r *rig, _ *Request) { r.cut(t, Abandoned, func(*State) {}) }, "fence: was 2, is 3: another rollout has run"},
		"damage":                {func(_ *rig, req *Request) { req.Expect.Variables.Salt = "x" }, "damaged"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			req := planned(t, r)
			req.Expect = saved(t, r.preview(t, req, wanting("")))
			tt.move(r, &req)
			writes := slices.Clone(r.cloud.writes)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, err := r.Rollout(ctx, req, wanting(""), false)
			if err == nil || !strings.Contains(err.Error(), tt.want) || name != "damage" && online.CodeOf(err) != online.Refused {
				t.Errorf("error %v, want it refused with %q", err, tt.want)
			}
			if !slices.Equal(r.cloud.writes, writes) {
				t.Errorf("it wrote %q", r.cloud.writes[len(writes):])
			}
			if l, err := r.Journal.Lock(t.Context()); err != nil || l.Held {
				t.Errorf("the lock is %+v, %v; want it free", l, err)
			}
		})
	}
}

func TestPlanOfSomethingElse(t *testing.T) {
	plan := Preview{Endpoint: EndpointPreview{Name: "e"}, Slot: SlotPreview{Name: "blue"}, Tests: TestsPreview{Cases: []string{"request"}}}
	tests := map[string]struct {
		plan  Preview
		tests Tests
		code  online.Code
		want  string
	}{
		"no plan":          {Preview{}, wanting(""), online.Invalid, "the plan is none"},
		"another endpoint": {Preview{Endpoint: EndpointPreview{Name: "other"}, Slot: plan.Slot}, wanting(""), online.Invalid, "of endpoint other, not of e"},
		"no test":          {plan, Tests{}, online.Refused, "tests: was request, is none"},
		"a diff more": {
			plan,
			Tests{wanting("").Suite, &Diff{Options: checks.DiffOptions{MaxDisagreement: -1}}},
			online.Refused,
			"prediction diff: was none, is 1 request to",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			req := request("1")
			req.Expect = &tt.plan
			_, err := r.Rollout(t.Context(), req, tt.tests, false)
			if err == nil || online.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %v with %q", err, tt.code, tt.want)
			}
			if len(r.cloud.writes) > 0 || len(r.blobs(t)) > 0 {
				t.Errorf("it wrote %q and %d blobs", r.cloud.writes, len(r.blobs(t)))
			}
		})
	}
}

// Files on this machine are known by their content.
func TestPlanOfLocalFiles(t *testing.T) {
	r := newRig(t)
	r.live(t, "1")
	model := filepath.Join(t.TempDir(), "model.bin")
	write := func(text string) {
		if err := os.WriteFile(model, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	req := request("1")
	req.Deployment.Model = online.Ref{}
	req.Deployment.LocalModel = &spec.LocalModel{Path: model}
	req.Deployment.LocalEnvironment = &online.Environment{BuildContext: filepath.Dir(model)}
	req.Expect = saved(t, r.preview(t, req, wanting("")))
	if m := req.Expect.Model; m.Ref != "" || m.Why != "files on this machine, which the rollout registers: "+model {
		t.Errorf("model %+v", m)
	}
	hash, err := azure.ContentHash(model)
	if got := fact(req.Expect.Candidate, "model"); err != nil || got != "sha256:"+hash {
		t.Errorf("the plan's model is %q, want the hash %s, %v", got, hash, err)
	}
	if c := req.Expect.Changes[0]; c.What != "model" || c.Candidate != "azureml:"+hash+":1" {
		t.Errorf("change %+v", c)
	}
	write("two")
	_, err = r.Rollout(t.Context(), req, wanting(""), false)
	if err == nil || !strings.Contains(err.Error(), "model: was sha256:"+hash+", is sha256:") || !strings.Contains(err.Error(), "environment: was sha256:") {
		t.Errorf("error %v, want model and environment named", err)
	}
}

// A server that leaves the type of the instances as it was has not made the candidate that was asked for.
func TestInstanceTypeThatStays(t *testing.T) {
	r := newRig(t)
	r.live(t, "1", "2")
	r.deployed("blue", func(d *online.Deployment) { d.InstanceType = "S" })
	r.cloud.instanceType = "S"
	req := request("3")
	req.Deployment.InstanceType = "L"
	s, err := r.Rollout(t.Context(), req, wanting(""), false)
	if online.CodeOf(err) != online.Refused || s.Phase != Refused || !strings.Contains(err.Error(), "still has instance type S, not L") {
		t.Errorf("it ended %s: %v, want it refused", s.Phase, err)
	}
	req.Deployment.InstanceType = "s"
	if s, err := r.Rollout(t.Context(), req, wanting(""), false); err != nil || s.Phase != Promoted {
		t.Errorf("the same type in another case ended %s: %v", s.Phase, err)
	}
}
