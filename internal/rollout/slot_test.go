package rollout

import (
	"strings"
	"testing"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

func traffic(t *testing.T, shares map[string]int) online.Traffic {
	t.Helper()
	tr, err := online.NewTraffic(shares)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func deployment(name string, state online.ProvisioningState) azure.Deployment {
	return azure.Deployment{Deployment: online.Deployment{Name: name, State: state}, Fingerprint: "of " + name}
}

func TestChooseSlot(t *testing.T) {
	tests := map[string]struct {
		shares map[string]int
		mirror online.Mirror
		there  []azure.Deployment
		want   string
		err    string
	}{
		"nothing there":      {want: "blue"},
		"blue is live":       {shares: map[string]int{"blue": 100}, there: []azure.Deployment{deployment("blue", online.Succeeded)}, want: "green"},
		"green is live":      {shares: map[string]int{"green": 100}, there: []azure.Deployment{deployment("green", online.Succeeded)}, want: "blue"},
		"another is live":    {shares: map[string]int{"default": 100}, want: "blue"},
		"blue takes a part":  {shares: map[string]int{"blue": 10, "default": 90}, want: "green"},
		"blue is mirrored":   {shares: map[string]int{"default": 100}, mirror: online.Mirror{Deployment: "blue", Percent: 10}, want: "green"},
		"blue is being made": {there: []azure.Deployment{deployment("blue", online.Creating)}, want: "green"},
		"blue has failed":    {there: []azure.Deployment{deployment("blue", online.Failed)}, want: "blue"},
		"both take traffic": {
			shares: map[string]int{"blue": 40, "green": 60},
			err:    "endpoint e has no free slot: blue has 40 % of the traffic, green has 60 % of the traffic; take the traffic off one of them, or wait",
		},
		"one live, one busy": {
			shares: map[string]int{"blue": 100}, there: []azure.Deployment{deployment("green", online.Updating)},
			err: "endpoint e has no free slot: blue has 100 % of the traffic, green is Updating; take the traffic off one of them, or wait",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := online.Endpoint{Name: "e", Traffic: traffic(t, tt.shares), Mirror: tt.mirror}
			got, err := chooseSlot(e, tt.there)
			if got != tt.want || errText(err) != tt.err {
				t.Errorf("chooseSlot = %q, %v; want %q, %q", got, err, tt.want, tt.err)
			}
			if err != nil && online.CodeOf(err) != online.Refused {
				t.Errorf("code %s, want %s", online.CodeOf(err), online.Refused)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestStanding(t *testing.T) {
	p := Plan{
		Slot: "green", Strategy: Strategy{Steps: []int{50, 100}},
		Before: Snapshot{Traffic: online.AllTo("blue"), Mirror: online.Mirror{Deployment: "green", Percent: 10}},
		After:  online.AllTo("green"),
	}
	half := online.Endpoint{Traffic: traffic(t, map[string]int{"blue": 50, "green": 50})}
	first, second, back := State{Plan: p, Phase: Swapping}, State{Plan: p, Phase: Swapping, Step: 1}, State{Plan: p, Phase: RollingBack, Step: 1}
	tests := map[string]struct {
		s    State
		e    online.Endpoint
		want standing
	}{
		"as before":                   {first, online.Endpoint{Traffic: p.Before.Traffic, Mirror: p.Before.Mirror}, atBefore},
		"the first step":              {first, half, atAfter},
		"a step too far":              {first, online.Endpoint{Traffic: p.After}, atOther},
		"the step before":             {second, half, atBefore},
		"as planned":                  {second, online.Endpoint{Traffic: p.After}, atAfter},
		"two steps back":              {second, online.Endpoint{Traffic: p.Before.Traffic, Mirror: p.Before.Mirror}, atOther},
		"back, from the last step":    {back, online.Endpoint{Traffic: p.After}, atBefore},
		"back, from an earlier step":  {back, half, atBefore},
		"back, as before":             {back, online.Endpoint{Traffic: p.Before.Traffic, Mirror: p.Before.Mirror}, atAfter},
		"back, by somebody else":      {back, online.Endpoint{Traffic: traffic(t, map[string]int{"blue": 60, "green": 40})}, atOther},
		"traffic split by hand":       {first, online.Endpoint{Traffic: traffic(t, map[string]int{"blue": 60, "green": 40})}, atOther},
		"mirror taken by hand":        {first, online.Endpoint{Traffic: p.Before.Traffic}, atOther},
		"planned, the mirror remains": {second, online.Endpoint{Traffic: p.After, Mirror: p.Before.Mirror}, atOther},
		"closed":                      {first, online.Endpoint{}, atOther},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.s.standing(tt.e); got != tt.want {
				t.Errorf("standing = %d, want %d", got, tt.want)
			}
		})
	}
}

func TestSnapshotNamesWhatCarriesTraffic(t *testing.T) {
	e := online.Endpoint{Name: "e", Traffic: online.AllTo("blue")}
	s, err := snapshot(e, []azure.Deployment{deployment("blue", online.Succeeded), deployment("green", online.Succeeded)})
	if err != nil || len(s.Fingerprints) != 1 || s.Fingerprints["blue"] != "of blue" {
		t.Errorf("snapshot = %+v, %v; want the fingerprint of blue alone", s, err)
	}
	if _, err := snapshot(e, nil); online.CodeOf(err) != online.Conflict || !strings.Contains(err.Error(), "blue, which is not there") {
		t.Errorf("traffic to an absent deployment: %v", err)
	}
}
