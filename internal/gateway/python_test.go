package gateway

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	source "hotswap/worker"
)

// python is a real worker.
type python struct {
	address Address
	command *exec.Cmd
}

// startPython runs a worker with the script until the test ends.
func startPython(t testing.TB, script string) *python {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"worker.py": string(source.Source), "score.py": script} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &python{Address{"unix", filepath.Join(dir, "w")}, exec.Command("python3", "-B", "-u", "worker.py", "--socket", "w")}
	p.command.Dir, p.command.Stdout, p.command.Stderr = dir, os.Stderr, os.Stderr
	p.command.Env = append(os.Environ(), "AML_APP_ROOT="+dir, "AZUREML_ENTRY_SCRIPT=score.py")
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.command.Process.Kill()
		p.command.Wait()
	})
	return p
}

func pythonWorker(t testing.TB, script string) Address {
	t.Helper()
	return startPython(t, script).address
}
