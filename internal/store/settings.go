package store

import (
	"context"
	"encoding/json"
	"fmt"

	"hotswap/internal/identity"
	"hotswap/internal/online"
)

// Setting reads a setting; without it, online.NotFound.
func (s *Store) Setting(ctx context.Context, name string) (value []byte, err error) {
	err = s.View(ctx, func(tx *Tx) (err error) {
		value, err = one(ctx, tx, scanDocument, fmt.Sprintf("setting %q", name), "SELECT value FROM settings WHERE name = ?", name)
		return err
	})
	return value, err
}

// PutSetting writes a setting in place of what is there.
func (s *Store) PutSetting(ctx context.Context, name string, value []byte) error {
	return s.Update(ctx, func(tx *Tx) error {
		return tx.put(ctx, "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
	})
}

// Principal finds who may log in by a client id, with the hash of the secret; without it, online.NotFound.
func (s *Store) Principal(ctx context.Context, clientID string) (identity.Principal, identity.SecretHash, error) {
	var found principal
	err := s.View(ctx, func(tx *Tx) (err error) {
		found, err = one(ctx, tx, scanPrincipal, fmt.Sprintf("principal %q", clientID), principalColumns+"WHERE client_id = ?", clientID)
		return err
	})
	return found.Principal, found.hash, err
}

// Principals lists who may log in.
func (s *Store) Principals(ctx context.Context) ([]identity.Principal, error) {
	var all []identity.Principal
	err := s.View(ctx, func(tx *Tx) error {
		rows, err := list(ctx, tx, scanPrincipal, principalColumns+"ORDER BY rowid")
		for _, p := range rows {
			all = append(all, p.Principal)
		}
		return err
	})
	return all, err
}

// PutPrincipal writes a principal in place of what is there.
func (s *Store) PutPrincipal(ctx context.Context, p identity.Principal, hash identity.SecretHash) error {
	roles, err := json.Marshal(p.Roles)
	if err != nil {
		return err
	}
	return s.Update(ctx, func(tx *Tx) error {
		return tx.put(ctx, `INSERT INTO principals (client_id, secret_hash, tenant_id, object_id, name, roles) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (client_id) DO UPDATE SET secret_hash = excluded.secret_hash, tenant_id = excluded.tenant_id,
				object_id = excluded.object_id, name = excluded.name, roles = excluded.roles`,
			p.ClientID, hash[:], p.TenantID, p.ObjectID, p.Name, string(roles))
	})
}

type principal struct {
	identity.Principal
	hash identity.SecretHash
}

const principalColumns = "SELECT client_id, secret_hash, tenant_id, object_id, name, roles FROM principals "

func scanPrincipal(r row) (p principal, err error) {
	var hash, roles []byte
	if err := r.Scan(&p.ClientID, &hash, &p.TenantID, &p.ObjectID, &p.Name, &roles); err != nil {
		return p, err
	}
	if copy(p.hash[:], hash) != len(p.hash) {
		return p, online.Errorf(online.Internal, "principal %s has a damaged secret hash", p.ClientID)
	}
	return p, json.Unmarshal(roles, &p.Roles)
}
