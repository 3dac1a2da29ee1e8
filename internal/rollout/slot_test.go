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
		Before: Snapshot{Traffic: online.AllTo("blue"), Mirror: online.Mirror{Deployment: "green", Percent: 10}},
		After:  online.AllTo("green"),
	}
	tests := map[string]struct {
		e    online.Endpoint
		want standing
	}{
		"as before":               {online.Endpoint{Traffic: p.Before.Traffic, Mirror: p.Before.Mirror}, atBefore},
		"as planned":              {online.Endpoint{Traffic: p.After}, atAfter},
		"traffic split by hand":   {online.Endpoint{Traffic: traffic(t, map[string]int{"blue": 50, "green": 50})}, atOther},
		"mirror taken by hand":    {online.Endpoint{Traffic: p.Before.Traffic}, atOther},
		"planned, mirror remains": {online.Endpoint{Traffic: p.After, Mirror: p.Before.Mirror}, atOther},
		"closed":                  {online.Endpoint{}, atOther},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := p.standing(tt.e); got != tt.want {
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
