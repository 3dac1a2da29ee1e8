package process

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"hotswap/internal/online"
	"hotswap/internal/workers"
)

// The files of an instance beside its folders.
const (
	stepsLog   = "steps.log"
	workersLog = "workers.log"
	statusFile = "status.txt"
)

// Log returns the status of an instance and the last lines of one of its logs, or all that is kept
// of it where tail is 0.
func (l *Launcher) Log(id, container string, tail int) (string, error) {
	if err := workers.CheckID(id); err != nil {
		return "", err
	}
	file := map[string]string{workers.InferenceServer: workersLog, workers.StorageInitializer: stepsLog}[container]
	if file == "" {
		return "", online.Errorf(online.Invalid, "log %q: want %s or %s", container, workers.InferenceServer, workers.StorageInitializer)
	}
	head, err := l.head(id)
	if err != nil {
		return "", err
	}
	text, err := lastLines(filepath.Join(l.folder(id), file), tail)
	if err != nil {
		return "", online.Errorf(online.Internal, "read the log of instance %s: %w", id, err)
	}
	return head + "\n" + text, nil
}

// head is the status that begins each log, also of an instance that an earlier server ran.
func (l *Launcher) head(id string) (string, error) {
	l.mu.Lock()
	i := l.instances[id]
	l.mu.Unlock()
	if i != nil {
		return i.status.String(), nil
	}
	text, err := os.ReadFile(filepath.Join(l.folder(id), statusFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", online.Errorf(online.NotFound, "read the log of instance %s: there is no such instance", id)
	}
	if err != nil {
		return "", online.Errorf(online.Internal, "read the log of instance %s: %w", id, err)
	}
	return string(text), nil
}
