package gateway

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	python "hotswap/worker"
)

// pythonWorker runs a real worker with the script until the test ends.
func pythonWorker(t testing.TB, script string) Address {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"worker.py": string(python.Source), "score.py": script} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	socket := filepath.Join(dir, "w")
	command := exec.Command("python3", "-B", "-u", filepath.Join(dir, "worker.py"), "--socket", socket)
	command.Dir, command.Stdout, command.Stderr = dir, os.Stderr, os.Stderr
	command.Env = append(os.Environ(), "AML_APP_ROOT="+dir, "AZUREML_ENTRY_SCRIPT=score.py")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
	return Address{"unix", socket}
}
