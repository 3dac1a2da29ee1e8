package rollout

import (
	"os/exec"
	"strings"
	"testing"
)

// noProcess returns the id of a process that has ended.
func noProcess(t *testing.T) int {
	t.Helper()
	c := exec.Command("true")
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	return c.Process.Pid
}

func TestGone(t *testing.T) {
	sleep := exec.Command("sleep", "60")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	h := Self()
	h.PID = sleep.Process.Pid
	h.Start, _ = startTime(h.PID)
	if gone(h) {
		t.Error("a running holder is taken for gone")
	}
	elsewhere, contained, nowhere, rebooted, reused, resting := h, h, h, h, h, h
	elsewhere.Host, rebooted.Boot, resting.PID = "another-host", "another-boot", 0
	host, _, _ := strings.Cut(h.Host, " ")
	contained.Host, contained.PID = host+" pid:[1]", noProcess(t)
	nowhere.Host, nowhere.Boot = "", "another-boot"
	reused.Start++
	if gone(elsewhere) || gone(contained) || gone(nowhere) || gone(resting) {
		t.Error("a holder on another host, in another container, nowhere, or between two steps, is taken for gone")
	}
	if !gone(rebooted) || !gone(reused) {
		t.Error("a holder from before a reboot, or whose pid another process has, is taken for running")
	}
	if err := sleep.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = sleep.Wait()
	if !gone(h) {
		t.Error("a killed holder is taken for running")
	}
}
