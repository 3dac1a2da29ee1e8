package control

import (
	"slices"
	"time"

	"hotswap/internal/online"
	"hotswap/internal/store"
	"hotswap/internal/workers"
)

// retryAfter is how long an instance of a deployment that has served before stays failed, with its
// log, until another one is started for it.
const retryAfter = 10 * time.Second

// instance is a row with what is known of it beside the state file.
type instance struct {
	store.Instance
	state    workers.State // Starting until more is heard
	err      error         // why it is Failed
	failedAt time.Time
	routed   bool // the routes in force name it
	leaving  bool // it is being drained or removed
}

// An outcome is what has become of a change of a deployment.
type outcome int

const (
	goesOn outcome = iota
	succeeded
	failed
)

// intent is what is to be done for a deployment, in the order of its fields.
type intent struct {
	starts  []start
	version *store.Version // whose settings the routes have; nil: they don't name the deployment
	serve   []string       // instances in the routes
	outcome outcome        // succeeded once those routes are in force
	culprit instance       // of a failed outcome
	leave   []string       // instances to drain and remove once the routes don't name them
	drop    bool           // drain and remove the deployment once the routes don't name it
	again   time.Duration  // look again after this; 0 means when something happens
}

// start asks for n new instances of a version.
type start struct {
	version store.Version
	n       int
}

// decide is the policy for one deployment. It does no I/O: each row of it is one row of a test.
func decide(d store.Deployment, all []instance, now time.Time) intent {
	switch {
	case d.State == online.Deleting:
		return intent{drop: true}
	case d.State.Busy():
		return change(d, all, now)
	}
	return settle(d, all, now)
}

// change brings up what is desired beside what serves. The routes go from the one to the other in
// one step, when all of the new set is ready; the old set leaves after that, in settle.
func change(d store.Deployment, all []instance, now time.Time) intent {
	if d.Desired.Parked() {
		return park(d, all)
	}
	target := setOf(d.Desired, all)
	ready := usable(target, d.Desired.InstanceCount)
	if len(ready) == d.Desired.InstanceCount {
		return intent{version: &d.Desired, serve: ready, outcome: succeeded}
	}
	in := sustain(d, all, now)
	if i := slices.IndexFunc(target, func(i instance) bool { return i.state == workers.Failed }); i >= 0 {
		return intent{version: in.version, serve: in.serve, outcome: failed, culprit: target[i]}
	}
	if d.Served != nil && d.Served.Launch == d.Desired.Launch {
		in.starts = nil // they are of the target too, and counted there
	}
	if missing := d.Desired.InstanceCount - len(target); missing > 0 {
		in.starts = append(in.starts, start{d.Desired, missing})
	}
	for _, i := range all {
		if i.Kept && !i.leaving {
			in.leave = append(in.leave, i.ID) // of an earlier attempt
		}
	}
	return in
}

// park lets all instances go, once the routes name the deployment without any. It has succeeded when
// none is left: what they took is free then.
func park(d store.Deployment, all []instance) intent {
	in := intent{version: &d.Desired}
	if len(all) == 0 {
		in.outcome = succeeded
	}
	for _, i := range all {
		if !i.leaving {
			in.leave = append(in.leave, i.ID)
		}
	}
	return in
}

// settle keeps up what served last, and lets everything else leave but the log of a failure.
func settle(d store.Deployment, all []instance, now time.Time) intent {
	in := sustain(d, all, now)
	var served []instance
	if d.Served != nil {
		served = setOf(*d.Served, all)
	}
	spare := len(in.serve) // those up to the instance count stay
	for _, i := range all {
		switch {
		case i.leaving || slices.Contains(in.serve, i.ID) || slices.Contains(in.leave, i.ID):
		case i.Kept && d.State == online.Failed:
		case !i.Kept && contains(served, i.ID) && spare < d.Served.InstanceCount:
			spare++
		default:
			in.leave = append(in.leave, i.ID)
		}
	}
	return in
}

// sustain keeps the instances of the version that served last, as far as there is one: it starts
// those that are missing, and after a while others for those that failed.
func sustain(d store.Deployment, all []instance, now time.Time) (in intent) {
	if d.Served == nil {
		return in
	}
	set := setOf(*d.Served, all)
	in.version, in.serve = d.Served, usable(set, d.Served.InstanceCount)
	missing := d.Served.InstanceCount - len(set)
	for _, i := range set {
		if i.state != workers.Failed {
			continue
		}
		if wait := i.failedAt.Add(retryAfter).Sub(now); wait > 0 {
			in.again = wait
			continue
		}
		in.leave = append(in.leave, i.ID)
		missing++
	}
	if missing > 0 {
		in.starts = []start{{*d.Served, missing}}
	}
	return in
}

// setOf are the instances that were started as those of v are, and are there to stay.
func setOf(v store.Version, all []instance) (set []instance) {
	for _, i := range all {
		if i.Launch == v.Launch && !i.Kept && !i.leaving {
			set = append(set, i)
		}
	}
	return set
}

// usable picks at most n instances that can serve, in their order: those that are ready and routed
// first, then those that are ready. One that is routed may be down for a moment: its workers are
// started again, and the gateway uses their siblings.
func usable(set []instance, n int) (ids []string) {
	rank := func(i instance) int {
		switch {
		case i.state == workers.Ready && i.routed:
			return 0
		case i.state == workers.Ready:
			return 1
		case i.routed && i.state != workers.Failed:
			return 2
		}
		return 3
	}
	best := slices.Clone(set)
	slices.SortStableFunc(best, func(a, b instance) int { return rank(a) - rank(b) })
	best = best[:min(n, len(best))]
	for _, i := range set {
		if rank(i) < 3 && contains(best, i.ID) {
			ids = append(ids, i.ID)
		}
	}
	return ids
}

func contains(set []instance, id string) bool {
	return slices.ContainsFunc(set, func(i instance) bool { return i.ID == id })
}
