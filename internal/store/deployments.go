package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"hotswap/internal/online"
)

// Version is one desired state of a deployment, with all that its processes are started from.
type Version struct {
	online.Deployment
	Conda  string // text of the environment's conda file; "" for none
	Launch string // hash of everything that needs new processes when it changes
}

// Deployment is the row of a deployment.
type Deployment struct {
	Endpoint, Name string
	Incarnation    string   // random; another one after a delete and a create
	Desired        Version  // what the last PUT asked for
	Served         *Version // what served last; nil until something did
	State          online.ProvisioningState
	Warning        string // of the environment
	Revision       int64
}

const deploymentColumns = "SELECT endpoint, name, incarnation, desired, served, state, warning, revision FROM deployments "

func scanDeployment(r row) (d Deployment, err error) {
	var desired []byte
	var served sql.Null[[]byte]
	if err := r.Scan(&d.Endpoint, &d.Name, &d.Incarnation, &desired, &served, &d.State, &d.Warning, &d.Revision); err != nil {
		return d, err
	}
	if err := json.Unmarshal(desired, &d.Desired); err != nil || !served.Valid {
		return d, err
	}
	d.Served = new(Version)
	return d, json.Unmarshal(served.V, d.Served)
}

// Deployment reads one deployment; without it, online.NotFound.
func (tx *Tx) Deployment(ctx context.Context, endpoint, name string) (Deployment, error) {
	return one(ctx, tx, scanDeployment, fmt.Sprintf("deployment %q of endpoint %q", name, endpoint),
		deploymentColumns+"WHERE endpoint = ? AND name = ?", endpoint, name)
}

// Deployments reads all deployments of an endpoint by name.
func (tx *Tx) Deployments(ctx context.Context, endpoint string) ([]Deployment, error) {
	return list(ctx, tx, scanDeployment, deploymentColumns+"WHERE endpoint = ? ORDER BY name", endpoint)
}

// PutDeployment writes d in place of what is there.
func (tx *Tx) PutDeployment(ctx context.Context, d Deployment) error {
	desired, err := json.Marshal(d.Desired)
	if err != nil {
		return err
	}
	served := sql.NullString{Valid: d.Served != nil}
	if served.Valid {
		document, err := json.Marshal(d.Served)
		if err != nil {
			return err
		}
		served.String = string(document)
	}
	return tx.put(ctx, `INSERT INTO deployments (endpoint, name, incarnation, desired, served, state, warning, revision)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (endpoint, name) DO UPDATE SET incarnation = excluded.incarnation, desired = excluded.desired,
			served = excluded.served, state = excluded.state, warning = excluded.warning, revision = excluded.revision`,
		d.Endpoint, d.Name, d.Incarnation, string(desired), served, d.State, d.Warning, d.Revision)
}

// DeleteDeployment deletes a deployment that has no instances left.
func (tx *Tx) DeleteDeployment(ctx context.Context, endpoint, name string) error {
	return tx.put(ctx, "DELETE FROM deployments WHERE endpoint = ? AND name = ?", endpoint, name)
}
