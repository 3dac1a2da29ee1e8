package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/online"
)

func TestPreviewOfSteps(t *testing.T) {
	tests := map[string]struct {
		azures bool
		retain Retain
		want   SwapPreview
		after  []string
		notes  string // in one of them
		way    RollbackPreview
	}{
		"on our server": {false, Parked, SwapPreview{Steps: []StepPreview{
			{5, "blue=95 green=5", "0s", "10m0s", false}, {50, "blue=50 green=50", "10m0s", "10m0s", true}, {100, "green=100", "20m0s", "1h0m0s", false},
		}, Total: "1h20m0s", Retain: Parked}, []string{"1 × S"}, "", RollbackPreview{
			"blue", "azureml:m:1", "", "blue is parked: no instance stays allocated, and hotswap rollback starts it again",
		}},
		"on Azure": {true, None, SwapPreview{Steps: []StepPreview{
			{5, "blue=95 green=5", "0s", "15m0s", false}, {50, "blue=50 green=50", "15m0s", "15m0s", true}, {100, "green=100", "30m0s", "1h5m0s", false},
		}, Total: "1h35m0s", Retain: None}, []string{"1 × S"}, "the metrics of this endpoint may lag by 5m0s", RollbackPreview{
			"", "", "", "blue is not kept: nothing of it stays allocated, and hotswap rollback can't return to it",
		}},
		"kept warm": {true, Warm, SwapPreview{Steps: []StepPreview{
			{5, "blue=95 green=5", "0s", "15m0s", false}, {50, "blue=50 green=50", "15m0s", "15m0s", true}, {100, "green=100", "30m0s", "1h5m0s", false},
		}, Total: "1h35m0s", Retain: Warm}, []string{"3 × S"}, "", RollbackPreview{
			"blue", "azureml:m:1", "", "blue is kept warm: 2 × S stay allocated, and hotswap rollback returns to it at once",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.live(t, "1")
			r.deployed("blue", func(d *online.Deployment) { d.InstanceType, d.InstanceCount = "S", 2 })
			if tt.azures {
				r.azures()
			}
			req := request("2")
			req.Deployment.InstanceType, req.Deployment.InstanceCount = "S", 1
			s := &req.Strategy
			s.Steps, s.PauseAt, s.Bake, s.Retain = []int{5, 50, 100}, 50, time.Hour, tt.retain
			p := r.preview(t, req, wanting(""))
			tt.want.Bounds = p.Swap.Bounds
			if diff := cmp.Diff(tt.want, p.Swap); diff != "" {
				t.Error(diff)
			}
			if len(p.Swap.Bounds) != 5 || p.Swap.Bounds[1] != "errors (5xx, 424, 408): at most 1 % of the answers more than live's" {
				t.Errorf("bounds %q", p.Swap.Bounds)
			}
			if !slices.Equal(p.Instances.Both, []string{"3 × S"}) || !slices.Equal(p.Instances.After, tt.after) {
				t.Errorf("instances %+v, want %s after", p.Instances, tt.after)
			}
			if quota := strings.Contains(p.Instances.Quota, "2 × S for the candidate"); quota != tt.azures {
				t.Errorf("quota %q", p.Instances.Quota)
			}
			if !strings.Contains(strings.Join(p.Notes, "\n"), tt.notes) {
				t.Errorf("notes %q, want %q", p.Notes, tt.notes)
			}
			if tt.way.Deployment != "" {
				tt.way.Fingerprint = r.cloud.deployments["blue"].Fingerprint
			}
			if p.Rollback != tt.way {
				t.Errorf("rollback %+v, want %+v", p.Rollback, tt.way)
			}
		})
	}
}

// Traffic that is split has no live slot, but a way back.
func TestPreviewOfSplitTraffic(t *testing.T) {
	r := newRig(t)
	r.live(t, "1")
	r.cloud.keep(online.Deployment{Name: "red", State: online.Succeeded})
	traffic, err := online.NewTraffic(map[string]int{"blue": 60, "red": 40})
	if err != nil {
		t.Fatal(err)
	}
	r.cloud.endpoint.Traffic = traffic
	p := r.preview(t, request("2"), wanting(""))
	want := "hotswap rollback returns to the traffic blue=60 red=40, while its deployments are as they are now"
	if p.Live != nil || p.Rollback != (RollbackPreview{How: want}) {
		t.Errorf("live %+v, rollback %+v; want %q", p.Live, p.Rollback, want)
	}
}

// What Azure may not change in place is said before a rollout finds it out.
func TestPreviewOfWhatStaysOnAzure(t *testing.T) {
	r := newRig(t)
	r.live(t, "1", "2")
	r.deployed("blue", func(d *online.Deployment) {
		d.InstanceType, d.Properties = "S", map[string]string{"a": "1", "b": "1", "c": "1", "AzureAsyncOperationUri": "u"}
	})
	req := request("3")
	req.Deployment.InstanceType, req.Deployment.Properties = "L", map[string]string{"a": "1", "b": "2"}
	if p := r.preview(t, req, wanting("")); len(p.Notes) > 0 {
		t.Errorf("notes of our server %q, want none", p.Notes)
	}
	r.azures()
	p := r.preview(t, req, wanting(""))
	if len(p.Notes) != 2 || !strings.Contains(p.Notes[0], "blue has instance type S, the candidate L") || !strings.Contains(p.Notes[1], "properties of blue change or go: b, c;") {
		t.Errorf("notes %q", p.Notes)
	}
	r.deployed("blue", func(d *online.Deployment) { d.State, d.Tags = online.Failed, nil })
	if p = r.preview(t, req, wanting("")); len(p.Notes) > 0 || !strings.HasPrefix(p.Slot.Fate, "deleted and created again") {
		t.Errorf("fate %q, notes %q; want it deleted and created again", p.Slot.Fate, p.Notes)
	}
}
