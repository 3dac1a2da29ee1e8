package control

import (
	"context"
	"crypto/rand"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hotswap/internal/online"
	"hotswap/internal/store"
)

// maxDeployments of one endpoint (learn.microsoft.com, "Manage resources and quotas").
const maxDeployments = 20

// warningProperty shows what the environment's builder had to warn of.
const warningProperty = "hotswap.warning"

// Deployment returns a deployment; without it, online.NotFound.
func (c *Control) Deployment(ctx context.Context, endpoint, name string) (online.Deployment, error) {
	s, err := c.look(ctx, endpoint)
	if err != nil {
		return online.Deployment{}, err
	}
	for _, d := range s.deployments {
		if d.Name == name {
			return shownDeployment(d), nil
		}
	}
	return online.Deployment{}, online.Errorf(online.NotFound, "deployment %q of endpoint %q was not found", name, endpoint)
}

// Deployments lists the deployments of an endpoint by name; without the endpoint, online.NotFound.
func (c *Control) Deployments(ctx context.Context, endpoint string) ([]online.Deployment, error) {
	s, err := c.look(ctx, endpoint)
	if err == nil && s.endpoint == nil {
		err = online.Errorf(online.NotFound, "endpoint %q was not found", endpoint)
	}
	shown := make([]online.Deployment, len(s.deployments))
	for i, d := range s.deployments {
		shown[i] = shownDeployment(d)
	}
	return shown, err
}

func shownDeployment(d store.Deployment) online.Deployment {
	shown := d.Desired.Deployment
	shown.State = d.State
	if d.Warning != "" {
		shown.Properties = with(shown.Properties, warningProperty, d.Warning)
	}
	return shown
}

// PutDeployment begins to make a deployment, or to put d in the place of the one that is there.
// What serves goes on serving until d does.
func (c *Control) PutDeployment(ctx context.Context, d online.Deployment) (kept online.Deployment, o online.Operation, created bool, err error) {
	d = d.WithDefaults()
	if err := c.check(d); err != nil {
		return kept, o, false, err
	}
	v, err := c.resolve(ctx, d)
	if err != nil {
		return kept, o, false, err
	}
	o = newOperation(d.Endpoint, d.Name, false)
	var row store.Deployment
	err = c.begin(ctx, o, func(tx *store.Tx) error {
		endpoint, err := admit(ctx, tx, d.Endpoint)
		if err != nil {
			return err
		}
		if row, created, err = slot(ctx, tx, d.Endpoint, d.Name); err != nil {
			return err
		}
		if endpoint.Fence, err = nextFence(d.Tags, row.Desired.Tags, endpoint.Fence); err != nil {
			return err
		}
		if err := parkable(endpoint, row, v); err != nil {
			return err
		}
		row = replaced(row, v, created, o.StartedAt)
		return commitDeployment(ctx, tx, endpoint, &row)
	})
	return shownDeployment(row), o, created, err
}

// check tells what is wrong with a deployment that can be known without looking anything up.
func (c *Control) check(d online.Deployment) error {
	if err := d.Check(); err != nil {
		return err
	}
	script := d.Code.Script
	switch {
	case d.Parked() && c.AzureLike:
		return online.Errorf(online.Invalid, "deployment %q asks for 0 instances, want 1 to %d", d.Name, online.MaxInstances)
	case d.Code.Code.IsZero() || script == "":
		return online.Errorf(online.Invalid, noDriver)
	case !filepath.IsLocal(script) || slices.Contains(strings.Split(script, "/"), ".."):
		return online.Errorf(online.Invalid, "deployment %q has the scoring script %q, which climbs out of the code folder", d.Name, script)
	}
	_, err := processes(d)
	return err
}

// resolve finds the versions of assets that d names, and what its processes are started from.
func (c *Control) resolve(ctx context.Context, d online.Deployment) (store.Version, error) {
	v := store.Version{}
	for _, ref := range []*online.Ref{&d.Model, &d.Code.Code, &d.Environment} {
		if ref.IsZero() {
			continue
		}
		found, err := c.Assets.Resolve(ctx, *ref)
		if err != nil {
			return v, unmet(d, err)
		}
		*ref = found
	}
	if !d.Environment.IsZero() {
		var err error
		if v.Conda, err = c.Assets.Conda(ctx, d.Environment); err != nil {
			return v, unmet(d, err)
		}
	}
	v.Deployment = d
	v.Launch = launchHash(v)
	return v, nil
}

// unmet is the error of a deployment that names an asset which is not there: the request is wrong,
// not its path.
func unmet(d online.Deployment, err error) error {
	code := online.CodeOf(err)
	if code == online.NotFound {
		code = online.Invalid
	}
	return online.Errorf(code, "deployment %q: %w", d.Name, err)
}

// admit returns the endpoint that a deployment is to change in.
func admit(ctx context.Context, tx *store.Tx, name string) (store.Endpoint, error) {
	row, err := tx.Endpoint(ctx, name)
	switch {
	case err != nil:
		return row, err
	case row.State == online.Failed || row.State == online.Deleting:
		return row, online.Errorf(online.Invalid, endpointBroken)
	case row.State.Busy():
		return row, online.Errorf(online.Conflict, endpointBusy, name, row.State)
	}
	return row, nil
}

// slot returns the row of a deployment that may be changed, or a new one.
func slot(ctx context.Context, tx *store.Tx, endpoint, name string) (row store.Deployment, created bool, err error) {
	row, err = tx.Deployment(ctx, endpoint, name)
	if isNotFound(err) {
		row, err = newSlot(ctx, tx, endpoint, name)
		return row, true, err
	}
	if err == nil {
		err = changeable(row)
	}
	return row, false, err
}

// newSlot returns the row of a deployment that is not there yet.
func newSlot(ctx context.Context, tx *store.Tx, endpoint, name string) (store.Deployment, error) {
	others, err := tx.Deployments(ctx, endpoint)
	if err == nil && len(others) >= maxDeployments {
		err = online.Errorf(online.Invalid, "endpoint %q has %d deployments, which is the most it can have: delete one first", endpoint, len(others))
	}
	return store.Deployment{Endpoint: endpoint, Name: name, Incarnation: newID()}, err
}

// changeable refuses a change of a deployment that is busy or beyond repair.
func changeable(row store.Deployment) error {
	switch {
	case row.State.Busy():
		return online.Errorf(online.Conflict, "deployment %q is in %s provisioning state: wait until the operation under way has ended, then read the deployment again", row.Name, row.State)
	case row.Served == nil:
		return online.Errorf(online.Invalid, deploymentBroken, row.Name)
	}
	return nil
}

// replaced is row with v as its desired state.
func replaced(row store.Deployment, v store.Version, created bool, now time.Time) store.Deployment {
	v.Endpoint, v.Name = row.Endpoint, row.Name
	v.Properties = maps.Clone(v.Properties)
	delete(v.Properties, warningProperty) // a client sends back what it read
	v.ModifiedAt, v.State = now, ""
	row.State = online.Updating
	if created {
		v.CreatedAt, row.State = now, online.Creating
	} else {
		v.CreatedAt, v.CreatedBy = row.Desired.CreatedAt, row.Desired.CreatedBy
	}
	if v.Launch != row.Desired.Launch {
		row.Warning = ""
	}
	row.Desired = v
	return row
}

// parkable refuses to park a deployment that is needed, or that has not served as v is to be started:
// whatever is parked has been seen to work.
func parkable(e store.Endpoint, row store.Deployment, v store.Version) error {
	switch {
	case !v.Parked():
		return nil
	case row.Served == nil:
		return online.Errorf(online.Invalid, "deployment %q does not exist and can't be made with 0 instances: make it with 1 or more, then park it", row.Name)
	case e.Traffic.Share(row.Name) > 0:
		return online.Errorf(online.Invalid, "deployment %q has %d %% of the live traffic: set that to 0, then park it", row.Name, e.Traffic.Share(row.Name))
	case e.Mirror.Shares()[row.Name] > 0:
		return online.Errorf(online.Invalid, "deployment %q has %d %% of the traffic mirrored to it: set that to 0, then park it", row.Name, e.Mirror.Percent)
	case v.Launch != row.Served.Launch:
		return online.Errorf(online.Invalid, "deployment %q is to have 0 instances, of another version than it has served: park it as it is, or change it with 1 instance or more", row.Name)
	}
	return nil
}

// commitDeployment writes row as a new desired state, with its fence and revision in the endpoint's
// row: routes carry the endpoint's revision, so it must not fall when a deployment is gone.
func commitDeployment(ctx context.Context, tx *store.Tx, e store.Endpoint, row *store.Deployment) (err error) {
	if row.Revision, err = tx.NextRevision(ctx); err != nil {
		return err
	}
	e.Revision = row.Revision
	if err := tx.PutEndpoint(ctx, e); err != nil {
		return err
	}
	return tx.PutDeployment(ctx, *row)
}

// PatchDeployment changes the tags or the instance count of a deployment.
func (c *Control) PatchDeployment(ctx context.Context, endpoint, name string, p Patch) (kept online.Deployment, o online.Operation, created bool, err error) {
	o = newOperation(endpoint, name, false)
	var row store.Deployment
	err = c.begin(ctx, o, func(tx *store.Tx) error {
		e, err := admit(ctx, tx, endpoint)
		if err != nil {
			return err
		}
		if row, err = tx.Deployment(ctx, endpoint, name); err != nil {
			return err
		}
		if e.Fence, err = nextFence(p.Tags, row.Desired.Tags, e.Fence); err != nil {
			return err
		}
		if err := changeable(row); err != nil {
			return err
		}
		v := patched(row.Desired, p)
		if err := parkable(e, row, v); err != nil {
			return err
		}
		row = replaced(row, v, false, o.StartedAt)
		if p.Capacity != nil {
			row.State = online.Scaling
		}
		if err := c.check(row.Desired.Deployment); err != nil {
			return err
		}
		return commitDeployment(ctx, tx, e, &row)
	})
	return shownDeployment(row), o, false, err
}

func patched(v store.Version, p Patch) store.Version {
	if p.Tags != nil {
		v.Tags = p.Tags
	}
	if p.Capacity != nil {
		v.InstanceCount = *p.Capacity
	}
	return v
}

// DeleteDeployment begins to delete a deployment that has no traffic, and cancels what is under
// way for it. Without the deployment it is online.NotFound.
func (c *Control) DeleteDeployment(ctx context.Context, endpoint, name string) (online.Operation, error) {
	o := newOperation(endpoint, name, true)
	err := c.begin(ctx, o, func(tx *store.Tx) error {
		row, err := tx.Deployment(ctx, endpoint, name)
		if err != nil {
			return err
		}
		e, err := tx.Endpoint(ctx, endpoint)
		if err != nil {
			return err
		}
		if err := deletable(e, row); err != nil {
			return err
		}
		running, err := tx.Running(ctx, endpoint)
		if err != nil {
			return err
		}
		running = slices.DeleteFunc(running, func(o online.Operation) bool { return o.Deployment != name })
		if err := cancel(ctx, tx, running); err != nil {
			return err
		}
		row.State = online.Deleting
		return commitDeployment(ctx, tx, e, &row)
	})
	return o, err
}

// deletable refuses to delete a deployment that is needed or is going already.
func deletable(e store.Endpoint, d store.Deployment) error {
	switch {
	case d.State == online.Deleting:
		return online.Errorf(online.Conflict, "deployment %q is being deleted already", d.Name)
	case e.State.Busy():
		return online.Errorf(online.Conflict, "endpoint %q is in %s provisioning state: wait until the operation under way has ended, then read the endpoint again", e.Name, e.State)
	case e.Traffic.Share(d.Name) > 0:
		return online.Errorf(online.Invalid, "deployment %q has %d %% of the live traffic: set that to 0, then delete it", d.Name, e.Traffic.Share(d.Name))
	case e.Mirror.Shares()[d.Name] > 0:
		return online.Errorf(online.Invalid, "deployment %q has %d %% of the traffic mirrored to it: set that to 0, then delete it", d.Name, e.Mirror.Percent)
	}
	return nil
}

// newID returns 12 random lower-case letters and digits, 60 bits: enough to name what one server makes.
func newID() string { return lower(rand.Text()[:12]) }
