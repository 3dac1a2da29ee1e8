package worker

import (
	"os/exec"
	"testing"
)

// The worker is tested in its own language; this makes go test run those tests too.
func TestWorker(t *testing.T) {
	command := exec.CommandContext(t.Context(), "python3", "-B", "-W", "error", "-m", "unittest", "test_worker")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
