package worker

import (
	"os"
	"os/exec"
	"testing"
)

// The worker is tested in its own language; this makes go test run those tests too.
func TestWorker(t *testing.T) {
	for _, name := range []string{"worker.py", "test_worker.py"} { // tells go test that its result depends on them
		if _, err := os.Stat(name); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), "python3", "-B", "-W", "error", "-m", "unittest", "test_worker")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
