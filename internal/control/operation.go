package control

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"hotswap/internal/crashpoint"
	"hotswap/internal/online"
	"hotswap/internal/store"
)

// operationsKept is how long a client may poll an operation that has ended.
const operationsKept = 24 * time.Hour

// Operation returns an operation; without it, online.NotFound.
func (c *Control) Operation(ctx context.Context, id string) (o online.Operation, err error) {
	err = c.Store.View(ctx, func(tx *store.Tx) (err error) {
		o, err = tx.Operation(ctx, id)
		return err
	})
	return o, err
}

func newOperation(endpoint, deployment string, deletes bool) online.Operation {
	return online.Operation{
		ID: uuid.NewString(), Endpoint: endpoint, Deployment: deployment, Deletes: deletes,
		Status: online.InProgress, StartedAt: time.Now().UTC(),
	}
}

// begin commits a change of desired state together with the operation that carries it out, and
// wakes the reconciler. The change draws its revision itself, where it knows that there is one.
func (c *Control) begin(ctx context.Context, o online.Operation, change func(*store.Tx) error) error {
	if err := c.open(); err != nil {
		return err
	}
	crashpoint.At("control.commit.before")
	err := c.update(ctx, o.Endpoint, func(tx *store.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		if err := tx.ForgetOperations(ctx, time.Now().Add(-operationsKept)); err != nil {
			return err
		}
		return tx.PutOperation(ctx, o)
	})
	if err != nil {
		return err
	}
	crashpoint.At("control.commit.after")
	if o.Deletes {
		crashpoint.At("control.delete.marked")
	}
	c.wake(o.Endpoint)
	return nil
}

// beginAndWait is begin for an operation that is as good as done: it waits until it has ended, or
// until ctx has. Where operations are slow on purpose, it doesn't.
func (c *Control) beginAndWait(ctx context.Context, o online.Operation, change func(*store.Tx) error) (online.Operation, error) {
	ended := c.waiters.add(o.ID)
	defer c.waiters.done(o.ID)
	if err := c.begin(ctx, o, change); err != nil {
		return o, err
	}
	if c.pace.operation > 0 {
		return o, nil
	}
	select {
	case <-ended:
		return c.Operation(ctx, o.ID)
	case <-ctx.Done():
	case <-c.running.Done():
	}
	return o, nil // it goes on; the client may poll it
}

// end is the operation o with the end that it has come to.
func end(o online.Operation, status online.OperationStatus, code, message string) online.Operation {
	o.Status, o.ErrorCode, o.ErrorMessage, o.EndedAt = status, code, message, time.Now().UTC()
	return o
}

// cancel ends the operations under way that a delete makes pointless.
func cancel(ctx context.Context, tx *store.Tx, running []online.Operation) error {
	for _, o := range running {
		o = end(o, online.OperationCanceled, "OperationCanceled", "The operation was canceled by another one of higher priority: a delete.")
		if err := tx.PutOperation(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// waiters are the requests that wait for an operation's end, by its id.
type waiters struct {
	mu sync.Mutex
	m  map[string]chan struct{}
}

func (w *waiters) add(id string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.m == nil {
		w.m = map[string]chan struct{}{}
	}
	w.m[id] = make(chan struct{})
	return w.m[id]
}

// done tells the waiter of an operation, if there is one.
func (w *waiters) done(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ended, waited := w.m[id]; waited {
		close(ended)
		delete(w.m, id)
	}
}
