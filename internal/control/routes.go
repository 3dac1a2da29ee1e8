package control

import (
	"maps"
	"reflect"
	"time"

	"hotswap/internal/gateway"
	"hotswap/internal/online"
	"hotswap/internal/store"
	"hotswap/internal/workers"
)

// routed is what the routes say of one deployment.
type routed struct {
	deployment store.Deployment
	version    store.Version
	instances  []string
}

// routesOf makes the routes of an endpoint. Addresses tells where the workers of an instance are.
func routesOf(e store.Endpoint, keys [][32]byte, shares map[string]int, rs []routed, addresses func(workers.Instance) []workers.Address) gateway.Endpoint {
	next := gateway.Endpoint{Name: e.Name, Revision: e.Revision, Auth: e.AuthMode, KeyDigests: keys, Shares: shares}
	for _, r := range rs {
		v := r.version
		d := gateway.Deployment{
			Name: r.deployment.Name, ID: r.deployment.Incarnation, Model: modelName(v.Model),
			Concurrency: v.Request.MaxConcurrentRequestsPerInstance, Timeout: v.Request.Timeout, Stuck: stuckAfter(v.Liveness),
		}
		for _, id := range r.instances {
			i := gateway.Instance{ID: id}
			for _, a := range addresses(instanceOf(v, id)) {
				i.Workers = append(i.Workers, gateway.Address{Network: a.Network, Address: a.Address})
			}
			d.Instances = append(d.Instances, i)
		}
		next.Deployments = append(next.Deployments, d)
	}
	return next
}

func modelName(model online.Ref) string {
	if model.IsZero() {
		return ""
	}
	return model.Name + ":" + model.Version
}

// stuckAfter is the time that the liveness probe gives a worker which was well before. The probe
// itself can't tell that run() hangs: it is answered by another thread.
func stuckAfter(p online.Probe) time.Duration {
	return time.Duration(p.FailureThreshold) * p.Period
}

// sameRoutes compares all but the revisions.
func sameRoutes(a, b gateway.Endpoint) bool {
	a.Revision, b.Revision = 0, 0
	return reflect.DeepEqual(a, b)
}

// names tells whether routes name a deployment or an instance by its id; nil routes name none.
func names(e *gateway.Endpoint, id string) bool {
	if e == nil {
		return false
	}
	for _, d := range e.Deployments {
		if d.ID == id {
			return true
		}
		for _, i := range d.Instances {
			if i.ID == id {
				return true
			}
		}
	}
	return false
}

// lag makes traffic follow its desired state late, where the pace says so.
type lag struct{ until time.Time } // zero: nothing is late, or not yet settled

// shares are those to route by, and how long until they change by themselves. They are the ones in
// force until the delay is over, but never of a deployment that is on its way out.
func (l *lag) shares(e online.Endpoint, inForce *gateway.Endpoint, present map[string]bool, delay time.Duration, now time.Time) (map[string]int, time.Duration) {
	desired := e.Traffic.Shares()
	if delay == 0 || inForce == nil || maps.Equal(inForce.Shares, desired) || !allPresent(inForce.Shares, present) {
		l.until = time.Time{}
		return desired, 0
	}
	if e.State.Busy() {
		l.until = time.Time{}
		return inForce.Shares, 0
	}
	if l.until.IsZero() {
		l.until = now.Add(delay)
	}
	if wait := l.until.Sub(now); wait > 0 {
		return inForce.Shares, wait
	}
	l.until = time.Time{}
	return desired, 0
}

func allPresent(shares map[string]int, present map[string]bool) bool {
	for name := range shares {
		if !present[name] {
			return false
		}
	}
	return true
}
