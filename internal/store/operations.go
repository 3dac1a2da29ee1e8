package store

import (
	"context"
	"fmt"
	"time"

	"hotswap/internal/online"
)

const operationColumns = "SELECT id, endpoint, deployment, deletes, status, error_code, error_message, started_at, ended_at FROM operations "

func scanOperation(r row) (o online.Operation, err error) {
	var started, ended int64
	err = r.Scan(&o.ID, &o.Endpoint, &o.Deployment, &o.Deletes, &o.Status, &o.ErrorCode, &o.ErrorMessage, &started, &ended)
	o.StartedAt, o.EndedAt = fromNanos(started), fromNanos(ended)
	return o, err
}

// Operation reads one operation; without it, online.NotFound.
func (tx *Tx) Operation(ctx context.Context, id string) (online.Operation, error) {
	return one(ctx, tx, scanOperation, fmt.Sprintf("operation %q", id), operationColumns+"WHERE id = ?", id)
}

// Running reads the operations of an endpoint and its deployments that go on, oldest first.
func (tx *Tx) Running(ctx context.Context, endpoint string) ([]online.Operation, error) {
	return list(ctx, tx, scanOperation, operationColumns+"WHERE endpoint = ? AND status = ? ORDER BY rowid", endpoint, online.InProgress)
}

// PutOperation writes o in place of what is there.
func (tx *Tx) PutOperation(ctx context.Context, o online.Operation) error {
	return tx.put(ctx, `INSERT INTO operations (id, endpoint, deployment, deletes, status, error_code, error_message, started_at, ended_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET status = excluded.status, error_code = excluded.error_code,
			error_message = excluded.error_message, ended_at = excluded.ended_at`,
		o.ID, o.Endpoint, o.Deployment, o.Deletes, o.Status, o.ErrorCode, o.ErrorMessage, nanos(o.StartedAt), nanos(o.EndedAt))
}

// ForgetOperations deletes the operations that ended before t.
func (tx *Tx) ForgetOperations(ctx context.Context, t time.Time) error {
	return tx.put(ctx, "DELETE FROM operations WHERE ended_at > 0 AND ended_at < ?", nanos(t))
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
