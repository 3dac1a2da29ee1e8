package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The story of the README ends as it tells: each rollout as it should, and no request failed.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "hs-") //nolint:usetesting // because sockets lie below it, and t.TempDir is too long for them
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := exec.CommandContext(t.Context(), binary, "demo", "-o", "json")
	c.Env = append(os.Environ(), "TMPDIR="+dir)
	r := finish(t, c).expect(t, 0, "prediction diff: 99 of 100 trips cost another fare than with blue")
	type outcome struct {
		Failed, Rollouts, Refused, Rollbacks int

		RolledBack int `json:"rolled_back"`
		Live       string
	}
	var got struct {
		RollbackMS   float64        `json:"rollback_ms"`
		SwapMS       float64        `json:"swap_ms"`
		ByDeployment map[string]int `json:"by_deployment"`
	}
	var end outcome
	if err := errors.Join(json.Unmarshal([]byte(r.stdout), &got), json.Unmarshal([]byte(r.stdout), &end)); err != nil {
		t.Fatalf("%v: %s", err, r)
	}
	if want := (outcome{Rollouts: 2, Refused: 1, RolledBack: 1, Rollbacks: 1, Live: "blue"}); end != want {
		t.Errorf("the story ended with %+v, want %+v: %s", end, want, r)
	}
	const least = 100
	if min(got.ByDeployment["blue"], got.ByDeployment["green"]) < least || min(got.RollbackMS, got.SwapMS) <= 0 {
		t.Errorf("it counted %+v, want at least %d requests of each, and times", got, least)
	}
	if !strings.Contains(r.stderr, "25 %: worse") {
		t.Errorf("version 4 was not judged by its metrics: %s", r)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}
