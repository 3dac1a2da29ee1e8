package control

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"hotswap/internal/online"
	"hotswap/internal/store"
	"hotswap/internal/workers"
)

// Logs returns the last tail lines of the log of each instance of a deployment; container is
// workers.InferenceServer, also where it is empty, or workers.StorageInitializer. An instance that
// made the last change fail comes first.
func (c *Control) Logs(ctx context.Context, endpoint, deployment, container string, tail int) (string, error) {
	container = cmp.Or(container, workers.InferenceServer)
	if container != workers.InferenceServer && container != workers.StorageInitializer {
		return "", online.Errorf(online.Invalid, "container type %q: want %s or %s", container, workers.InferenceServer, workers.StorageInitializer)
	}
	var ids []string
	err := c.Store.View(ctx, func(tx *store.Tx) error {
		if _, err := tx.Deployment(ctx, endpoint, deployment); err != nil {
			return err
		}
		rows, err := tx.Instances(ctx, endpoint)
		ids = logged(rows, deployment)
		return err
	})
	if err != nil {
		return "", err
	}
	logs := make([]string, 0, len(ids))
	for _, id := range ids {
		text, err := c.Launcher.Log(id, container, tail)
		if isNotFound(err) {
			continue // it has not begun, or is gone by now
		}
		if err != nil {
			return "", err
		}
		if len(ids) > 1 {
			text = "Instance " + id + ":\n" + text
		}
		logs = append(logs, text)
	}
	return strings.Join(logs, "\n"), nil
}

// logged are the instances of a deployment in the order of their logs.
func logged(rows []store.Instance, deployment string) (ids []string) {
	rows = slices.DeleteFunc(rows, func(i store.Instance) bool { return i.Deployment != deployment })
	slices.SortStableFunc(rows, func(a, b store.Instance) int {
		switch {
		case a.Kept == b.Kept:
			return 0
		case a.Kept:
			return -1
		}
		return 1
	})
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	return ids
}
