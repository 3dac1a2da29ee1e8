package control

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"hotswap/internal/online"
	"hotswap/internal/store"
)

// Patch is a partial change. What is nil stays as it is.
type Patch struct {
	Tags     map[string]string // in place of all
	Identity *online.Identity  // of endpoints only
	Capacity *int              // of deployments only: the instance count
}

// Texts that clients show or look for (AZUREML.md §1.8, from errors of the real service).
const (
	endpointBroken   = "This endpoint has not been created successfully or is in deleting provisioning state. Please recreate endpoint and then try again to create deployment."
	endpointBusy     = "Cannot create a deployment in endpoint %s because it is in %s provisioning state"
	deploymentBroken = "Specified deployment [%s] failed during initial provisioning and is in an unrecoverable state. Delete and re-create."
	noDriver         = "Could not find driver program in the request"
)

// Endpoint returns an endpoint; without it, online.NotFound.
func (c *Control) Endpoint(ctx context.Context, name string) (online.Endpoint, error) {
	s, err := c.look(ctx, name)
	if err == nil && s.endpoint == nil {
		err = online.Errorf(online.NotFound, "endpoint %q was not found", name)
	}
	if err != nil {
		return online.Endpoint{}, err
	}
	return c.shown(*s.endpoint), nil
}

// Endpoints lists all endpoints by name.
func (c *Control) Endpoints(ctx context.Context) ([]online.Endpoint, error) {
	var rows []store.Endpoint
	err := c.Store.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.Endpoints(ctx)
		return err
	})
	shown := make([]online.Endpoint, len(rows))
	for i, row := range rows {
		if s, late := c.past.at(row.Name, time.Now().Add(-c.pace.reads)); late && s.endpoint != nil {
			row = *s.endpoint
		}
		shown[i] = c.shown(row)
	}
	return shown, err
}

// announced are the properties of every endpoint that say what the server is better at than Azure. They
// are not of a client's making, and left out where the server is to be as Azure is.
var announced = map[string]string{
	online.RoutesAtOnce:  "at-once", // PutEndpoint keeps that word
	online.MetricsAtOnce: "PT1S",    // the seconds of package meter
	online.Parking:       "yes",     // see park
}

// shown is an endpoint as clients read it. Its fence is the largest seen, also where a deployment
// brought it: so whoever sends back what was read has it, and a rollout from before has not.
func (c *Control) shown(e store.Endpoint) online.Endpoint {
	e.ScoringURI = c.ScoringURI(e.Name)
	if e.Fence > 0 {
		e.Tags = with(e.Tags, online.TagFence, strconv.FormatUint(e.Fence, 10))
	}
	if c.pace.traffic == 0 {
		for key, value := range announced {
			e.Properties = with(e.Properties, key, value)
		}
	}
	return e.Endpoint
}

// with returns properties with one more.
func with(properties map[string]string, key, value string) map[string]string {
	more := maps.Clone(properties)
	if more == nil {
		more = map[string]string{}
	}
	more[key] = value
	return more
}

// PutEndpoint makes an endpoint, or puts e in the place of the one that is there: without traffic
// in e, all traffic is off. The operation has ended when it returns, with the routes in force.
func (c *Control) PutEndpoint(ctx context.Context, e online.Endpoint) (kept online.Endpoint, o online.Operation, created bool, err error) {
	if err := online.CheckName("endpoint", e.Name); err != nil {
		return kept, o, false, err
	}
	e.AuthMode = cmp.Or(e.AuthMode, online.KeyAuth)
	e.PublicNetworkAccess = cmp.Or(e.PublicNetworkAccess, "Enabled")
	o = newOperation(e.Name, "", false)
	o, err = c.beginAndWait(ctx, o, func(tx *store.Tx) error {
		row, err := tx.Endpoint(ctx, e.Name)
		if created = isNotFound(err); created {
			row, err = store.Endpoint{Endpoint: online.Endpoint{CreatedAt: o.StartedAt, CreatedBy: e.CreatedBy, State: online.Creating}}, nil
		}
		if err != nil {
			return err
		}
		if err := idle(row, created); err != nil {
			return err
		}
		return c.replaceEndpoint(ctx, tx, row, e, created)
	})
	if err != nil {
		return kept, o, false, err
	}
	kept, err = c.current(ctx, e.Name)
	return kept, o, created, err
}

// idle refuses a change of an endpoint that another one is under way for.
func idle(row store.Endpoint, created bool) error {
	if !created && row.State.Busy() {
		return online.Errorf(online.Conflict, "endpoint %q is in %s provisioning state: wait until the operation under way has ended, then read the endpoint again", row.Name, row.State)
	}
	return nil
}

// replaceEndpoint writes the desired state e in the place of row's.
func (c *Control) replaceEndpoint(ctx context.Context, tx *store.Tx, row store.Endpoint, e online.Endpoint, created bool) (err error) {
	if row.Fence, err = nextFence(e.Tags, nil, row.Fence); err != nil {
		return err
	}
	if err := checkTraffic(ctx, tx, e); err != nil {
		return err
	}
	keys := e.Keys
	e.Keys, e.ScoringURI = online.Keys{}, ""
	e.Properties = maps.Clone(e.Properties)
	for key := range announced { // a client sends back what it read
		delete(e.Properties, key)
	}
	e.State, e.CreatedAt, e.CreatedBy = row.State, row.CreatedAt, row.CreatedBy
	if !created {
		e.State = online.Updating
	}
	row.Endpoint = e
	if row.SealedKeys, err = c.sealKeys(row, keys); err != nil {
		return err
	}
	return commitEndpoint(ctx, tx, row)
}

// commitEndpoint writes row as a new desired state, with its revision.
func commitEndpoint(ctx context.Context, tx *store.Tx, row store.Endpoint) (err error) {
	row.ModifiedAt = time.Now().UTC()
	if row.Revision, err = tx.NextRevision(ctx); err != nil {
		return err
	}
	return tx.PutEndpoint(ctx, row)
}

// current returns an endpoint as it is, however late reads are.
func (c *Control) current(ctx context.Context, name string) (online.Endpoint, error) {
	var row store.Endpoint
	err := c.Store.View(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.Endpoint(ctx, name)
		return err
	})
	return c.shown(row), err
}

// checkTraffic checks the rules of traffic and mirror against the deployments that are there
// (learn.microsoft.com, "Safe rollout for online endpoints").
func checkTraffic(ctx context.Context, tx *store.Tx, e online.Endpoint) error {
	rows, err := tx.Deployments(ctx, e.Name)
	if err != nil {
		return err
	}
	shares := e.Traffic.Shares()
	for _, name := range slices.Sorted(maps.Keys(shares)) {
		if err := checkTarget(rows, name, "traffic"); err != nil {
			return err
		}
	}
	if e.Mirror.Percent == 0 {
		return nil
	}
	if shares[e.Mirror.Deployment] > 0 {
		return online.Errorf(online.Invalid, "deployment %q gets live and mirrored traffic, want one of them", e.Mirror.Deployment)
	}
	return checkTarget(rows, e.Mirror.Deployment, "mirror traffic")
}

// checkTarget refuses traffic to a deployment that can't take any.
func checkTarget(rows []store.Deployment, name, what string) error {
	i := slices.IndexFunc(rows, func(d store.Deployment) bool { return d.Name == name })
	switch {
	case i < 0 || rows[i].State == online.Deleting:
		return online.Errorf(online.Invalid, "%s goes to deployment %q, which does not exist: create it first", what, name)
	case rows[i].Served == nil && rows[i].State == online.Failed:
		return online.Errorf(online.Invalid, deploymentBroken, name)
	case rows[i].Served == nil:
		return online.Errorf(online.Conflict, "%s goes to deployment %q, which is still being created: wait until it has succeeded", what, name)
	case rows[i].Served.Parked() && rows[i].State.Busy():
		return online.Errorf(online.Conflict, "%s goes to deployment %q, which is parked until its update has succeeded: wait for that", what, name)
	case rows[i].Served.Parked() || rows[i].Desired.Parked():
		return online.Errorf(online.Invalid, "%s goes to deployment %q, which is parked: give it 1 instance or more first", what, name)
	}
	return nil
}

// PatchEndpoint changes the tags or the identity of an endpoint. Like PutEndpoint, it returns when
// the operation has ended.
func (c *Control) PatchEndpoint(ctx context.Context, name string, p Patch) (kept online.Endpoint, o online.Operation, created bool, err error) {
	o = newOperation(name, "", false)
	o, err = c.changeEndpoint(ctx, o, func(row *store.Endpoint) (err error) {
		if p.Tags != nil {
			row.Fence, err = nextFence(p.Tags, nil, row.Fence)
			row.Tags = p.Tags
		}
		if p.Identity != nil {
			row.Identity = *p.Identity
		}
		return err
	})
	if err != nil {
		return kept, o, false, err
	}
	kept, err = c.current(ctx, name)
	return kept, o, false, err
}

// changeEndpoint changes a part of an endpoint's desired state and waits for the operation's end.
func (c *Control) changeEndpoint(ctx context.Context, o online.Operation, change func(*store.Endpoint) error) (online.Operation, error) {
	return c.beginAndWait(ctx, o, func(tx *store.Tx) error {
		row, err := tx.Endpoint(ctx, o.Endpoint)
		if err != nil {
			return err
		}
		if err := idle(row, false); err != nil {
			return err
		}
		row.State = online.Updating
		if err := change(&row); err != nil {
			return err
		}
		return commitEndpoint(ctx, tx, row)
	})
}

// DeleteEndpoint begins to delete an endpoint with its deployments, and cancels what is under way
// for them. Without the endpoint it is online.NotFound.
func (c *Control) DeleteEndpoint(ctx context.Context, name string) (online.Operation, error) {
	o := newOperation(name, "", true)
	var running []online.Operation
	err := c.begin(ctx, o, func(tx *store.Tx) error {
		row, err := tx.Endpoint(ctx, name)
		if err != nil {
			return err
		}
		if row.State == online.Deleting {
			return online.Errorf(online.Conflict, "endpoint %q is being deleted already", name)
		}
		if running, err = tx.Running(ctx, name); err != nil {
			return err
		}
		if err := cancel(ctx, tx, running); err != nil {
			return err
		}
		row.State = online.Deleting
		if err := commitEndpoint(ctx, tx, row); err != nil {
			return err
		}
		return markAll(ctx, tx, name)
	})
	if err == nil {
		for _, canceled := range running {
			c.waiters.done(canceled.ID)
		}
	}
	return o, err
}

// markAll marks all deployments of an endpoint as ones to delete.
func markAll(ctx context.Context, tx *store.Tx, endpoint string) error {
	rows, err := tx.Deployments(ctx, endpoint)
	if err != nil {
		return err
	}
	revision, err := tx.NextRevision(ctx)
	for _, d := range rows {
		d.State, d.Revision = online.Deleting, revision
		if err := tx.PutDeployment(ctx, d); err != nil {
			return err
		}
	}
	return err
}

func isNotFound(err error) bool { return err != nil && online.CodeOf(err) == online.NotFound }

// lower is for names that a request gives beside those of its path.
func lower(name string) string { return strings.ToLower(name) }
