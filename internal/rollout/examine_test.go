package rollout

import (
	"context"
	"testing"

	"hotswap/internal/azure"
	"hotswap/internal/checks"
	"hotswap/internal/online"
)

func TestExamine(t *testing.T) {
	half, _ := online.NewTraffic(map[string]int{"blue": 50, "green": 50})
	tests := map[string]struct {
		name    string
		prepare func(*fakeCloud)
		tested  string // the deployment in the report
		code    online.Code
	}{
		"the live one":    {tested: "green"},
		"the other one":   {name: "blue", tested: "blue"},
		"no such one":     {name: "red", code: online.NotFound},
		"none is live":    {prepare: func(f *fakeCloud) { f.endpoint.Traffic = half }, code: online.Invalid},
		"one of two":      {name: "blue", prepare: func(f *fakeCloud) { f.endpoint.Traffic = half }, tested: "blue"},
		"no endpoint":     {prepare: func(f *fakeCloud) { f.endpoint = nil }, code: online.NotFound},
		"one that failed": {prepare: func(f *fakeCloud) { setState(f, "green", online.Failed) }, code: online.Conflict},
		"one that changes": {prepare: func(f *fakeCloud) {
			f.score = func(context.Context) (azure.Answer, error) {
				d := f.deployments["green"]
				d.Description = "somebody else's"
				f.keep(d.Deployment)
				return azure.Answer{Status: 200, Deployment: "green", Body: []byte("[1]")}, nil
			}
		}, code: online.Refused},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.live(t, "1", "2")
			if tt.prepare != nil {
				tt.prepare(r.cloud)
			}
			report, err := r.Examine(t.Context(), checks.Single([]byte("{}"), nil, 0), tt.name)
			if tt.code != "" {
				if online.CodeOf(err) != tt.code {
					t.Errorf("error %v, want %s", err, tt.code)
				}
				return
			}
			if err != nil || !report.Passed() || report.Deployment != tt.tested || report.Fingerprint != r.cloud.deployments[tt.tested].Fingerprint {
				t.Errorf("%v, %+v", err, report)
			}
		})
	}
}

func setState(f *fakeCloud, name string, s online.ProvisioningState) {
	d := f.deployments[name]
	d.State = s
	f.deployments[name] = d
}
