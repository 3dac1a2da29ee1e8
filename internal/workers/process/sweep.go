package process

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hotswap/internal/online"
	"hotswap/internal/workers"
)

// sweepPatience is how long guards are left to end by themselves: the pipe of each ended with its server.
const sweepPatience = 2 * time.Second

// Sweep ends what an earlier server left running, and removes the sockets, and the files of the
// instances that are not among the leftovers.
func (l *Launcher) Sweep(ctx context.Context, leftovers []workers.Leftover) error {
	for deadline := time.Now().Add(sweepPatience); ; time.Sleep(killPause) {
		all, err := processes()
		if err != nil {
			return online.Errorf(online.Internal, "look for what an earlier server left: %w", err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if len(trees(all, leftovers)) == 0 || time.Now().After(deadline) {
			break
		}
	}
	if err := killUntilGone(func(all []process) []process { return trees(all, leftovers) }); err != nil {
		return err
	}
	if err := killMarked(filepath.Join(l.dir, "instances")); err != nil {
		return err
	}
	if err := l.clearSockets(func(string) bool { return true }); err != nil {
		return fmt.Errorf("remove sockets of an earlier server: %w", err)
	}
	return l.clearFolders(leftovers)
}

// trees picks the processes that were recorded and still are the same, and all below them.
func trees(all []process, leftovers []workers.Leftover) (found []process) {
	for _, p := range all {
		same := func(o workers.Leftover) bool { return o.PID == p.pid && o.StartTime == p.started }
		if !p.ended() && slices.ContainsFunc(leftovers, same) {
			found = append(append(found, p), descendants(all, p.pid)...)
		}
	}
	return found
}

// clearFolders removes what the instances folder has of others than the leftovers.
func (l *Launcher) clearFolders(leftovers []workers.Leftover) error {
	dir := filepath.Join(l.dir, "instances")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look for files of an earlier server: %w", err)
	}
	for _, entry := range entries {
		known := func(o workers.Leftover) bool { return o.ID == entry.Name() }
		if slices.ContainsFunc(leftovers, known) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return fmt.Errorf("remove files of an earlier server: %w", err)
		}
	}
	return nil
}
