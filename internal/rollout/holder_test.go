package rollout

import (
	"os/exec"
	"testing"
)

func TestGone(t *testing.T) {
	sleep := exec.Command("sleep", "60")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	h := Self()
	h.PID, h.Start = sleep.Process.Pid, startTime(sleep.Process.Pid)
	if gone(h) {
		t.Error("a running holder is taken for gone")
	}
	elsewhere, rebooted, reused, resting := h, h, h, h
	elsewhere.Host, rebooted.Boot, resting.PID = "another-host", "another-boot", 0
	reused.Start++
	if gone(elsewhere) || gone(resting) {
		t.Error("a holder on another host, or between two steps, is taken for gone")
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
