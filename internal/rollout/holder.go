package rollout

import (
	"bytes"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"hotswap/internal/journal"
)

// Self identifies this process, so that a later one on the same machine can tell that it is gone.
func Self() journal.Holder {
	host, _ := os.Hostname() // "" only means that nobody can tell that we are gone
	return journal.Holder{
		Name:  name(host),
		Host:  host,
		PID:   os.Getpid(),
		Start: startTime(os.Getpid()),
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

// gone reports whether the holder's process is known to have ended: it ran on this machine, and
// the machine was started anew, or no process has its id and start time.
func gone(h journal.Holder) bool {
	host, err := os.Hostname()
	if err != nil || h.PID == 0 || h.Host != host {
		return false
	}
	return h.Boot != bootID() || startTime(h.PID) != h.Start
}

// bootID tells one start of the machine from another (proc_sys_kernel(5)).
func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(bytes.TrimSpace(id))
}

// startTime returns field 22 of /proc/PID/stat, in clock ticks since the start of the machine
// (proc_pid_stat(5)), or 0 if there is no such process.
func startTime(pid int) uint64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
	fields := strings.Fields(after) // from field 3 on: a command's name may hold blanks and brackets
	const start = 22 - 3
	if len(fields) <= start || fields[0] == "Z" {
		return 0
	}
	ticks, _ := strconv.ParseUint(fields[start], 10, 64)
	return ticks
}
