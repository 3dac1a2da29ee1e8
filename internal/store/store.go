// Package store keeps the server's state in one SQLite file: what is wanted (endpoints,
// deployments, assets), what was started for it (instances), and the operations that change it.
//
// A change is one transaction: desired state, operation and revision are in the file together
// or not at all, and they are on the disc when Update returns (synchronous=FULL). Endpoint keys
// are sealed and secrets hashed before they come here.
package store

import (
	"context"
	"database/sql"
	_ "embed" // the schema
	"errors"
	"fmt"
	"net/url"
	"os"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"hotswap/internal/online"
)

// migrations take the schema from version n to n+1. One that was released is never edited.
var migrations = []string{schema, roles}

var (
	//go:embed schema.sql
	schema string
	//go:embed roles.sql
	roles string
)

// Store is an open state file. It has one connection, so transactions run one after another:
// a function given to Update or View must not call either again.
type Store struct{ db *sql.DB }

// Open opens the state file at path, makes it where there is none, and migrates it.
func Open(ctx context.Context, path string) (*Store, error) {
	if err := create(path); err != nil {
		return nil, online.Errorf(online.Internal, "open the state file: %w", err)
	}
	options := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: options.Encode()}).String())
	if err != nil {
		return nil, online.Errorf(online.Internal, "open the state file %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	s := &Store{db}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// create makes the file for its owner only: SQLite would make it for everyone to read.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

func (s *Store) migrate(ctx context.Context) error {
	return s.Update(ctx, func(tx *Tx) error {
		var version int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
			return err
		}
		if version > len(migrations) {
			return online.Errorf(online.Internal,
				"the state file is of version %d, this program knows up to %d: use the newer program that wrote it", version, len(migrations))
		}
		for _, migration := range migrations[version:] {
			if _, err := tx.ExecContext(ctx, migration); err != nil {
				return fmt.Errorf("migrate the state file from version %d: %w", version, err)
			}
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(migrations)))
		return err
	})
}

// Tx is a transaction. Its methods read and write rows.
type Tx struct{ *sql.Tx }

// Update runs change in a transaction and commits it. After an error nothing has changed.
func (s *Store) Update(ctx context.Context, change func(*Tx) error) error {
	return s.run(ctx, change, (*sql.Tx).Commit)
}

// View runs read in a transaction, so that all it reads is of one moment.
func (s *Store) View(ctx context.Context, read func(*Tx) error) error {
	return s.run(ctx, read, (*sql.Tx).Rollback)
}

func (s *Store) run(ctx context.Context, f func(*Tx) error, end func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return classify(err)
	}
	if err := f(&Tx{tx}); err != nil {
		return errors.Join(classify(err), ignoreDone(tx.Rollback()))
	}
	return classify(end(tx))
}

// ignoreDone drops the complaint of a rollback that the context's end had done already.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// classify gives an error of SQLite's a code; errors of the caller's own keep theirs.
func classify(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff { // the primary code: the upper bits only refine it
		case sqlite3.SQLITE_FULL:
			return online.Errorf(online.Unavailable, "write the state file: the disc is full; free some space and try again: %w", err)
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			return online.Errorf(online.Unavailable, "write the state file: it is in use; try again: %w", err)
		}
	}
	return err
}

// NextRevision draws the next number of a counter that only grows.
func (tx *Tx) NextRevision(ctx context.Context) (n int64, err error) {
	err = tx.QueryRowContext(ctx, "UPDATE revision SET value = value + 1 RETURNING value").Scan(&n)
	return n, err
}

// exec runs a statement that changes rows and gives back how many.
func (tx *Tx) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// put runs a statement that changes one row.
func (tx *Tx) put(ctx context.Context, statement string, args ...any) error {
	_, err := tx.exec(ctx, statement, args...)
	return err
}

// list runs a query and reads each row by scan.
func list[T any](ctx context.Context, tx *Tx, scan func(row) (T, error), query string, args ...any) ([]T, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what matters of it, rows.Err tells
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// one reads the row of a query that finds at most one; where there is none, missing says what.
func one[T any](ctx context.Context, tx *Tx, scan func(row) (T, error), missing, query string, args ...any) (T, error) {
	found, err := scan(tx.QueryRowContext(ctx, query, args...))
	if errors.Is(err, sql.ErrNoRows) {
		err = online.Errorf(online.NotFound, "%s was not found", missing)
	}
	return found, err
}

// row is a *sql.Row or the current one of *sql.Rows.
type row interface{ Scan(into ...any) error }
