package rollout

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"hotswap/internal/online"
)

// expects requires that a rollout with these tests is the one that was planned.
func (p Preview) expects(endpoint string, tests Tests) error {
	if p.Endpoint.Name == "" || p.Slot.Name == "" {
		return online.Errorf(online.Invalid, "the plan is none: make one with hotswap rollout --plan -o json")
	}
	if p.Endpoint.Name != endpoint {
		return online.Errorf(online.Invalid, "the plan is of endpoint %s, not of %s", p.Endpoint.Name, endpoint)
	}
	now := previewTests(tests)
	var d differences
	d.compare("tests", list(p.Tests.Cases), list(now.Cases))
	d.compare("prediction diff", p.Tests.Diff, now.Diff)
	return d.err()
}

// expected requires, under the lock and before anything is written, that the rollout would still
// do what was planned.
func (t *turn) expected(ctx context.Context, req Request) error {
	salt, err := hex.DecodeString(req.Expect.Variables.Salt)
	if err != nil {
		return online.Errorf(online.Invalid, "the plan is damaged: its salt is no hexadecimal number")
	}
	now, err := t.preview(ctx, req, Tests{}, salt)
	if err != nil {
		return err
	}
	return req.Expect.moved(now).err()
}

// moved tells what has become of the plan's world since, and what would be done otherwise now.
func (p Preview) moved(now Preview) (d differences) {
	d.compare("endpoint", p.Endpoint.state(), now.Endpoint.state())
	d.compare("traffic", p.World.Traffic.String(), now.World.Traffic.String())
	d.compare("mirror", fmt.Sprint(p.World.Mirror), fmt.Sprint(now.World.Mirror))
	for _, name := range sortedKeys(overlay(p.World.Deployments, now.World.Deployments)) {
		was, before := p.World.Deployments[name]
		is, after := now.World.Deployments[name]
		switch {
		case !before:
			d = append(d, "deployment "+name+": is new")
		case !after:
			d = append(d, "deployment "+name+": is gone")
		case was != is:
			d = append(d, "deployment "+name+": was changed")
		}
	}
	d.compare("slot", p.Slot.Name, now.Slot.Name)
	for _, f := range p.Candidate {
		d.compare(f.What, f.Value, fact(now.Candidate, f.What))
	}
	d.compare("environment variables", list(p.Variables.Names), list(now.Variables.Names))
	if slices.Equal(p.Variables.Names, now.Variables.Names) && p.Variables.Sum != now.Variables.Sum {
		d = append(d, "environment variables: a value is another")
	}
	d.compare("steps", p.Swap.steps(), now.Swap.steps())
	d.compare("retain", string(p.Swap.Retain), string(now.Swap.Retain))
	d.compare("bounds", strings.Join(p.Swap.Bounds, "; "), strings.Join(now.Swap.Bounds, "; "))
	if p.World.Fence != now.World.Fence {
		d = append(d, fmt.Sprintf("fence: was %d, is %d: another rollout has run", p.World.Fence, now.World.Fence))
	}
	return d
}

// state is what the rollout writes of the endpoint.
func (p EndpointPreview) state() string {
	switch {
	case p.Create:
		return "to be created"
	case len(p.Updates) > 0:
		return "there, to be updated: " + strings.Join(p.Updates, ", ")
	}
	return "there"
}

// steps are the steps in a line.
func (p SwapPreview) steps() string {
	words := make([]string, len(p.Steps))
	for i, s := range p.Steps {
		words[i] = fmt.Sprintf("%d %%", s.Percent)
		if s.Watched != "" {
			words[i] += " for " + s.Watched
		}
		if s.Pause {
			words[i] += ", pause"
		}
	}
	return strings.Join(words, "; ")
}

// differences tell what is no longer as it was.
type differences []string

func (d *differences) compare(what, was, is string) {
	if was != is {
		*d = append(*d, fmt.Sprintf("%s: was %s, is %s", what, orNone(was), orNone(is)))
	}
}

func (d differences) err() error {
	if len(d) == 0 {
		return nil
	}
	return online.Errorf(online.Refused, "the plan no longer holds, nothing was done: %s; make a new one with hotswap rollout --plan", strings.Join(d, "; "))
}

func list(words []string) string { return strings.Join(words, ", ") }
