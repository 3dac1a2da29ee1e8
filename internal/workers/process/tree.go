package process

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hotswap/internal/online"
)

// process is an entry of /proc.
type process struct {
	pid, parent int
	state       byte
	started     uint64 // field 22 of /proc/PID/stat, in clock ticks since the machine's start
}

// ended reports whether only the entry is left, for a parent that has yet to ask for it.
func (p process) ended() bool { return p.state == 'Z' || p.state == 'X' }

// look reads /proc/PID/stat (proc_pid_stat(5)).
func look(pid int) (process, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return process{}, err
	}
	// The name, in parentheses, may hold anything; what follows it doesn't.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 {
		return process{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return process{}, err
	}
	started, err := strconv.ParseUint(fields[19], 10, 64)
	return process{pid, parent, fields[0][0], started}, err
}

// processes reads all of /proc. A process that ends meanwhile is left out.
func processes() ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var all []process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if p, err := look(pid); err == nil {
			all = append(all, p)
		}
	}
	return all, nil
}

// descendants picks the processes below a process. Where that one is a child subreaper, they are
// all that it ever started, by way of others too.
func descendants(all []process, of int) []process {
	children := map[int][]process{}
	for _, p := range all {
		children[p.parent] = append(children[p.parent], p)
	}
	var found []process
	for queue := children[of]; len(queue) > 0; queue = queue[1:] {
		found = append(found, queue[0])
		queue = append(queue, children[queue[0].pid]...)
	}
	return found
}

// killAll sends SIGKILL and reports whether there was anything to kill.
func killAll(all []process) (any bool) {
	for _, p := range all {
		if !p.ended() {
			any = true
			syscall.Kill(p.pid, syscall.SIGKILL) //nolint:errcheck // because one that ended meanwhile is what is wanted
		}
	}
	return any
}

// markVariable holds, in the environment of every worker, the folder of its instance. What a worker
// starts inherits it.
const markVariable = "HOTSWAP_INSTANCE"

// marked picks the processes of the instances whose folder is, or is below, the one given.
func marked(all []process, folder string) (found []process) {
	for _, p := range all {
		env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), "environ"))
		if err != nil {
			continue // another user's, or gone: not ours
		}
		for line := range bytes.SplitSeq(env, []byte{0}) {
			of, ours := strings.CutPrefix(string(line), markVariable+"=")
			if ours && (of == folder || strings.HasPrefix(of, folder+"/")) {
				found = append(found, p)
			}
		}
	}
	return found
}

const (
	killPause   = 2 * time.Millisecond
	killTimeout = 10 * time.Second // a process that the kernel doesn't end by then hangs in a driver
)

// killMarked kills the processes of the instances in a folder, until there is none.
func killMarked(folder string) error {
	return killUntilGone(func(all []process) []process { return marked(all, folder) })
}

// killUntilGone kills the processes that pick picks, until it picks none that runs: those it kills
// may have started others meanwhile.
func killUntilGone(pick func(all []process) []process) error {
	for deadline := time.Now().Add(killTimeout); ; time.Sleep(killPause) {
		all, err := processes()
		if err != nil {
			return err
		}
		picked := pick(all)
		if !killAll(picked) {
			return nil
		}
		if time.Now().After(deadline) {
			return online.Errorf(online.Internal, "kill what is left of the workers: process %d does not end", picked[0].pid)
		}
	}
}
