package environ

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"hotswap/internal/online"
)

// version is a Python version: major, minor, micro.
type version []int

// oldest is the first version that the worker runs on.
var oldest = version{3, 9}

func (v version) String() string {
	words := make([]string, len(v))
	for k, n := range v {
		words[k] = strconv.Itoa(n)
	}
	return strings.Join(words, ".")
}

// whole is v with all three numbers.
func (v version) whole() version {
	return append(slices.Clip(v), 0, 0, 0)[:max(len(v), 3)]
}

func parseVersion(text string) (version, error) {
	var v version
	for word := range strings.SplitSeq(text, ".") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("python version %q: want numbers with dots between", text)
		}
		v = append(v, n)
	}
	return v, nil
}

// constraint is what a version must fulfil; all of it.
type constraint []clause

type clause struct {
	op      string // ==, !=, <=, >=, <, > or ~=; ==* and !=* of 3.9 stand for ==3.9.* and !=3.9.*
	version version
}

// parseConstraint reads the versions of condaVersion.
func parseConstraint(text string) (constraint, error) {
	var all constraint
	if text == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		match := pipVersion.FindStringSubmatch(part)
		op := match[1]
		number, prefix := strings.CutSuffix(match[2], ".*")
		if prefix {
			op += "*"
		}
		v, err := parseVersion(number)
		if err != nil {
			return nil, err
		}
		all = append(all, clause{op, v})
	}
	return all, nil
}

func (c constraint) String() string {
	words := make([]string, len(c))
	for k, part := range c {
		op, prefix := strings.CutSuffix(part.op, "*")
		words[k] = op + part.version.String()
		if prefix {
			words[k] += ".*"
		}
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.Join(words, ","), "=="), ".*")
}

func (c constraint) allows(v version) bool {
	return !slices.ContainsFunc(c, func(part clause) bool { return !part.allows(v) })
}

// allows compares as conda and pip do: 3.9.18 is later than 3.9, which is 3.9.0.
func (c clause) allows(v version) bool {
	begins := slices.Equal(v[:min(len(v), len(c.version))], c.version)
	order := slices.Compare(v.whole(), c.version.whole())
	switch c.op {
	case "==*":
		return begins
	case "!=*":
		return !begins
	case "==":
		return order == 0
	case "!=":
		return order != 0
	case "~=":
		return order >= 0 && compatible(c.version, v)
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// compatible reports whether v is of the series of want, which is all of it but its last number (PEP 440).
func compatible(want, v version) bool {
	series := max(len(want)-1, 1)
	return slices.Equal(v[:min(series, len(v))], want[:series])
}

// interpreter is an installed Python.
type interpreter struct {
	path    string // of the program itself, no shim
	version version
}

// pythons finds what is installed. It remembers what a program said as long as the program is the same.
type pythons struct {
	mu    sync.Mutex
	known map[string]answer
}

type answer struct {
	modified time.Time
	found    interpreter
	err      error
}

// system is the python3 of the PATH.
func (p *pythons) system(ctx context.Context) (interpreter, error) {
	path, err := exec.LookPath("python3")
	if err != nil {
		return interpreter{}, online.Errorf(online.Invalid, "look for Python: %w; install python3, %v or newer", err, oldest)
	}
	found, err := p.ask(ctx, path)
	if err != nil {
		return interpreter{}, online.Errorf(online.Invalid, "look for Python: %w", err)
	}
	return found, nil
}

// choose returns the interpreter for c. Where none that is installed will do, exact is false and it is
// the nearest.
func (p *pythons) choose(ctx context.Context, c constraint) (best interpreter, exact bool, err error) {
	system, err := p.system(ctx)
	if err == nil && c.allows(system.version) {
		return system, true, nil
	}
	all := p.installed(ctx)
	if len(all) == 0 {
		return interpreter{}, false, cmp.Or(err, online.Errorf(online.Invalid, "no Python is installed: install python3, %v or newer", oldest))
	}
	for _, one := range slices.Backward(all) {
		if c.allows(one.version) {
			return one, true, nil
		}
	}
	return slices.MinFunc(all, func(a, b interpreter) int { return nearer(c[0].version, a.version, b.version) }), false, nil
}

// nearer orders two versions by their distance from the wanted one, the newer first where they tie.
func nearer(want, a, b version) int {
	return cmp.Or(cmp.Compare(distance(want, a), distance(want, b)), slices.Compare(b, a))
}

// distance counts minor versions first: 3.9.1 is nearer to 3.9.18 than to 3.10.0.
func distance(a, b version) int {
	weights, sum := []int{1_000_000, 1_000, 1}, 0
	for k, weight := range weights {
		if k < len(a) && k < len(b) {
			sum += weight * (a[k] - b[k])
		}
	}
	return max(sum, -sum)
}

var pythonName = regexp.MustCompile(`^python3(\.\d+)?$`)

// installed lists the interpreters that the worker runs on, oldest first, one of each version.
func (p *pythons) installed(ctx context.Context) []interpreter {
	var all []interpreter
	for _, path := range append(candidates(), managed(ctx)...) {
		if found, err := p.ask(ctx, path); err == nil {
			all = append(all, found)
		}
	}
	slices.SortStableFunc(all, func(a, b interpreter) int { return slices.Compare(a.version, b.version) })
	return slices.CompactFunc(all, func(a, b interpreter) bool { return slices.Equal(a.version, b.version) })
}

// candidates lists the programs that by their name are an interpreter.
func candidates() (paths []string) {
	folders := append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/bin", "/usr/bin")
	for k, folder := range folders {
		if slices.Contains(folders[:k], folder) {
			continue
		}
		entries, err := os.ReadDir(folder)
		if err != nil {
			continue // a PATH may name folders that are not there
		}
		for _, entry := range entries {
			if pythonName.MatchString(entry.Name()) {
				paths = append(paths, filepath.Join(folder, entry.Name()))
			}
		}
	}
	return paths
}

// managed lists the interpreters that uv installed, if there is a uv.
func managed(ctx context.Context) (paths []string) {
	uv, err := exec.LookPath("uv")
	if err != nil {
		return nil
	}
	out, err := command(ctx, uv, "python", "list", "--only-installed").Output()
	if err != nil {
		return nil // then the others have to do
	}
	for line := range strings.Lines(string(out)) {
		if words := strings.Fields(line); len(words) > 1 && filepath.IsAbs(words[1]) {
			paths = append(paths, words[1])
		}
	}
	return paths
}

// ask runs a program to learn which Python it is. A shim (pyenv has them) tells of the program
// behind it, which keeps working where the environment of the shim does not reach.
func (p *pythons) ask(ctx context.Context, path string) (interpreter, error) {
	info, err := os.Stat(path)
	if err != nil {
		return interpreter{}, err
	}
	p.mu.Lock()
	known, ok := p.known[path]
	p.mu.Unlock()
	if ok && known.modified.Equal(info.ModTime()) && known.still() {
		return known.found, known.err
	}
	found, err := identify(ctx, path)
	if ctx.Err() != nil {
		return interpreter{}, context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[string]answer{}
	}
	p.known[path] = answer{info.ModTime(), found, err}
	return found, err
}

// still reports whether the program that was found is there.
func (a answer) still() bool {
	if a.err != nil {
		return true
	}
	_, err := os.Stat(a.found.path)
	return err == nil
}

func identify(ctx context.Context, path string) (interpreter, error) {
	const script = "import sys; print(sys.executable); print('.'.join(map(str, sys.version_info[:3])))"
	out, err := command(ctx, path, "-c", script).Output()
	if err != nil {
		return interpreter{}, fmt.Errorf("ask %s for its version: %w", path, err)
	}
	program, number, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	v, err := parseVersion(number)
	if err != nil {
		return interpreter{}, err
	}
	if slices.Compare(v, oldest) < 0 {
		return interpreter{}, fmt.Errorf("%s is Python %v, want %v or newer", path, v, oldest)
	}
	return interpreter{program, v}, nil
}
