package process

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"

	"hotswap/internal/crashpoint"
	"hotswap/internal/workers"
)

// leash is the server's end of a guard: a workers.Process.
type leash struct {
	instance *instance
	cmd      *exec.Cmd
	process  process
	control  io.WriteCloser // the guard kills everything when it is closed
	orders   *json.Encoder
	reports  io.ReadCloser
}

// fork starts a guard and gives it its orders.
func (i *instance) fork(o orders) (workers.Process, error) {
	l := &leash{instance: i}
	if err := l.start(); err != nil {
		return nil, err
	}
	l.orders = json.NewEncoder(l.control)
	l.orders.Encode(o) // fails when the guard has ended, which Wait tells
	l.process, _ = look(l.cmd.Process.Pid)
	i.post(func() { i.guardStarted(l) })
	return l, nil
}

// start forks. The guard has a session of its own, so that a key that interrupts the server leaves
// the guard to the server; and an empty environment.
func (l *leash) start() error {
	in, control, err := os.Pipe()
	if err != nil {
		return err
	}
	argv := l.instance.launcher.guard
	l.cmd = exec.Command(argv[0], argv[1:]...)
	l.cmd.Env, l.cmd.Stdin, l.cmd.Stderr = []string{}, in, os.Stderr
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	l.control = control
	if l.reports, err = l.cmd.StdoutPipe(); err == nil {
		crashpoint.At("process.fork.before")
		err = l.cmd.Start()
		crashpoint.At("process.fork.after")
	}
	if err != nil {
		return errors.Join(err, in.Close(), control.Close())
	}
	return in.Close()
}

// Wait passes the guard's reports on until it has ended. What a guard that was killed left behind is
// ended too.
func (l *leash) Wait() error {
	calm := context.AfterFunc(l.instance.hurry, func() { l.control.Close() })
	defer calm()
	for lines := json.NewDecoder(l.reports); ; {
		var r report
		if lines.Decode(&r) != nil {
			break
		}
		l.instance.post(func() { l.instance.workerChanged(r) })
	}
	io.Copy(io.Discard, l.reports) //nolint:errcheck // because it ends with the guard, however
	err := l.cmd.Wait()
	l.control.Close()
	if e := killMarked(l.instance.folder); e != nil {
		l.instance.launcher.log.Error("workers outlived their guard", "instance", l.instance.want.ID, "error", e)
	}
	return err
}

// Terminate has the guard end the workers with grace.
func (l *leash) Terminate() { l.send(command{Do: doStop}) }

// Kill ends a guard that did not obey. Wait ends what it leaves behind.
func (l *leash) Kill() { l.cmd.Process.Kill() } //nolint:errcheck // because it may have ended

func (l *leash) send(c command) {
	l.orders.Encode(c) // fails when the guard has ended, which Wait tells
}
