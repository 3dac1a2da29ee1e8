package gitea

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	runnerv1 "code.gitea.io/actions-proto-go/runner/v1"
	"code.gitea.io/actions-proto-go/runner/v1/runnerv1connect"
	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"hotswap/e2e/rig"
)

// Runner takes the server's jobs and hands each to act, on this machine and without containers. It is what
// Gitea's own runner is, as far as the workflows that we ship need it: one job a task, no services.
type Runner struct {
	rpc     runnerv1connect.RunnerServiceClient
	act     string
	dir     string   // of the tasks
	environ []string // of act, and so of every step
	actions []string // what act takes for the actions of other repositories
	test    testing.TB
	tasks   sync.WaitGroup
	paused  sync.Mutex // held while no task may be taken
}

// Run runs the server's jobs until the test ends. Steps see the given environment, and nothing else of the test's
// but PATH.
func (s *Server) Run(t testing.TB, environ ...string) *Runner {
	t.Helper()
	r := &Runner{
		rpc: runnerv1connect.NewRunnerServiceClient(http.DefaultClient, s.URL+"/api/actions"),
		act: rig.Program(t, "act"), dir: t.TempDir(), test: t,
	}
	r.environ = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "TERM=dumb"}, environ...)
	r.actions = others(t)
	var token struct{ Token string }
	s.Must(t, "POST", "/admin/actions/runners/registration-token", nil, &token)
	registered, err := r.rpc.Register(t.Context(), connect.NewRequest(&runnerv1.RegisterRequest{
		Name: "test", Token: token.Token, Labels: []string{"ubuntu-latest"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	id := connect.WithInterceptors(connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			req.Header().Set("x-runner-uuid", registered.Msg.Runner.Uuid)
			req.Header().Set("x-runner-token", registered.Msg.Runner.Token)
			return next(ctx, req)
		}
	}))
	r.rpc = runnerv1connect.NewRunnerServiceClient(http.DefaultClient, s.URL+"/api/actions", id)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r.tasks.Go(func() { r.poll(ctx) })
	t.Cleanup(func() { cancel(); r.tasks.Wait() })
	return r
}

// Pause lets the runner take no more jobs until the returned function is called.
func (r *Runner) Pause() (resume func()) {
	r.paused.Lock()
	return r.paused.Unlock
}

// poll asks for tasks and starts each. Version 0 is what a runner says that wants to have whatever waits.
func (r *Runner) poll(ctx context.Context) {
	for ctx.Err() == nil {
		r.paused.Lock()
		got, err := r.rpc.FetchTask(ctx, connect.NewRequest(&runnerv1.FetchTaskRequest{}))
		r.paused.Unlock()
		switch {
		case ctx.Err() != nil:
		case err != nil:
			r.test.Error("fetch a task:", err)
			return
		case got.Msg.Task != nil:
			r.tasks.Go(func() { r.do(ctx, got.Msg.Task) })
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// do runs a task and tells the server of its lines and of its end.
func (r *Runner) do(ctx context.Context, task *runnerv1.Task) {
	dir := filepath.Join(r.dir, fmt.Sprint("task-", task.Id))
	state := &runnerv1.TaskState{Id: task.Id, Result: runnerv1.Result_RESULT_SUCCESS, StartedAt: timestamppb.Now()}
	log := &taskLog{rpc: r.rpc, task: task.Id}
	cmd, err := r.command(ctx, dir, task)
	if err == nil {
		err = log.of(ctx, cmd)
	}
	last := "the job succeeded"
	if err != nil {
		last = "the job failed: " + err.Error()
		state.Result = runnerv1.Result_RESULT_FAILURE
	}
	log.line(ctx, last, true)
	state.StoppedAt = timestamppb.Now()
	_, err = r.rpc.UpdateTask(ctx, connect.NewRequest(&runnerv1.UpdateTaskRequest{State: state}))
	if ctx.Err() != nil {
		return
	}
	for _, e := range []error{err, log.err, os.RemoveAll(dir)} {
		if e != nil {
			r.test.Errorf("task %d: %v", task.Id, e)
		}
	}
}

// command prepares a task's folder, and act to run there. What the task brings is in files, so that it is in
// nobody's command line.
func (r *Runner) command(ctx context.Context, dir string, task *runnerv1.Task) (*exec.Cmd, error) {
	job := task.Context.AsMap()
	env := map[string]string{"GITEA_ACTIONS": "true", "SHA_REF": text(job["sha"])} // SHA_REF is how act is told GITHUB_SHA
	for _, name := range []string{
		"repository", "repository_owner", "ref", "ref_name", "ref_type", "base_ref", "head_ref",
		"run_id", "run_number", "run_attempt", "server_url", "api_url",
	} {
		env["GITHUB_"+strings.ToUpper(name)] = strings.TrimSuffix(text(job[name]), "/") // of URLs, as Gitea's runner does
	}
	workspace := filepath.Join(dir, "workspace")
	if err := os.MkdirAll(workspace, 0o755); err != nil {
		return nil, err
	}
	files := map[string]any{"event.json": job["event"], "env.yml": env, "secrets.yml": task.Secrets, "vars.yml": task.Vars}
	for name, content := range files { // JSON is YAML
		text, err := json.Marshal(content)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "workflow.yml"), task.WorkflowPayload, 0o600); err != nil {
		return nil, err
	}
	args := []string{
		text(job["event_name"]), "--directory", workspace, "--workflows", filepath.Join(dir, "workflow.yml"), "--job", text(job["job"]),
		"--eventpath", filepath.Join(dir, "event.json"), "--env-file", filepath.Join(dir, "env.yml"),
		"--secret-file", filepath.Join(dir, "secrets.yml"), "--var-file", filepath.Join(dir, "vars.yml"),
		"--actor", text(job["actor"]), "--defaultbranch", "main", "--platform", "ubuntu-latest=-self-hosted",
		"--action-cache-path", filepath.Join(dir, "cache"), "--no-cache-server", "--no-skip-checkout",
	}
	cmd := exec.CommandContext(ctx, r.act, append(args, r.actions...)...)
	cmd.Dir, cmd.Env = dir, r.environ
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd, nil
}

// text is a value of a job's context, which may be missing.
func text(v any) string {
	s, _ := v.(string)
	return s
}

// pinned is an action of another repository.
var pinned = regexp.MustCompile(`(?m)uses: (actions/([a-z-]+)@\S+)`)

// others says to act which folder stands for each action of another repository that ours use. Checking out is done, from
// the server; the rest does nothing: there is no network, and no artifact store.
func others(t testing.TB) (args []string) {
	t.Helper()
	seen := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(rig.Root(t), ".github"), func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(file)
		for _, use := range pinned.FindAllStringSubmatch(string(content), -1) {
			dir := filepath.Join(rig.Root(t), "e2e/gitea/testdata", use[2])
			if use[2] != "checkout" {
				dir = filepath.Join(rig.Root(t), "e2e/gitea/testdata/nothing")
			}
			if !seen[use[1]] {
				args = append(args, "--local-repository", use[1]+"="+dir)
			}
			seen[use[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return args
}

// taskLog is what a job says, line by line as the server keeps it.
type taskLog struct {
	rpc  runnerv1connect.RunnerServiceClient
	task int64
	next int64
	err  error // the first
}

// of runs the command and keeps what it says.
func (l *taskLog) of(ctx context.Context, cmd *exec.Cmd) error {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		l.line(ctx, lines.Text(), false)
	}
	return cmd.Wait()
}

// line sends a line; after the last one, the server files the log away.
func (l *taskLog) line(ctx context.Context, content string, last bool) {
	_, err := l.rpc.UpdateLog(ctx, connect.NewRequest(&runnerv1.UpdateLogRequest{
		TaskId: l.task, Index: l.next, NoMore: last,
		Rows: []*runnerv1.LogRow{{Time: timestamppb.Now(), Content: content}},
	}))
	if err != nil && l.err == nil {
		l.err = fmt.Errorf("send the log: %w", err)
	}
	l.next++
}
