package store

import (
	"context"
	"encoding/json"
	"fmt"

	"hotswap/internal/online"
)

// Endpoint is the row of an endpoint.
type Endpoint struct {
	online.Endpoint        // desired; its State is the row's
	SealedKeys      []byte // by the keyring
	Fence           uint64 // the largest seen on a PUT
	Revision        int64  // of the last desired state
}

const endpointColumns = "SELECT document, state, keys, fence, revision FROM endpoints "

func scanEndpoint(r row) (e Endpoint, err error) {
	var document []byte
	var state online.ProvisioningState
	if err := r.Scan(&document, &state, &e.SealedKeys, &e.Fence, &e.Revision); err != nil {
		return e, err
	}
	err = json.Unmarshal(document, &e.Endpoint)
	e.State = state
	return e, err
}

// Endpoint reads one endpoint; without it, online.NotFound.
func (tx *Tx) Endpoint(ctx context.Context, name string) (Endpoint, error) {
	return one(ctx, tx, scanEndpoint, fmt.Sprintf("endpoint %q", name), endpointColumns+"WHERE name = ?", name)
}

// Endpoints reads all endpoints by name.
func (tx *Tx) Endpoints(ctx context.Context) ([]Endpoint, error) {
	return list(ctx, tx, scanEndpoint, endpointColumns+"ORDER BY name")
}

// PutEndpoint writes e in place of what is there.
func (tx *Tx) PutEndpoint(ctx context.Context, e Endpoint) error {
	e.Keys = online.Keys{} // they are sealed in their own column
	document, err := json.Marshal(e.Endpoint)
	if err != nil {
		return err
	}
	return tx.put(ctx, `INSERT INTO endpoints (name, document, state, keys, fence, revision) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET document = excluded.document, state = excluded.state, keys = excluded.keys,
			fence = excluded.fence, revision = excluded.revision`,
		e.Name, string(document), e.State, e.SealedKeys, e.Fence, e.Revision)
}

// DeleteEndpoint deletes an endpoint that has no deployments left.
func (tx *Tx) DeleteEndpoint(ctx context.Context, name string) error {
	return tx.put(ctx, "DELETE FROM endpoints WHERE name = ?", name)
}
