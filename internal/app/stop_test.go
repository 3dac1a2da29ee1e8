package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// slow says by a file that it has begun, and answers half a second later.
const slow = `
import json, time

def init():
    pass

def run(raw_data):
    open(json.loads(raw_data)["mark"], "w").close()
    time.sleep(0.5)
    return "done"
`

// Stop waits for the request under way, and leaves no process behind.
func TestStopDrains(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	server, stop := start(t, options(dir))
	c := server.client(t, server.made.ClientSecret)
	endpoint := c.putEndpoint(t, "slow", nil)
	must(t, 0, c.putDeployment(t, "slow", "blue", "", c.uploadCode(t, slow)))
	keys, err := c.NewOnlineEndpointsClient().ListKeys(t.Context(), c.group, c.workspace, "slow", nil)
	key := *must(t, keys, err).PrimaryKey
	if left := processesOf(t, dir); len(left) == 0 {
		t.Error("no worker runs, so its end would show nothing")
	}

	mark := filepath.Join(dir, "mark")
	answered := make(chan string, 1)
	go func() {
		defer close(answered)
		status, answer, _ := server.score(t, *endpoint.Properties.ScoringURI, key, `{"mark":"`+mark+`"}`, "azureml-model-deployment", "blue")
		answered <- fmt.Sprint(status, " ", answer)
	}()
	eventually(t, func() string {
		if _, err := os.Stat(mark); err != nil {
			return "the request never came to the worker"
		}
		return ""
	})
	stop()
	if got := <-answered; got != `200 "done"` {
		t.Errorf("the request under way: %s", got)
	}
	if left := processesOf(t, dir); len(left) > 0 {
		t.Errorf("left running: %q", left)
	}
}

// processesOf are the command lines that name a state folder.
func processesOf(t *testing.T, dir string) (found []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range must(t, files, err) {
		line, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(line), dir+"/") {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}
