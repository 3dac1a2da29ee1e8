package rollout

import (
	"fmt"
	"strings"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

// chooseSlot picks where the candidate goes: the first slot that is absent, or that has neither
// traffic nor mirrored traffic and no operation under way.
func chooseSlot(e online.Endpoint, there []azure.Deployment) (string, error) {
	taken := make([]string, 0, len(online.Slots()))
	for _, slot := range online.Slots() {
		why := occupied(slot, e, there)
		if why == "" {
			return slot, nil
		}
		taken = append(taken, slot+" "+why)
	}
	return "", online.Errorf(online.Refused, "endpoint %s has no free slot: %s; take the traffic off one of them, or wait",
		e.Name, strings.Join(taken, ", "))
}

// occupied says what keeps a slot from being used, or "".
func occupied(slot string, e online.Endpoint, there []azure.Deployment) string {
	if share := e.Traffic.Share(slot); share > 0 {
		return fmt.Sprintf("has %d %% of the traffic", share)
	}
	if e.Mirror.Deployment == slot && e.Mirror.Percent > 0 {
		return fmt.Sprintf("has %d %% of the traffic mirrored to it", e.Mirror.Percent)
	}
	if d := find(there, slot); d != nil && d.State.Busy() {
		return fmt.Sprintf("is %s", d.State)
	}
	return ""
}

func find(there []azure.Deployment, name string) *azure.Deployment {
	for i := range there {
		if there[i].Name == name {
			return &there[i]
		}
	}
	return nil
}

// snapshot describes the endpoint as it was read.
func snapshot(e online.Endpoint, there []azure.Deployment) (Snapshot, error) {
	s := Snapshot{Traffic: e.Traffic, Mirror: e.Mirror, Fingerprints: map[string]string{}}
	for name := range e.Traffic.Shares() {
		d := find(there, name)
		if d == nil {
			return s, online.Errorf(online.Conflict, "endpoint %s gives traffic to %s, which is not there; read it again", e.Name, name)
		}
		s.Fingerprints[name] = d.Fingerprint
	}
	return s, nil
}
