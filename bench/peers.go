package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"hotswap/internal/azure"
)

// The example, the binary and the peer's Python, seen from the project's root.
const (
	example = "examples/taxi-fare"
	binary  = "bin/hotswap"
	venv    = ".cache/bench"
)

// peer is one server that is measured.
type peer struct {
	name    string
	url     string
	tls     *tls.Config
	header  map[string]string
	cert    string // path of its certificate and key, without .crt and .key
	process *exec.Cmd
}

// stop ends the peer's process, and waits for it.
func (p *peer) stop() {
	_ = p.process.Process.Signal(syscall.SIGTERM)
	_ = p.process.Wait()
}

// train makes the model that all peers serve.
func train(ctx context.Context, dir string) (model string, err error) {
	c := exec.CommandContext(ctx, "python3", filepath.Join(example, "train.py"), "--out", dir)
	c.Stderr = os.Stderr
	return filepath.Join(dir, "model.json"), c.Run()
}

// startHotswap starts the built binary, notes what it holds in memory when idle, and rolls the
// example out to it.
func startHotswap(ctx context.Context, dir, model string) (p *peer, idle string, err error) {
	c := exec.CommandContext(ctx, binary, "serve", "--listen", "127.0.0.1:0", "--state-dir", filepath.Join(dir, "state"), "--log-level", "warn")
	c.Stderr = os.Stderr
	stdout, err := c.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := c.Start(); err != nil {
		return nil, "", err
	}
	p = &peer{name: "hotswap", process: c}
	said := announced(bufio.NewScanner(stdout))
	time.Sleep(3 * time.Second) // idle, after the work of a start
	if idle, err = resident(c.Process.Pid); err == nil {
		err = p.deploy(ctx, said, model)
	}
	if err != nil {
		p.stop()
	}
	return p, idle, err
}

// announced reads what hotswap serve prints, by name.
func announced(lines *bufio.Scanner) map[string]string {
	said := map[string]string{}
	for lines.Scan() && !strings.Contains(lines.Text(), "AZURE_CREDENTIALS") {
		if name, value, found := strings.Cut(lines.Text(), " "); found {
			said[name] = strings.TrimSpace(value)
		}
	}
	return said
}

// resident is what the kernel says a process holds in memory (proc_pid_status(5), VmRSS).
func resident(pid int) (string, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(status)) {
		if rss, is := strings.CutPrefix(line, "VmRSS:"); is {
			return strings.TrimSpace(rss), nil
		}
	}
	return "", errors.New("no VmRSS in /proc")
}

// deploy rolls the example out and learns how it is scored.
func (p *peer) deploy(ctx context.Context, said map[string]string, model string) error {
	for _, args := range [][]string{
		{"model", "register", "-n", "taxi-fare", "--path", model},
		{
			"rollout", "--endpoint-file", filepath.Join(example, "endpoint.yml"), "--deployment-file", filepath.Join(example, "deployment.yml"),
			"--request-file", filepath.Join(example, "request.json"),
		},
	} {
		c := exec.CommandContext(ctx, binary, append(args, "--credentials", said["credentials"])...)
		c.Env = append(os.Environ(), "SSL_CERT_FILE="+said["CA"])
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("hotswap %s: %w\n%s", args[0], err, out)
		}
	}
	return p.learn(ctx, said)
}

// learn asks for the endpoint's URL and key.
func (p *peer) learn(ctx context.Context, said map[string]string) error {
	client, err := azure.Dial(ctx, azure.Options{
		CredentialsFile: said["credentials"],
		Getenv:          func(name string) string { return map[string]string{"SSL_CERT_FILE": said["CA"]}[name] },
	})
	if err != nil {
		return err
	}
	e, err := client.Endpoint(ctx, "taxi-fare")
	if err != nil {
		return err
	}
	key, err := client.ScoringKey(ctx, e)
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(said["CA"])
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	p.cert = filepath.Join(filepath.Dir(said["CA"]), "server")
	p.url, p.tls, p.header = e.ScoringURI, &tls.Config{RootCAs: roots}, map[string]string{"Authorization": "Bearer " + key}
	return nil
}

// startGunicorn starts the same score.py with one worker of a class, in a Python of its own. The
// class that keeps connections serves HTTPS, with the certificate that ours has.
func startGunicorn(ctx context.Context, class, modelDir string, ours *peer) (*peer, error) {
	if err := install(ctx); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	args := []string{"--workers", "1", "--worker-class", class, "--bind", address, "--log-level", "error", "flask_app:app"}
	p := &peer{name: "gunicorn " + class, url: "http://" + address + "/score"}
	if class == "gthread" {
		args = append([]string{"--threads", "8", "--certfile", ours.cert + ".crt", "--keyfile", ours.cert + ".key"}, args...)
		p.url, p.tls = strings.NewReplacer("http:", "https:", "127.0.0.1", "localhost").Replace(p.url), ours.tls
	}
	c := exec.CommandContext(ctx, filepath.Join(venv, "bin", "gunicorn"), args...)
	src, err := filepath.Abs(filepath.Join(example, "src"))
	if err != nil {
		return nil, err
	}
	bench, err := filepath.Abs("bench")
	if err != nil {
		return nil, err
	}
	c.Env = append(os.Environ(), "AZUREML_MODEL_DIR="+modelDir, "PYTHONPATH="+src+":"+bench, "PYTHONDONTWRITEBYTECODE=1")
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		return nil, err
	}
	p.process = c
	if err := reachable(ctx, address); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// install makes the peer's Python once.
func install(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(venv, "bin", "gunicorn")); err == nil {
		return nil
	}
	for _, args := range [][]string{
		{"python3", "-m", "venv", venv},
		{filepath.Join(venv, "bin", "pip"), "install", "--quiet", "flask==3.1.2", "gunicorn==23.0.0"},
	} {
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", args[0], err, out)
		}
	}
	return nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// reachable waits until something listens.
func reachable(ctx context.Context, address string) error {
	for range 200 {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("nothing listens on %s", address)
}
