package store

import (
	"context"
	"fmt"
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
