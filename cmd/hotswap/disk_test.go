package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// On a full disk what is asked for fails with the reason, and what is live goes on.
func TestFullDisk(t *testing.T) {
	s := startServer(t)
	s.stop(t)
	disk := filepath.Dir(s.stateDir)
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("a small disk cannot be mounted: %v: it takes root", err)
	}
	t.Cleanup(func() {
		s.stop(t)
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	p := newProject(t, "full")
	p.register(t, s, "one")
	s.run(t, p.rollout()...).expect(t, 0, "")

	filler := fill(t, disk)
	p.write(t, "model.json", `{"name": "two", "ballast": "`+strings.Repeat("x", 1<<20)+`"}`)
	r := s.run(t, "model", "register", "-n", p.endpoint, "--path", p.path("model.json"))
	if r.code == 0 || !strings.Contains(r.stderr, "full") && !strings.Contains(r.stderr, "space") {
		t.Errorf("registering a model on a full disk: %s; want a failure that says so", r)
	}
	r = s.run(t, p.rollout()...)
	if r.code == 0 || !strings.Contains(r.stderr, "full") && !strings.Contains(r.stderr, "space") {
		t.Errorf("a rollout on a full disk: %s; want a failure that says so", r)
	}
	for range 50 {
		p.becomes(t, s, "one")
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	p.register(t, s, "three")
	s.run(t, p.rollout()...).expect(t, 0, "")
	p.becomes(t, s, "three")
}

// fill takes all the room there is and returns the file that has it.
func fill(t *testing.T, disk string) string {
	t.Helper()
	name := filepath.Join(disk, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for chunk := bytes.Repeat([]byte{1}, size); ; {
			if _, err := f.Write(chunk); err != nil {
				break
			}
		}
	}
	return name
}
