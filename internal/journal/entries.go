package journal

import (
	"context"
	"encoding/json"
	"time"

	"hotswap/internal/online"
)

// RolloutID names one rollout of the endpoint: its fence when it began, and its id.
type RolloutID struct {
	Fence   int64
	Rollout string
}

// Entry is one step of a rollout.
type Entry struct {
	Fence   int64           `json:"fence"`
	Rollout string          `json:"rollout"`
	Seq     int             `json:"seq"` // counts the entries of a rollout
	Kind    string          `json:"kind"`
	Time    time.Time       `json:"time"`
	Data    json.RawMessage `json:"data,omitempty"`
}

var errNotYet = online.Errorf(online.Internal, "not yet")

func (j *Journal) Append(ctx context.Context, e Entry) error                  { return errNotYet }
func (j *Journal) Rollouts(ctx context.Context) ([]RolloutID, error)          { return nil, errNotYet }
func (j *Journal) Entries(ctx context.Context, id RolloutID) ([]Entry, error) { return nil, errNotYet }
func (j *Journal) Lock(ctx context.Context) (Lock, error)                     { return Lock{}, errNotYet }
func (j *Journal) Acquire(ctx context.Context, c Claim) (*Lease, error)       { return nil, errNotYet }

type Lease struct{ lock Lock }

func (l *Lease) Fence() int64                      { return l.lock.Fence }
func (l *Lease) Rollout() string                   { return l.lock.Rollout }
func (l *Lease) Remaining() time.Duration          { return 0 }
func (l *Lease) Renew(ctx context.Context) error   { return errNotYet }
func (l *Lease) Rest(ctx context.Context) error    { return errNotYet }
func (l *Lease) Release(ctx context.Context) error { return errNotYet }
