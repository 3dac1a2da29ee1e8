package gateway

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"hotswap/internal/meter"
	"hotswap/internal/online"
)

// Endpoint is what the gateway has to know of an endpoint: plain data, not changed once it was
// given to Swap.
type Endpoint struct {
	Name        string // in lower case, as all names here
	Revision    int64  // of the desired state that this was made of
	Auth        online.AuthMode
	KeyDigests  [][32]byte     // SHA-256 of each key that is good
	Shares      map[string]int // percent by deployment; they add up to 0 or 100
	Deployments []Deployment
}

// Deployment is one deployment of an endpoint.
type Deployment struct {
	Name        string
	ID          string        // names one incarnation: deleted and created again, it has another
	Model       string        // name:version, for the answer's header and the log
	Concurrency int           // requests that one instance works on at a time
	Timeout     time.Duration // for waiting and running together; 408 after it
	Stuck       time.Duration // how long after its 408 a request may keep its worker
	Instances   []Instance
}

// Instance is one instance of a deployment. Its workers never change: others have another ID.
type Instance struct {
	ID      string
	Workers []Address // one for each process
}

// Address is where a worker listens.
type Address struct{ Network, Address string }

// check tells what is wrong with an endpoint.
func (e *Endpoint) check() error {
	names := map[string]bool{}
	for _, d := range e.Deployments {
		switch {
		case names[d.Name]:
			return online.Errorf(online.Invalid, "route endpoint %q: deployment %q is there twice", e.Name, d.Name)
		case d.ID == "":
			return online.Errorf(online.Invalid, "route endpoint %q: deployment %q has no id", e.Name, d.Name)
		case d.Concurrency < 1 || d.Timeout <= 0:
			return online.Errorf(online.Invalid, "route endpoint %q: deployment %q has concurrency %d and timeout %v, want more", e.Name, d.Name, d.Concurrency, d.Timeout)
		}
		names[d.Name] = true
	}
	return e.checkShares(names)
}

func (e *Endpoint) checkShares(names map[string]bool) error {
	for name, share := range e.Shares {
		if share > 0 && !names[name] {
			return online.Errorf(online.Invalid, "route endpoint %q: deployment %q has traffic and is not there", e.Name, name)
		}
	}
	if _, err := online.NewTraffic(e.Shares); err != nil {
		return online.Errorf(online.Invalid, "route endpoint %q: %w", e.Name, err)
	}
	return nil
}

// routes are the endpoints by name. A routes is never changed: a swap stores another.
type routes map[string]*route

// route is an endpoint with the deployments that its names stand for.
type route struct {
	Endpoint
	seq     uint64 // grows with every route that this gateway puts in force
	targets map[string]*target
	shares  []share // those above 0, by name
}

// share is a slice of the numbers 0 to 99: those below upTo and not in a slice before it.
type share struct {
	upTo   int
	target *target
}

// target is a deployment as one route names it.
type target struct {
	Deployment
	*backend
	counter *meter.Counter
}

// newRoute resolves an endpoint's deployments by their ids, and their counters by their names.
func newRoute(e Endpoint, seq uint64, backends map[string]*backend, m *meter.Meter) *route {
	r := &route{Endpoint: e, seq: seq, targets: make(map[string]*target, len(e.Deployments))}
	for _, d := range e.Deployments {
		r.targets[d.Name] = &target{Deployment: d, backend: backends[d.ID], counter: m.Counter(e.Name, d.Name)}
	}
	upTo := 0
	for _, name := range slices.Sorted(maps.Keys(e.Shares)) {
		if percent := e.Shares[name]; percent > 0 {
			upTo += percent
			r.shares = append(r.shares, share{upTo, r.targets[name]})
		}
	}
	return r
}

// choose returns the deployment whose slice of 0 to 99 holds the draw; nil where none has a share.
func (r *route) choose(draw int) *target {
	for _, s := range r.shares {
		if draw < s.upTo {
			return s.target
		}
	}
	return nil
}

// pick returns the deployment that was asked for by name or, without a name, one by its share.
func (r *route) pick(wanted string) (*target, *refusal) {
	if wanted != "" {
		if t := r.targets[strings.ToLower(wanted)]; t != nil {
			return t, nil
		}
		return nil, refuseUnknown
	}
	if t := r.choose(rand.IntN(100)); t != nil {
		return t, nil
	}
	return nil, refuseUnrouted
}

// names tells whether a deployment or an instance, by its id, is in force.
func (t routes) names(id string) bool {
	for _, r := range t {
		for _, d := range r.Deployments {
			if d.ID == id || slices.ContainsFunc(d.Instances, func(i Instance) bool { return i.ID == id }) {
				return true
			}
		}
	}
	return false
}

// with returns a copy of t in which r stands for its endpoint.
func (t routes) with(r *route) routes {
	next := maps.Clone(t)
	next[r.Name] = r
	return next
}

// without returns a copy of t that has no such endpoint.
func (t routes) without(name string) routes {
	next := maps.Clone(t)
	delete(next, name)
	return next
}
