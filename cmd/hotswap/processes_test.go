package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// running is a process of this machine, by /proc (proc_pid_stat(5)).
type running struct {
	pid, parent int
	started     string // field 22, which with the pid names one process
	cmdline     string
}

func (r running) String() string { return fmt.Sprintf("%d %s", r.pid, r.cmdline) }

// processes lists those that run; one that has ended and is not yet asked for does not.
func processes(t *testing.T) (all []running) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if fields[0] == "Z" || fields[0] == "X" {
			continue
		}
		parent, _ := strconv.Atoi(fields[1])
		cmdline, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		all = append(all, running{pid, parent, fields[19], strings.ReplaceAll(string(cmdline), "\x00", " ")})
	}
	return all
}

// below lists what a process has started, by way of others too.
func below(t *testing.T, pid int) (found []running) {
	t.Helper()
	all := processes(t)
	for parents := []int{pid}; len(parents) > 0; parents = parents[1:] {
		for _, p := range all {
			if p.parent == parents[0] {
				found = append(found, p)
				parents = append(parents, p.pid)
			}
		}
	}
	return found
}

// count tells how many of the command lines hold a text.
func count(all []running, text string) (n int) {
	for _, p := range all {
		if strings.Contains(p.cmdline, text) {
			n++
		}
	}
	return n
}

// mentions tells whether a process has to do with a folder: its command line, environment, working
// folder or an open file names it.
func (r running) mentions(dir string) bool {
	proc := filepath.Join("/proc", strconv.Itoa(r.pid))
	environ, _ := os.ReadFile(filepath.Join(proc, "environ"))
	if strings.Contains(r.cmdline, dir) || strings.Contains(string(environ), dir) {
		return true
	}
	links, _ := filepath.Glob(filepath.Join(proc, "fd", "*"))
	for _, link := range append(links, filepath.Join(proc, "cwd")) {
		if to, _ := os.Readlink(link); strings.HasPrefix(to, dir) {
			return true
		}
	}
	return false
}

// gone requires that what was started ends within seconds, and that nothing else has to do with
// the state folder, but the server where that runs.
func (s *server) gone(t *testing.T, started []running) {
	t.Helper()
	var left []running
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		left = nil
		for _, p := range processes(t) {
			if p.pid != s.command.Process.Pid && (p.mentions(s.stateDir) || slices.Contains(started, p)) {
				left = append(left, p)
			}
		}
		if len(left) == 0 {
			return
		}
	}
	t.Errorf("processes are left: %v", left)
}
