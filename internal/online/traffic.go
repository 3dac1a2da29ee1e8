package online

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Traffic is the share of an endpoint's requests that each deployment gets.
//
// Invariant: names are in lower case, shares are 1 to 100 and add up to 100, or there are none
// and the endpoint is closed. The zero Traffic is a closed endpoint.
type Traffic struct{ shares map[string]int }

// NewTraffic is the only way to make a Traffic, so a Traffic in hand is a valid one.
// Shares are in percent; a share of 0 is the same as none.
func NewTraffic(shares map[string]int) (Traffic, error) {
	total := 0
	kept := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(shares)) {
		share := shares[name]
		if share < 0 || share > 100 {
			return Traffic{}, Errorf(Invalid, "traffic of deployment %q is %d, want 0 to 100", name, share)
		}
		if share > 0 {
			kept[strings.ToLower(name)] += share
		}
		total += share
	}
	if total != 0 && total != 100 {
		return Traffic{}, Errorf(Invalid, "traffic adds up to %d, want 0 or 100", total)
	}
	return Traffic{kept}, nil
}

// AllTo is the traffic that gives everything to one deployment.
func AllTo(deployment string) Traffic {
	return Traffic{map[string]int{strings.ToLower(deployment): 100}}
}

// Share returns the percentage that the named deployment gets.
func (t Traffic) Share(deployment string) int { return t.shares[strings.ToLower(deployment)] }

// Shares returns a copy of all shares above 0, by deployment; never nil.
func (t Traffic) Shares() map[string]int {
	shares := make(map[string]int, len(t.shares))
	maps.Copy(shares, t.shares)
	return shares
}

// Closed reports whether no deployment gets any traffic.
func (t Traffic) Closed() bool { return len(t.shares) == 0 }

// Equal reports whether t and u give every deployment the same share.
func (t Traffic) Equal(u Traffic) bool { return maps.Equal(t.shares, u.shares) }

// Live returns the deployment that gets all the traffic, or "" where none does.
func (t Traffic) Live() string {
	for name, share := range t.shares {
		if share == 100 {
			return name
		}
	}
	return ""
}

// String is like "blue=90 green=10", sorted by name, or "none".
func (t Traffic) String() string {
	if t.Closed() {
		return "none"
	}
	words := make([]string, 0, len(t.shares))
	for _, name := range slices.Sorted(maps.Keys(t.shares)) {
		words = append(words, fmt.Sprintf("%s=%d", name, t.shares[name]))
	}
	return strings.Join(words, " ")
}

// MarshalJSON writes the shares as an object, {} for a closed endpoint.
func (t Traffic) MarshalJSON() ([]byte, error) { return json.Marshal(t.Shares()) }

// UnmarshalJSON reads an object of shares and checks it as NewTraffic does.
func (t *Traffic) UnmarshalJSON(b []byte) (err error) {
	var shares map[string]int
	if err := json.Unmarshal(b, &shares); err != nil {
		return err
	}
	*t, err = NewTraffic(shares)
	return err
}

// MaxMirror is the largest percentage that may be mirrored (Azure ML, "Safe rollout for online endpoints").
const MaxMirror = 50

// Mirror copies a percentage of the requests to one deployment, whose answers are dropped.
// The zero Mirror copies nothing.
type Mirror struct {
	Deployment string // in lower case
	Percent    int    // 0 to MaxMirror
}

// NewMirror reads the mirror of shares, which names at most one deployment and at most MaxMirror percent.
func NewMirror(shares map[string]int) (Mirror, error) {
	var m Mirror
	for _, name := range slices.Sorted(maps.Keys(shares)) {
		percent := shares[name]
		switch {
		case percent == 0:
			continue
		case percent < 0 || percent > MaxMirror:
			return Mirror{}, Errorf(Invalid, "mirror traffic of deployment %q is %d, want 0 to %d", name, percent, MaxMirror)
		case m.Percent > 0:
			return Mirror{}, Errorf(Invalid, "mirror traffic goes to %q and %q, want one deployment at most", m.Deployment, name)
		}
		m = Mirror{Deployment: strings.ToLower(name), Percent: percent}
	}
	return m, nil
}

// Shares returns the mirror as a map, as it is on the wire; never nil.
func (m Mirror) Shares() map[string]int {
	if m.Percent == 0 {
		return map[string]int{}
	}
	return map[string]int{m.Deployment: m.Percent}
}
