package environ

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hotswap/internal/online"
)

// recipe is what an environment is made of, and so its address. The interpreter is a part of it:
// one that is installed later, and fits better, makes another environment.
type recipe struct {
	Python       string
	Version      string
	Requirements []string
}

// hash is 16 bytes of SHA-256: enough to never meet by chance, short in a path.
func (r recipe) hash() (string, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16]), nil
}

const (
	marker       = "hotswap.complete"
	requirements = "requirements.txt"
)

// provide returns the interpreter of the environment of r, built if need be by one caller at a time.
func (b *Builder) provide(ctx context.Context, r recipe, log io.Writer) (string, error) {
	hash, err := r.hash()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(b.dir, "environments", hash)
	python := filepath.Join(dir, "bin", "python")
	turn := b.turn(hash)
	select {
	case <-turn:
		defer func() { turn <- struct{}{} }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if complete(dir, python) {
		fmt.Fprintf(log, "environment %s is there already\n", hash)
		return python, nil
	}
	began := time.Now()
	fmt.Fprintf(log, "environment %s: python %s with %d packages asked for\n", hash, r.Version, len(r.Requirements))
	if err := b.build(ctx, dir, python, r, log); err != nil {
		return "", errors.Join(fmt.Errorf("build environment %s: %w", hash, err), os.RemoveAll(dir))
	}
	fmt.Fprintf(log, "environment %s was built in %v\n", hash, time.Since(began).Round(time.Millisecond))
	b.log.Info("environment built", "environment", hash, "took", time.Since(began))
	return python, nil
}

// turn returns the channel that holds the token of one environment.
func (b *Builder) turn(hash string) chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	turn, ok := b.turns[hash]
	if !ok {
		turn = make(chan struct{}, 1)
		turn <- struct{}{}
		b.turns[hash] = turn
	}
	return turn
}

// complete reports whether the environment was built to its end and its interpreter is still installed.
func complete(dir, python string) bool {
	_, errMarker := os.Stat(filepath.Join(dir, marker))
	_, errPython := os.Stat(python) // follows the link to the interpreter it was made of
	return errMarker == nil && errPython == nil
}

// build makes the environment in its final place.
func (b *Builder) build(ctx context.Context, dir, python string, r recipe, log io.Writer) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	list := filepath.Join(dir, requirements)
	tools := tools(dir, python, list, r.Python)
	if err := b.use(ctx, filepath.Dir(dir), log, tools[0]); err != nil {
		return err
	}
	if err := os.WriteFile(list, []byte(strings.Join(r.Requirements, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	if err := b.use(ctx, filepath.Dir(dir), log, tools[1]); err != nil {
		return err
	}
	return finish(dir)
}

// tools returns the command that makes the environment and the one that fills it.
func tools(dir, python, list, base string) [2][]string {
	if uv, err := exec.LookPath("uv"); err == nil {
		return [2][]string{
			{uv, "venv", "--python", base, dir},
			{uv, "pip", "install", "--python", python, "-r", list},
		}
	}
	return [2][]string{
		{base, "-m", "venv", dir},
		{python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "-r", list},
	}
}

// finish writes the marker, after the file system has all that the marker vouches for.
func finish(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := errors.Join(unix.Syncfs(int(folder.Fd())), folder.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return os.WriteFile(filepath.Join(dir, marker), nil, 0o600)
}

// use runs one tool in a folder, for the tools read settings from where they are. A failure carries
// the end of what it printed.
func (b *Builder) use(ctx context.Context, dir string, log io.Writer, argv []string) error {
	last := new(tail)
	err := b.run(ctx, Tool{Argv: argv, Env: environment(), Dir: dir, Output: io.MultiWriter(log, last)})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	name := filepath.Base(argv[0]) + " " + argv[1]
	if argv[1] == "-m" {
		name = argv[2]
	}
	return online.Errorf(online.Invalid, "%s: %w:\n%s", name, err, last)
}
