package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hotswap/internal/online"
)

// SwapPreview is how the candidate would get the traffic.
type SwapPreview struct {
	Steps  []StepPreview `json:"steps"`
	Total  string        `json:"total"`            // from the first step to the end, if each passes in its time
	Bounds []string      `json:"bounds,omitempty"` // none where nothing is watched
	Retain Retain        `json:"retain"`
}

// StepPreview is one write of the traffic, and what follows it.
type StepPreview struct {
	Percent int    `json:"percent"` // of the candidate
	Traffic string `json:"traffic"`
	Begins  string `json:"begins"`            // after the first
	Watched string `json:"watched,omitempty"` // how long; "" for not at all
	Pause   bool   `json:"pause,omitempty"`   // a person lets it go on
}

// InstancesPreview is what is allocated, as "2 × Standard_DS3_v2".
type InstancesPreview struct {
	Now   []string `json:"now"`
	Both  []string `json:"both"`  // while both slots are up
	After []string `json:"after"` // by what becomes of the former live slot
	Quota string   `json:"quota,omitempty"`
}

// RollbackPreview is what `hotswap rollback` would restore once the rollout is through.
type RollbackPreview struct {
	Deployment  string `json:"deployment,omitempty"` // "" for nothing
	Model       string `json:"model,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
	How         string `json:"how"`
}

// swap tells the steps with their times. Where metrics come late, each step that is watched takes
// that much longer.
func (o *outlook) swap() SwapPreview {
	s := o.plan.Strategy
	p := SwapPreview{Retain: s.Retain}
	var at time.Duration
	for i, percent := range s.Steps {
		step := StepPreview{Percent: percent, Traffic: o.plan.at(i).String(), Begins: at.String()}
		if watched := s.watchTime(i); watched > 0 {
			watched += o.late()
			step.Watched = watched.String()
			at += watched
		}
		step.Pause = percent == s.PauseAt
		p.Steps = append(p.Steps, step)
	}
	p.Total = at.String()
	if s.watched() {
		p.Bounds = s.Bounds.words(o.plan.Former != nil)
	}
	return p
}

// late is how much longer a watched step takes for the metrics' sake.
func (o *outlook) late() time.Duration {
	if o.fresh || final(o.e) {
		return 0
	}
	return o.MetricsLag
}

// words are the bounds to people; against says whether there is a live slot to compare with.
func (b Bounds) words(against bool) []string {
	words := []string{
		fmt.Sprintf("at least %d requests a side, else it is rolled back %v after its time", b.MinRequests, b.Timeout),
		fmt.Sprintf("errors (5xx, 424, 408): at most %s of the answers more than live's", percentage(b.Errors)),
		fmt.Sprintf("client errors (other 4xx): at most %s more than live's", percentage(b.ClientErrors)),
		fmt.Sprintf("throttled (429): at most %s more than live's", percentage(b.Throttled)),
		fmt.Sprintf("latency: p50 at most %v times live's, p99 %v times; %v more is no difference", b.P50, b.P99, b.Slack),
	}
	if against {
		return words
	}
	for i, w := range words {
		words[i] = strings.NewReplacer(" more than live's", "", " a side", "").Replace(w)
	}
	return words[:len(words)-1]
}

// instances counts what is allocated before, on the way and after.
func (o *outlook) instances() (p InstancesPreview) {
	count := map[string]int{}
	for _, d := range o.there {
		count[d.InstanceType] += d.InstanceCount
	}
	p.Now = allocation(count)
	if held := find(o.there, o.plan.Slot); held != nil {
		count[held.InstanceType] -= held.InstanceCount
	}
	d := o.req.Deployment
	count[d.InstanceType] += d.InstanceCount
	p.Both = allocation(count)
	if f := o.plan.Former; f != nil && o.plan.Strategy.Retain != Warm {
		count[f.InstanceType] -= f.InstanceCount
	}
	p.After = allocation(count)
	if o.azures() {
		const reserve = 5 // one in so many is added, rounded up
		p.Quota = fmt.Sprintf("Azure wants quota for a fifth more of most machine types while it updates them: %d × %s for the candidate alone "+
			"(learn.microsoft.com, \"Manage and increase quotas\": ceil(1.2 × instances))", d.InstanceCount+(d.InstanceCount+reserve-1)/reserve, d.InstanceType)
	}
	return p
}

// allocation is a count of instances by type, in the order of the types.
func allocation(count map[string]int) []string {
	all := []string{}
	for _, kind := range slices.Sorted(maps.Keys(count)) {
		if count[kind] > 0 {
			all = append(all, fmt.Sprintf("%d × %s", count[kind], kind))
		}
	}
	return all
}

// azures reports whether the endpoint is one of Azure's, as far as its properties tell: our server
// gives its word there, and Azure none.
func (o *outlook) azures() bool { return !o.fresh && o.e.Properties[online.RoutesAtOnce] == "" }

// rollback says what there is to return to afterwards.
func (o *outlook) rollback() RollbackPreview {
	p := RollbackPreview{How: o.plan.allocated()}
	switch before := o.plan.Before.Traffic; {
	case before.Closed():
		p.How = "nothing is live now: there is no way back to it"
	case o.plan.Former == nil:
		p.How = "hotswap rollback returns to the traffic " + before.String() + ", while its deployments are as they are now"
	}
	if f := o.plan.Former; f != nil && o.plan.Strategy.Retain != None {
		p.Deployment, p.Model, p.Fingerprint = f.Name, modelOf(*f), o.plan.Before.Fingerprints[f.Name]
	}
	return p
}

// notes are what else is to be known.
func (o *outlook) notes(changes []Change) (notes []string) {
	s := o.plan.Strategy
	if s.watched() && o.late() > 0 {
		notes = append(notes, fmt.Sprintf("the metrics of this endpoint may lag by %v, which is in the time of each step that is watched", o.late()))
	}
	if len(o.req.Strategy.Steps) > len(s.Steps) {
		notes = append(notes, "nothing is live yet: all the traffic goes to the candidate at once")
	}
	if o.fresh && (s.watched() || s.Retain == Parked) {
		notes = append(notes, "the endpoint is not there yet: whether its server can park a deployment and how late its metrics are, it says once it is")
	}
	if o.plan.Former != nil && s.Retain != Warm && o.azures() {
		notes = append(notes, fmt.Sprintf("%s is left alone until its requests are zero, at most %v", o.plan.Former.Name, s.DrainWait))
	}
	return append(notes, o.inPlace()...)
}

// inPlace warns of what Azure may not change of the deployment that the slot holds. Only one that
// never came up is deleted without being asked to: the slot may hold the only way back, and what
// Azure does is not stated for the rest. Sources: Azure's REST API ("Properties can be added, but not
// removed or altered"), and AML-Kubernetes#247, by which the type of an instance can't be changed, on
// Kubernetes.
func (o *outlook) inPlace() (notes []string) {
	held := find(o.there, o.plan.Slot)
	if held == nil || !o.azures() || held.State == online.Failed && o.plan.Displaced == nil {
		return nil
	}
	byHand := fmt.Sprintf("if Azure refuses it, the rollout ends refused with nothing lost: then run hotswap deployment delete -e %s -n %s first", o.Endpoint, held.Name)
	if d := o.req.Deployment; !strings.EqualFold(d.InstanceType, held.InstanceType) {
		notes = append(notes, fmt.Sprintf("%s has instance type %s, the candidate %s: Azure does not state that it can be changed in place; %s",
			held.Name, held.InstanceType, d.InstanceType, byHand))
	}
	if keys := altered(held.Properties, o.req.Deployment.Properties); len(keys) > 0 {
		notes = append(notes, fmt.Sprintf("properties of %s change or go: %s; Azure lets them be added, but not removed or altered; %s",
			held.Name, strings.Join(keys, ", "), byHand))
	}
	return notes
}
