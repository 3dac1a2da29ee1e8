package process

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hotswap/internal/workers"
)

// child is a worker process of a guard. It leads a process group.
type child struct {
	guard  *guard
	cmd    *exec.Cmd
	output *output
}

// exitError is the end of a worker, with its last words.
type exitError struct {
	err  error
	tail []string
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// start forks a worker.
func (g *guard) start(what order) (workers.Process, error) {
	in, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(what.Argv[0], what.Argv[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = what.Env, what.Dir, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	g.call(func() {
		if err = cmd.Start(); err == nil {
			g.known[cmd.Process.Pid] = true
		}
	})
	if err = errors.Join(err, out.Close()); err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return &child{g, cmd, collect(in, g.log)}, nil
}

// Wait waits for the end of the worker, and then ends the rest of its process group. The entry of the
// worker is kept until that is done, so that its number cannot name another group.
func (c *child) Wait() error {
	pid := c.cmd.Process.Pid
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
	unix.Kill(-pid, unix.SIGKILL) //nolint:errcheck // because a group with nothing left in it is what is wanted
	err := c.cmd.Wait()
	c.guard.call(func() { delete(c.guard.known, pid) })
	if err == nil {
		err = workers.ErrExited
	}
	return &exitError{err, c.output.tail()}
}

// Terminate asks the worker, and not what it started, to end.
func (c *child) Terminate() { c.cmd.Process.Signal(unix.SIGTERM) } //nolint:errcheck // because it may have ended

// Kill ends the worker's process group.
func (c *child) Kill() { unix.Kill(-c.cmd.Process.Pid, unix.SIGKILL) } //nolint:errcheck // because it may have ended

const (
	tailLines = 20      // of a worker's output that its end is told with
	tailLine  = 1 << 10 // bytes of each
	// drainTime is what a worker's end waits for its last words: they are in the pipe already, but
	// something that it started may hold the pipe open.
	drainTime = 500 * time.Millisecond
)

// output takes what a worker prints to the log, and remembers the end of it.
type output struct {
	last chan []string // holds the last lines while nobody uses them
	done chan struct{} // closed when the pipe has ended
}

// collect reads a pipe to its end. That comes when everything that holds it is gone, and so with
// the guard at the latest.
func collect(in io.ReadCloser, log io.Writer) *output {
	o := &output{make(chan []string, 1), make(chan struct{})}
	o.last <- nil
	go func() {
		defer close(o.done)
		defer in.Close()
		lines := bufio.NewReaderSize(in, 64<<10)
		for {
			line, err := lines.ReadSlice('\n') // a longer line comes in pieces
			if len(line) > 0 {
				o.add(line, log)
			}
			if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				return
			}
		}
	}()
	return o
}

func (o *output) add(line []byte, log io.Writer) {
	log.Write(line) //nolint:errcheck // because a full disk must not stop the worker
	text := strings.TrimRight(string(line[:min(len(line), tailLine)]), "\r\n")
	last := append(<-o.last, text)
	o.last <- last[max(0, len(last)-tailLines):]
}

// tail returns the last lines of a worker that has ended.
func (o *output) tail() []string {
	select {
	case <-o.done:
	case <-time.After(drainTime):
	}
	last := <-o.last
	o.last <- last
	return last
}
