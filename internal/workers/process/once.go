package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"hotswap/internal/environ"
)

// Once returns a way to run a tool under a guard, so that nothing it starts outlives it, or this
// process. The guard exits with the tool's status, and what it writes to its standard error is the
// tool's output.
func Once(guard []string) environ.Runner {
	return func(ctx context.Context, t environ.Tool) error {
		orders, err := json.Marshal(orders{Once: &order{Argv: t.Argv, Env: t.Env, Dir: t.Dir}})
		if err != nil {
			return err
		}
		in, control, err := os.Pipe()
		if err != nil {
			return err
		}
		cmd := exec.Command(guard[0], guard[1:]...)
		cmd.Env, cmd.Stdin, cmd.Stderr = []string{}, in, t.Output
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := errors.Join(cmd.Start(), in.Close()); err != nil {
			return errors.Join(err, control.Close())
		}
		release := context.AfterFunc(ctx, func() { io.Closer(control).Close() })
		defer release()
		_, err = control.Write(append(orders, '\n'))
		return errors.Join(cmd.Wait(), err, ignoreClosed(control.Close()))
	}
}

// ignoreClosed makes nothing of closing a file twice.
func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// guardOnce runs one process to its end, or until the control pipe or ctx ends, and then leaves
// nothing behind.
func guardOnce(ctx context.Context, what order, in io.Reader) (status int, err error) {
	cmd := exec.Command(what.Argv[0], what.Argv[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = what.Env, what.Dir, os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	gone := make(chan struct{})
	go func() { // ends with in, or the process
		defer close(gone)
		io.Copy(io.Discard, in) //nolint:errcheck // because an error is an end as well
	}()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait() //nolint:errcheck // because tell says how it ended
	}()
	select {
	case <-ended:
		return tell(cmd.ProcessState), killUntilGone(below)
	case <-gone:
	case <-ctx.Done():
	}
	if err := killUntilGone(below); err != nil {
		return 0, err
	}
	<-ended
	return tell(cmd.ProcessState), nil
}

// tell is the exit status that passes on how a process ended; as a shell does it for signals.
func tell(p *os.ProcessState) int {
	if how, ok := p.Sys().(syscall.WaitStatus); ok && how.Signaled() {
		fmt.Fprintln(os.Stderr, p)
		return 128 + int(how.Signal())
	}
	return p.ExitCode()
}
