package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"hotswap/internal/identity"
	"hotswap/internal/online"
)

// assignment and federated are how a role and a federated credential are written.
type assignment struct {
	Role     identity.Role `json:"role"`
	Endpoint string        `json:"endpoint,omitempty"`
}

type federated struct {
	Issuer   string            `json:"issuer"`
	Audience string            `json:"audience"`
	Subjects []string          `json:"subjects"`
	Claims   map[string]string `json:"claims,omitempty"`
}

// Principals lists who may log in.
func (s *Store) Principals(ctx context.Context) (all []identity.Record, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		all, err = list(ctx, tx, scanPrincipal, `SELECT client_id, secret_hash, tenant_id, object_id, name, roles, federated, created_at
			FROM principals ORDER BY rowid`)
		return err
	})
	return all, err
}

// PutPrincipal writes a principal in place of what is there.
func (s *Store) PutPrincipal(ctx context.Context, p identity.Record) error {
	roles := make([]assignment, 0, len(p.Roles))
	for _, a := range p.Roles {
		roles = append(roles, assignment(a))
	}
	credentials := make([]federated, 0, len(p.Federated))
	for _, f := range p.Federated {
		credentials = append(credentials, federated(f))
	}
	rolesText, err := json.Marshal(roles)
	if err != nil {
		return err
	}
	credentialsText, err := json.Marshal(credentials)
	if err != nil {
		return err
	}
	return s.Update(ctx, func(tx *Tx) error {
		return tx.put(ctx, `INSERT INTO principals (client_id, secret_hash, tenant_id, object_id, name, roles, federated, created_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (client_id) DO UPDATE SET secret_hash = excluded.secret_hash, tenant_id = excluded.tenant_id, object_id = excluded.object_id,
				name = excluded.name, roles = excluded.roles, federated = excluded.federated, created_at = excluded.created_at`,
			p.ClientID, p.Secret[:], p.TenantID, p.ObjectID, p.Name, string(rolesText), string(credentialsText), nanos(p.CreatedAt))
	})
}

// DeletePrincipal removes a principal, if it is there.
func (s *Store) DeletePrincipal(ctx context.Context, clientID string) error {
	return s.Update(ctx, func(tx *Tx) error {
		return tx.put(ctx, "DELETE FROM principals WHERE client_id = ?", clientID)
	})
}

// Spend notes the use of something that may be used once, until a time, and reports whether it is
// the first.
func (s *Store) Spend(ctx context.Context, key string, until time.Time) (first bool, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		if err := tx.put(ctx, "DELETE FROM assertions WHERE until < ?", time.Now().UnixNano()); err != nil {
			return err
		}
		added, err := tx.exec(ctx, "INSERT INTO assertions (key, until) VALUES (?, ?) ON CONFLICT (key) DO NOTHING", key, until.UnixNano())
		first = added == 1
		return err
	})
	return first && err == nil, err
}

func scanPrincipal(r row) (p identity.Record, err error) {
	var (
		hash, rolesText, credentialsText []byte
		created                          int64
		roles                            []assignment
		credentials                      []federated
	)
	if err := r.Scan(&p.ClientID, &hash, &p.TenantID, &p.ObjectID, &p.Name, &rolesText, &credentialsText, &created); err != nil {
		return p, err
	}
	if copy(p.Secret[:], hash) != len(p.Secret) {
		return p, online.Errorf(online.Internal, "principal %s has a damaged secret hash", p.ClientID)
	}
	if err := errors.Join(json.Unmarshal(rolesText, &roles), json.Unmarshal(credentialsText, &credentials)); err != nil {
		return p, online.Errorf(online.Internal, "principal %s is damaged: %w", p.ClientID, err)
	}
	for _, a := range roles {
		p.Roles = append(p.Roles, identity.Assignment(a))
	}
	for _, f := range credentials {
		p.Federated = append(p.Federated, identity.Federated(f))
	}
	p.CreatedAt = fromNanos(created)
	return p, nil
}
