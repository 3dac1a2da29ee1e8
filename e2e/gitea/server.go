// Package gitea starts a real Gitea for a test, and a runner that hands its jobs to act. Both come from
// the Makefile: "make e2e" puts their binaries into .cache/bin.
package gitea

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hotswap/e2e/rig"
)

// Admin is the user that a new server has. It may do everything.
const Admin = "captain"

// startTime is how long a server may take until it answers: 3 s on an idle machine.
const startTime = 2 * time.Minute

// Server is a Gitea on loopback, with its database, its repositories and its log in a folder of the test.
type Server struct {
	URL string // ends without a slash
	Log string // the file

	User // Admin
	dir  string
}

// Start runs a Gitea until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	port := freePort(t)
	s := &Server{URL: "http://127.0.0.1:" + port, dir: t.TempDir()}
	s.Log = filepath.Join(s.dir, "gitea.log")
	s.configure(t, port)
	s.run(t, "migrate")
	s.run(t, "admin", "user", "create", "--admin", "--must-change-password=false",
		"--username", Admin, "--email", Admin+"@example.com", "--password", password)
	s.serve(t)
	s.User = User{url: s.URL + "/api/v1", Name: Admin}
	s.Token = s.NewToken(t, Admin, "all")
	return s
}

// freePort is a port that nothing listens on. It is below those that the kernel gives to whoever asks for any
// (ip_local_port_range begins at 32768), so nobody gets it before Gitea does. Gitea can't be given an open
// socket: it takes that for a restart of its own, and ends its parent, which is the test.
func freePort(t testing.TB) string {
	t.Helper()
	const lowest, highest, tries = 20000, 32768, 100
	for range tries {
		port := strconv.Itoa(lowest + rand.IntN(highest-lowest))
		if listener, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			if err := listener.Close(); err == nil {
				return port
			}
		}
	}
	t.Fatal("no port is free")
	return ""
}

// configure writes app.ini. The keys are those of docs.gitea.com/administration/config-cheat-sheet.
func (s *Server) configure(t testing.TB, port string) {
	t.Helper()
	config := strings.NewReplacer("{dir}", s.dir, "{url}", s.URL, "{port}", port, "{static}", static(t)).Replace(`
APP_NAME = Gitea of a test
RUN_MODE = prod
WORK_PATH = {dir}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = {url}/
LOCAL_ROOT_URL = {url}/
STATIC_ROOT_PATH = {static}
DISABLE_SSH = true
OFFLINE_MODE = true
GRACEFUL_HAMMER_TIME = 2s
[database]
DB_TYPE = sqlite3
PATH = {dir}/gitea.db
SQLITE_JOURNAL_MODE = WAL
[repository]
ROOT = {dir}/repositories
DEFAULT_BRANCH = main
[security]
INSTALL_LOCK = true
[service]
DISABLE_REGISTRATION = true
[session]
PROVIDER = memory
[queue]
TYPE = channel
[indexer]
ISSUE_INDEXER_TYPE = db
[mailer]
ENABLED = false
[webhook]
ALLOWED_HOST_LIST = loopback
[actions]
ENABLED = true
[cron]
ENABLED = false
[log]
MODE = console
LEVEL = Info
`)
	if err := os.WriteFile(s.config(), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) config() string { return filepath.Join(s.dir, "app.ini") }

// static is the folder of Gitea's sources: its templates are there, and not in the binary.
func static(t testing.TB) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", "code.gitea.io/gitea")
	cmd.Dir = filepath.Join(rig.Root(t), "tools/gitea")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("find Gitea's sources: %v\n%s", err, out)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	return module.Dir
}

// command is the program with this server's configuration. It takes nothing else from the environment of the test.
func (s *Server) command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(rig.Program(t, "gitea"), append([]string{"--config", s.config()}, args...)...)
	cmd.Dir = s.dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "USER=" + os.Getenv("USER"), "GIT_CONFIG_NOSYSTEM=1",
		"GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT=true", // in a container, the tests are root
	}
	return cmd
}

// run is a call of the program's command line.
func (s *Server) run(t testing.TB, args ...string) {
	t.Helper()
	if out, err := s.command(t, args...).CombinedOutput(); err != nil {
		t.Fatalf("gitea %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// serve starts the server. It ends with the test, and with the test's process.
func (s *Server) serve(t testing.TB) {
	t.Helper()
	log, err := os.Create(s.Log)
	if err != nil {
		t.Fatal(err)
	}
	cmd := s.command(t, "web")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // the kernel ties the signal of death to the thread that forked
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait() //nolint:errcheck // because the log says why it ended
		}
	}()
	if err := errors.Join(<-started, log.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, cmd, ended) })
	if err := s.up(ended); err != nil {
		t.Fatalf("%v\n%s", err, s.tail())
	}
}

// stop asks the server to end, and ends it where it doesn't.
func stop(t testing.TB, cmd *exec.Cmd, ended <-chan struct{}) {
	group := -cmd.Process.Pid
	cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // because it may have ended
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("gitea did not end when it was asked to")
	}
	syscall.Kill(group, syscall.SIGKILL) //nolint:errcheck // because a group with nothing left in it is what is wanted
}

// up waits until the server answers.
func (s *Server) up(ended <-chan struct{}) error {
	for deadline := time.Now().Add(startTime); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		select {
		case <-ended:
			return errors.New("gitea ended before it answered")
		default:
		}
		if err := (User{url: s.URL + "/api"}).Do("GET", "/healthz", nil, nil); err == nil {
			return nil
		}
	}
	return fmt.Errorf("gitea did not answer in %v", startTime)
}

// tail is the end of the log.
func (s *Server) tail() string {
	log, err := os.ReadFile(s.Log)
	if err != nil {
		return err.Error()
	}
	const shown = 8 << 10
	return string(log[max(0, len(log)-shown):])
}
