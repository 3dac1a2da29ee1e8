package rollout

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/azure"
	"hotswap/internal/checks"
	"hotswap/internal/journal"
	"hotswap/internal/online"
)

// preview makes a plan, and fails the test if that wrote anything.
func (r *rig) preview(t *testing.T, req Request, tests Tests) Preview {
	t.Helper()
	writes, blobs := slices.Clone(r.cloud.writes), r.blobs(t)
	p, err := r.Preview(t.Context(), req, tests)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.cloud.writes, writes) {
		t.Errorf("the plan wrote %q", r.cloud.writes[len(writes):])
	}
	if diff := cmp.Diff(blobs, r.blobs(t)); diff != "" {
		t.Errorf("the plan changed the journal:\n%s", diff)
	}
	return p
}

// azures makes the endpoint look as Azure shows one.
func (r *rig) azures() {
	r.cloud.onRead = func(e *online.Endpoint) { e.Properties = nil }
	r.MetricsLag = 5 * time.Minute
}

// deployed changes what is live, as somebody's deployment that was there before.
func (r *rig) deployed(name string, change func(*online.Deployment)) {
	d := r.cloud.deployments[name].Deployment
	change(&d)
	r.cloud.keep(d)
}

func TestPreviewOfTheFirstRollout(t *testing.T) {
	r := newRig(t)
	req := request("1")
	req.Strategy.Steps, req.Strategy.Bake, req.Strategy.Retain = []int{5, 100}, time.Minute, Parked
	req.Deployment.InstanceType, req.Deployment.InstanceCount = "S", 2
	p := r.preview(t, req, wanting(""))
	want := Preview{
		Endpoint:  EndpointPreview{Name: "e", Create: true},
		Slot:      SlotPreview{Name: "blue", Why: "the endpoint is new", Fate: "created"},
		Model:     ModelPreview{Ref: "azureml:m:1", Why: "the deployment file names it"},
		Candidate: p.Candidate, Variables: p.Variables, Changes: []Change{},
		Swap: SwapPreview{
			Steps: []StepPreview{{Percent: 100, Traffic: "blue=100", Begins: "0s", Watched: "1m0s"}}, Total: "1m0s", Retain: Parked, Bounds: p.Swap.Bounds,
		},
		Tests:     TestsPreview{Cases: []string{"request"}},
		Instances: InstancesPreview{Now: []string{}, Both: []string{"2 × S"}, After: []string{"2 × S"}},
		Rollback:  RollbackPreview{How: "nothing is live now: there is no way back to it"},
		Notes: []string{
			"nothing is live yet: all the traffic goes to the candidate at once",
			"the endpoint is not there yet: whether its server can park a deployment and how late its metrics are, it says once it is",
		},
		World: World{Mirror: map[string]int{}, Deployments: map[string]string{}},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	if got := fact(p.Candidate, "instances"); got != "2" {
		t.Errorf("the candidate has %q instances, want 2", got)
	}
	for _, bound := range p.Swap.Bounds {
		if strings.Contains(bound, "live") {
			t.Errorf("bound %q compares with what is not there", bound)
		}
	}
}

func TestPreviewOfAChange(t *testing.T) {
	r := newRig(t)
	r.live(t, "1")
	code := online.Ref{Kind: online.Codes, Name: "code", Version: "1"}
	r.deployed("blue", func(d *online.Deployment) {
		d.Code = online.CodeConfiguration{Code: code, Script: "score.py"}
		d.Environment = online.Ref{Kind: online.Environments, Name: "env", Version: "1"}
		d.InstanceType, d.InstanceCount = "S", 2
		d.Variables = map[string]string{"AML_APP_ROOT": "/var", "GONE": "s3cret", "KEPT": "1", "OTHER": "s3cret"}
		d.Tags[TagCommit] = "abc"
		*d = d.WithDefaults()
	})
	r.cloud.code = map[string]azure.Code{
		code.String(): {Ref: code, Hash: "1", Files: []azure.File{
			{Name: "gone.py", Size: 1, MD5: []byte("g")},
			{Name: "grown.py", Size: 1, MD5: []byte("a")},
			{Name: "plain.py", Size: 1},
			{Name: "same.py", Size: 1, MD5: []byte("s")},
			{Name: "score.py", Size: 3, MD5: []byte("a")},
		}},
		"src": {Hash: "2", Files: []azure.File{
			{Name: "grown.py", Size: 2, MD5: []byte("b")},
			{Name: "new.py", Size: 7, MD5: []byte("n")},
			{Name: "plain.py", Size: 1, MD5: []byte("p")},
			{Name: "same.py", Size: 1, MD5: []byte("s")},
			{Name: "score.py", Size: 3, MD5: []byte("b")},
		}},
	}
	r.cloud.environments = map[string]online.Environment{"azureml:env:1": {Image: "img:1", CondaFile: "name: a\ndependencies:\n- python=3.11\n- pip\n"}}

	req := request("2")
	req.Deployment.Description, req.Deployment.InstanceType, req.Deployment.InstanceCount = "1", "s", 3
	req.Deployment.Code.Script, req.Deployment.CodeDir = "score.py", "src"
	req.Deployment.LocalEnvironment = &online.Environment{Image: "img:2", CondaFile: "name: a\ndependencies:\n- python=3.12\n- pip\n"}
	req.Deployment.Variables = map[string]string{"KEPT": "1", "NEW": "s3cret", "OTHER": "more"}
	req.Deployment.Liveness.Period = 20 * time.Second
	p := r.preview(t, req, wanting(""))
	want := []Change{
		{What: "model", Live: "azureml:m:1", Candidate: "azureml:m:2"},
		{What: "instances", Live: "2", Candidate: "3"},
		{
			What: "liveness probe", Live: "delay 10s, period 10s, timeout 2s, success 1, failure 30",
			Candidate: "delay 0s, period 20s, timeout 2s, success 1, failure 30",
		},
		{What: "code", Live: "azureml:code:1", Candidate: "src", Lines: []string{
			"changed  grown.py (2 bytes, was 1 byte)", "added    new.py (7 bytes)", "unknown  plain.py (1 byte as before, and no checksum is kept of it)",
			"changed  score.py (3 bytes as before)", "removed  gone.py",
		}},
		{What: "environment", Live: "azureml:env:1", Candidate: "the deployment file's own", Lines: []string{
			"image: img:2, was img:1", "conda file:", "  name: a", "  dependencies:", "- - python=3.11", "+ - python=3.12", "  - pip",
		}},
		{What: "environment variables", Lines: []string{"removed  GONE", "added    NEW", "changed  OTHER"}},
	}
	if diff := cmp.Diff(want, p.Changes); diff != "" || p.Same {
		t.Errorf("same %v\n%s", p.Same, diff)
	}
	text, err := json.Marshal(p)
	if err != nil || strings.Contains(string(text), "s3cret") || strings.Contains(string(text), "more\"") {
		t.Errorf("a value of a variable is in %s, %v", text, err)
	}
	if l := p.Live; l == nil || l.Deployment != "blue" || l.Model != "azureml:m:1" || l.Commit != "abc" || l.Fingerprint != r.cloud.deployments["blue"].Fingerprint {
		t.Errorf("live is %+v", l)
	}
	if want := (SlotPreview{Name: "green", Why: "blue has 100 % of the traffic, green is not there yet", Fate: "created"}); p.Slot != want {
		t.Errorf("slot %+v, want %+v", p.Slot, want)
	}
	wantInstances := InstancesPreview{Now: []string{"2 × S"}, Both: []string{"2 × S", "3 × s"}, After: []string{"2 × S", "3 × s"}}
	if diff := cmp.Diff(wantInstances, p.Instances); diff != "" {
		t.Error(diff)
	}
}

func TestPreviewOfTheSame(t *testing.T) {
	r := newRig(t)
	r.live(t, "1", "1")
	r.deployed("green", func(d *online.Deployment) {
		d.Code.Code = online.Ref{Kind: online.Codes, Name: "old", Version: "1"}
		d.Environment = online.Ref{Kind: online.Environments, Name: "own", Version: "1"}
		d.Tags["team"], d.InstanceType, d.InstanceCount = "fares", "S", 1
	})
	r.deployed("blue", func(d *online.Deployment) { d.InstanceType, d.InstanceCount = "S", 2 })
	unknown := []azure.File{{Name: "score.py", Size: 1}}
	r.cloud.code = map[string]azure.Code{"azureml:old:1": {Hash: "1", Files: unknown}, "src": {Hash: "1", Files: unknown}}
	r.cloud.environments = map[string]online.Environment{"azureml:own:1": {Image: "img", OSType: "Linux"}}
	req := request("1")
	req.Deployment.CodeDir, req.Deployment.LocalEnvironment = "src", &online.Environment{Image: "img"}
	req.Deployment.InstanceType, req.Deployment.InstanceCount = "S", 1
	p := r.preview(t, req, wanting(""))
	if want := (InstancesPreview{Now: []string{"3 × S"}, Both: []string{"2 × S"}, After: []string{"2 × S"}}); !cmp.Equal(want, p.Instances) {
		t.Errorf("instances %+v, want %+v", p.Instances, want)
	}
	if diff := cmp.Diff([]Change{{What: "tags", Live: "team=fares"}}, p.Changes); diff != "" || !p.Same {
		t.Errorf("same %v\n%s", p.Same, diff)
	}
	want := SlotPreview{
		Name: "blue", Why: "green has 100 % of the traffic, blue has no traffic", Holds: "azureml:m:1",
		Fate: "changed in place; if the candidate is refused, azureml:m:1 is put back",
	}
	if p.Slot != want {
		t.Errorf("slot %+v, want %+v", p.Slot, want)
	}
}

// What can't be read of live is said, and is no reason to refuse a plan.
func TestPreviewOfWhatIsNotKnown(t *testing.T) {
	r := newRig(t)
	r.live(t, "1")
	r.deployed("blue", func(d *online.Deployment) {
		d.Code.Code = online.Ref{Kind: online.Codes, Name: "gone", Version: "1"}
		d.Environment = online.Ref{Kind: online.Environments, Name: "gone", Version: "1"}
	})
	req := request("1")
	req.Deployment.CodeDir = "src"
	req.Deployment.Environment = online.Ref{Kind: online.Environments, Name: "sklearn", Version: "@latest", Registry: "azureml"}
	p := r.preview(t, req, wanting(""))
	want := []Change{
		{What: "code", Live: "azureml:gone:1", Candidate: "src", Lines: []string{"what differs is not known: code azureml:gone:1 was not found"}},
		{
			What: "environment", Live: "azureml:gone:1", Candidate: "azureml://registries/azureml/environments/sklearn/labels/latest",
			Lines: []string{"what differs is not known: environment azureml:gone:1 was not found"},
		},
	}
	if diff := cmp.Diff(want, p.Changes); diff != "" {
		t.Error(diff)
	}
}

func TestPreviewOfTests(t *testing.T) {
	suite := wanting("").Suite
	tests := map[string]struct {
		tests Tests
		want  TestsPreview
	}{
		"forced": {Tests{}, TestsPreview{Cases: []string{}}},
		"suite":  {Tests{Suite: suite}, TestsPreview{Cases: []string{"request"}}},
		"diff of the suite's requests": {
			Tests{suite, &Diff{Options: checks.DiffOptions{MaxDisagreement: 0.01}}},
			TestsPreview{[]string{"request"}, "1 request to live and candidate, at most 1 % may disagree"},
		},
		"diff without a bound": {
			Tests{suite, &Diff{Requests: make([]checks.Request, 3), Options: checks.DiffOptions{MaxDisagreement: -1}}},
			TestsPreview{[]string{"request"}, "3 requests to live and candidate, any share may disagree"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, previewTests(tt.tests)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A plan tells who is in the way, and what it would mean.
func TestPreviewUnderALock(t *testing.T) {
	r := newRig(t)
	r.live(t, "1")
	if p := r.preview(t, request("2"), wanting("")); p.Lock != nil {
		t.Errorf("lock %+v, want none", p.Lock)
	}
	l, err := r.Journal.Acquire(t.Context(), journal.Claim{Rollout: "another", Reason: "their fares", Holder: journal.Holder{Name: "somebody", Host: "elsewhere", PID: 1}})
	if err != nil {
		t.Fatal(err)
	}
	want := LockPreview{Holder: "somebody", Reason: "their fares", Rollout: "another", Means: "a rollout would be refused; --wait waits for it"}
	for range 2 {
		p := r.preview(t, request("2"), wanting(""))
		if p.Lock != nil {
			want.Expires = p.Lock.Expires
		}
		if diff := cmp.Diff(&want, p.Lock); diff != "" || want.Expires.IsZero() {
			t.Error(diff)
		}
		r.Wait, want.Means = time.Minute, "a rollout would wait for it, at most 1m0s"
	}
	if err := l.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := r.cut(t, Deploying, func(s *State) { s.Plan.Slot, s.Plan.Before.Traffic = "green", online.AllTo("blue") })
	p := r.preview(t, request("2"), wanting(""))
	if len(p.Notes) != 1 || !strings.HasPrefix(p.Notes[0], "rollout "+s.ID+" was cut off when Deploying") {
		t.Errorf("notes %q", p.Notes)
	}
}

// Where a rollout would be refused at once, so is its plan.
func TestPreviewThatIsRefused(t *testing.T) {
	tests := map[string]struct {
		change func(r *rig, req *Request)
		code   online.Code
		text   string
	}{
		"no slot": {func(r *rig, _ *Request) {
			traffic, err := online.NewTraffic(map[string]int{"blue": 50, "green": 50})
			if err != nil {
				panic(err)
			}
			r.cloud.endpoint.Traffic = traffic
		}, online.Refused, "has no free slot"},
		"nothing to park it with": {func(r *rig, req *Request) { r.azures(); req.Strategy.Retain = Parked }, online.Invalid, "can't park"},
		"steps that fall":         {func(_ *rig, req *Request) { req.Strategy.Steps = []int{50, 5} }, online.Invalid, "percentages that rise"},
		"metrics that can't be read": {func(r *rig, req *Request) {
			req.Strategy.Bake = time.Minute
			r.cloud.metrics = func(azure.MetricsQuery) ([]azure.MetricsPoint, error) { return nil, errors.New("no metrics") }
		}, online.Internal, "no metrics"},
		"the same again": {func(r *rig, req *Request) {
			req.BackTo = "r"
			req.Deployment.Deployment = r.cloud.deployments["green"].Deployment
		}, online.Refused, "is the same"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.live(t, "1", "2")
			req := request("3")
			tt.change(r, &req)
			_, err := r.Preview(t.Context(), req, wanting(""))
			if err == nil || online.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %v, want %v with %q", err, tt.code, tt.text)
			}
		})
	}
}
