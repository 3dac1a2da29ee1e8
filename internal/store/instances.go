package store

import "context"

// Instance is the row of an instance. It is there before its first process and goes after its
// last, so what a crash leaves is found by it.
type Instance struct {
	ID                   string
	Endpoint, Deployment string
	Launch               string // the Version.Launch it was started from
	PID                  int    // of its guard; 0 until that runs
	StartTime            uint64 // of its guard, field 22 of /proc/PID/stat
	Kept                 bool   // it failed and is kept for its log only
}

const instanceColumns = "SELECT id, endpoint, deployment, launch, pid, start_time, kept FROM instances "

func scanInstance(r row) (i Instance, err error) {
	return i, r.Scan(&i.ID, &i.Endpoint, &i.Deployment, &i.Launch, &i.PID, &i.StartTime, &i.Kept)
}

// Instances reads all instances of an endpoint, oldest first; "" means of all endpoints.
func (tx *Tx) Instances(ctx context.Context, endpoint string) ([]Instance, error) {
	return list(ctx, tx, scanInstance, instanceColumns+"WHERE ?1 = '' OR endpoint = ?1 ORDER BY rowid", endpoint)
}

// AddInstance writes the row of a new instance.
func (tx *Tx) AddInstance(ctx context.Context, i Instance) error {
	return tx.put(ctx, "INSERT INTO instances (id, endpoint, deployment, launch, pid, start_time, kept) VALUES (?, ?, ?, ?, ?, ?, ?)",
		i.ID, i.Endpoint, i.Deployment, i.Launch, i.PID, i.StartTime, i.Kept)
}

// SetGuard notes which process holds an instance.
func (tx *Tx) SetGuard(ctx context.Context, id string, pid int, startTime uint64) error {
	return tx.put(ctx, "UPDATE instances SET pid = ?, start_time = ? WHERE id = ?", pid, startTime, id)
}

// KeepInstance marks an instance as one that is kept for its log.
func (tx *Tx) KeepInstance(ctx context.Context, id string) error {
	return tx.put(ctx, "UPDATE instances SET kept = 1 WHERE id = ?", id)
}

// DeleteInstance deletes the row of an instance of which nothing is left.
func (tx *Tx) DeleteInstance(ctx context.Context, id string) error {
	return tx.put(ctx, "DELETE FROM instances WHERE id = ?", id)
}
