package environ

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// passed are the beginnings of the variables that the tools are given of the server's environment:
// where things are, and how to reach the package index. The rest may hold secrets, and the set-up
// script of a package runs as it likes.
var passed = []string{
	"PATH=", "HOME=", "USER=", "LANG=", "LC_", "TMPDIR=", "XDG_CACHE_HOME=", "PIP_", "UV_", "SSL_", "REQUESTS_CA_BUNDLE=",
	"CURL_CA_BUNDLE=", "HTTP_PROXY=", "HTTPS_PROXY=", "NO_PROXY=", "ALL_PROXY=", "http_proxy=", "https_proxy=", "no_proxy=", "all_proxy=",
}

// environment is what of the server's own the tools are given.
func environment() (kept []string) {
	for _, line := range os.Environ() {
		for _, begin := range passed {
			if strings.HasPrefix(line, begin) {
				kept = append(kept, line)
			}
		}
	}
	return append(kept, "UV_PYTHON_DOWNLOADS=never") // an interpreter is the machine's business
}

// command returns a command that ends with ctx, and with it all that it started: it leads a process
// group, and the whole group is killed.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // for a pipe that something outside the group holds open
	return cmd
}

// Direct runs a tool as a child of this process. If this process is killed, so is the tool, but not
// what the tool started. The kernel ties that to the thread that started it, so the thread has to stay.
func Direct(ctx context.Context, t Tool) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := command(ctx, t.Argv[0], t.Argv[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = t.Env, t.Dir, t.Output, t.Output
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	return cmd.Run()
}

// tailLines is how much of a tool's output an error tells.
const tailLines = 20

// tail keeps the last lines written to it. It is an io.Writer for one goroutine.
type tail struct {
	lines []string
	part  string
}

func (t *tail) Write(p []byte) (int, error) {
	lines := strings.Split(t.part+string(p), "\n")
	t.part = lines[len(lines)-1]
	t.lines = append(t.lines, lines[:len(lines)-1]...)
	t.lines = t.lines[max(0, len(t.lines)-tailLines):]
	return len(p), nil
}

func (t *tail) String() string {
	return strings.TrimSpace(strings.Join(append(t.lines, t.part), "\n"))
}
