package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"hotswap/internal/online"
)

// lock takes the state folder for this server. The kernel gives it back when the process ends,
// however it ends; the pid in the file is for people.
func (a *App) lock() error {
	name := filepath.Join(a.options.StateDir, "lock")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return online.Errorf(online.Internal, "lock the state folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		pid, _ := os.ReadFile(name)
		return errors.Join(online.Errorf(online.Locked, "state folder %s is in use by the server with pid %s: stop that one, or choose another state folder",
			a.options.StateDir, strings.TrimSpace(string(pid))), f.Close())
	}
	if err == nil {
		err = errors.Join(f.Truncate(0), writeAt(f, fmt.Sprintln(os.Getpid())))
	}
	if err != nil {
		return errors.Join(online.Errorf(online.Internal, "lock the state folder: %w", err), f.Close())
	}
	a.onStop("lock", func(context.Context) error { return f.Close() })
	return nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}
