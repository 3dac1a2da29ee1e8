package rollout

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"hotswap/internal/journal"
)

// Self identifies this process, so that a later one on the same machine can tell that it is gone.
func Self() journal.Holder {
	host, _ := os.Hostname() // "" is said by all that have no name
	start, _ := startTime(os.Getpid())
	return journal.Holder{
		Name:  name(host),
		Host:  place(),
		PID:   os.Getpid(),
		Start: start,
		Boot:  bootID(),
	}
}

// name is how a holder is shown to people.
func name(host string) string {
	if run := os.Getenv("GITHUB_RUN_ID"); run != "" {
		return fmt.Sprintf("%s run %s", os.Getenv("GITHUB_REPOSITORY"), run)
	}
	who := "unknown"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	return who + "@" + host
}

// place is where a process id means something: a machine, and on it the namespace of the ids
// (pid_namespaces(7)), since containers may share the machine's name. "" is nowhere.
func place() string {
	host, err := os.Hostname()
	space, errSpace := os.Readlink("/proc/self/ns/pid")
	if err != nil || errSpace != nil {
		return ""
	}
	return host + " " + space
}

// gone reports whether the holder's process is known to have ended: it ran in this place, and
// the machine was started anew, or no process has its id and start time.
func gone(h journal.Holder) bool {
	if h.PID == 0 || h.Host == "" || h.Host != place() {
		return false
	}
	if h.Boot != bootID() || errors.Is(syscall.Kill(h.PID, 0), syscall.ESRCH) {
		return true
	}
	start, seen := startTime(h.PID)
	return seen && start != h.Start
}

// bootID tells one start of the machine from another (proc_sys_kernel(5)).
func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(bytes.TrimSpace(id))
}

// startTime returns field 22 of /proc/PID/stat, in clock ticks since the start of the machine
// (proc_pid_stat(5)), or 0 of a process that has ended. It may not be seen: /proc can be mounted so
// that it shows each user's own processes only (proc(5), hidepid).
func startTime(pid int) (ticks uint64, seen bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	_, after, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
	fields := strings.Fields(after) // from field 3 on: a command's name may hold blanks and brackets
	const start = 22 - 3
	if len(fields) <= start || fields[0] == "Z" {
		return 0, true
	}
	ticks, err = strconv.ParseUint(fields[start], 10, 64)
	return ticks, err == nil
}
