package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"hotswap/internal/online"
)

// pipeline is a command that runs in the background.
type pipeline struct {
	*exec.Cmd
	stderr bytes.Buffer
}

func (s *server) begin(t *testing.T, args ...string) *pipeline {
	t.Helper()
	p := &pipeline{Cmd: s.client(nil, args...)}
	p.Stderr = &p.stderr
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait() })
	return p
}

// signal sends one to the pipeline.
func (p *pipeline) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// end waits for its end.
func (p *pipeline) end() result {
	_ = p.Wait()
	return result{stderr: p.stderr.String(), code: p.ProcessState.ExitCode()}
}

// reaches waits until the newest rollout is in a phase.
func (p *project) reaches(t *testing.T, s *server, phase string) {
	t.Helper()
	waitFor(t, phase, func() bool { st := p.status(t, s); return st.Rollout != nil && st.Rollout.Phase == phase })
}

// A pipeline whose machine is lost keeps its lock until a person takes it away. Then another one
// goes on, or back; and should the machine come back, nothing that it writes is taken.
func TestLostMachine(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for verb, live := range map[string]string{"resume": "three", "abort": "two"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, "lost-"+verb)
			clients := p.twoLive(t, s)
			old := s.begin(t, p.twoSteps("--interval", "5s")...)
			p.reaches(t, s, "Watching")
			old.signal(t, syscall.SIGSTOP)
			fence := s.moveHolder(t, p.endpoint)
			s.run(t, p.rollout()...).expect(t, 4, "locked by")
			s.run(t, "resume", "-e", p.endpoint).expect(t, 4, "is run by")
			if verb == "abort" {
				abort := s.begin(t, verb, "-e", p.endpoint)
				waitFor(t, "the abort to be recorded", func() bool { return strings.Contains(s.blob(t, p.endpoint, "decisions/"), `"abort"`) })
				s.run(t, "unlock", "-e", p.endpoint, "--force", "--yes").expect(t, 0, "")
				abort.end().expect(t, 0, "hotswap unlock --force")
			} else {
				s.run(t, "unlock", "-e", p.endpoint, "--force", "--yes").expect(t, 0, "")
				s.run(t, verb, "-e", p.endpoint).expect(t, 0, "resumed, it was cut off when Watching")
			}
			before := p.status(t, s)
			s.refusesFence(t, p.endpoint, fence)
			old.signal(t, syscall.SIGCONT)
			old.end().expect(t, 1, "lock")
			after := p.status(t, s)
			if after.Lock != nil || *after.Rollout != *before.Rollout || !slices.Equal(after.Deployments, before.Deployments) {
				t.Errorf("the lost pipeline wrote: before %+v, after %+v", before, after)
			}
			p.becomes(t, s, live)
			clients.end(t, 20)
		})
	}
}

// moveHolder makes the lock one of a process on another machine, and returns its fence.
func (s *server) moveHolder(t *testing.T, endpoint string) string {
	t.Helper()
	var lock map[string]any
	if err := json.Unmarshal([]byte(s.blob(t, endpoint, "lock.json")), &lock); err != nil {
		t.Fatal(err)
	}
	lock["holder"].(map[string]any)["host"] = "elsewhere"
	text, err := json.Marshal(lock)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.dial(t).Container(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.NewBlockBlobClient("hotswap/"+endpoint+"/lock.json").UploadBuffer(t.Context(), text, nil); err != nil {
		t.Fatal(err)
	}
	return strconv.FormatInt(int64(lock["fence"].(float64)), 10)
}

// blob returns the texts of the endpoint's blobs of the journal whose names begin so.
func (s *server) blob(t *testing.T, endpoint, name string) (text string) {
	t.Helper()
	c, err := s.dial(t).Container(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for pager := c.NewListBlobsFlatPager(nil); pager.More(); {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Segment.BlobItems {
			if !strings.HasPrefix(*item.Name, "hotswap/"+endpoint+"/"+name) {
				continue
			}
			r, err := c.NewBlobClient(*item.Name).DownloadStream(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			text += string(b)
		}
	}
	return text
}

// refusesFence requires that a write of the traffic with that fence is not taken.
func (s *server) refusesFence(t *testing.T, endpoint, fence string) {
	t.Helper()
	c := s.dial(t)
	e, err := c.Endpoint(t.Context(), endpoint)
	if err != nil {
		t.Fatal(err)
	}
	e.Tags[online.TagFence] = fence
	e.Traffic = online.AllTo("blue")
	if _, err := c.PutEndpoint(t.Context(), e); online.CodeOf(err) != online.Stale {
		t.Errorf("a write with fence %s ended with %v, want %s", fence, err, online.Stale)
	}
}

// A pipeline that is interrupted while its candidate has traffic says what is left and how to go on,
// and keeps its lock for that.
func TestInterruptedStep(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	tests := map[string]struct {
		phase  string
		signal syscall.Signal
		verb   string
		code   int
		live   string
	}{
		"int-watching":  {"Watching", syscall.SIGINT, "abort", 0, "two"},
		"term-watching": {"Watching", syscall.SIGTERM, "resume", 0, "three"},
		"int-paused":    {"Paused", syscall.SIGINT, "promote", 0, "three"},
		"term-paused":   {"Paused", syscall.SIGTERM, "abort", 0, "two"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, name)
			clients := p.twoLive(t, s)
			args := p.twoSteps("--interval", "6s")
			if tt.phase == "Paused" {
				args = p.twoSteps("--pause-at", "25")
			}
			running := s.begin(t, args...)
			p.reaches(t, s, tt.phase)
			running.signal(t, tt.signal)
			r := running.end().expect(t, 1, "stopped on the way")
			for _, says := range []string{"is left " + tt.phase + " with the traffic at blue=25 green=75", "hotswap resume", "hotswap abort"} {
				if !strings.Contains(r.stderr, says) {
					t.Errorf("it does not say %q: %s", says, r)
				}
			}
			st := p.status(t, s)
			if st.Lock == nil || st.Rollout.Phase != tt.phase || st.Deployments[0].Traffic != 25 {
				t.Errorf("left %+v, want the lock, %s and blue at 25 %%", st, tt.phase)
			}
			s.run(t, p.rollout()...).expect(t, 4, "locked by")
			s.run(t, tt.verb, "-e", p.endpoint).expect(t, tt.code, "")
			p.becomes(t, s, tt.live)
			if st := p.status(t, s); st.Lock != nil {
				t.Errorf("the lock is left: %+v", st.Lock)
			}
			clients.end(t, 20)
		})
	}
}

// What people decide at the same time ends in one of the outcomes that they asked for, the safe one
// where they differ.
func TestDecisionsAtOnce(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	tests := map[string]struct {
		bake  string
		verbs []string
		code  int // of the pipeline
		live  string
	}{
		"promote-abort": {"5m", []string{"promote", "abort"}, 3, "two"},
		"promotes":      {"2s", []string{"promote", "promote"}, 0, "three"},
		"aborts":        {"2s", []string{"abort", "abort"}, 3, "two"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, name)
			clients := p.twoLive(t, s)
			running := s.begin(t, p.twoSteps("--pause-at", "25", "--bake", tt.bake)...)
			p.reaches(t, s, "Paused")
			s.run(t, "resume", "-e", p.endpoint).expect(t, 4, "is run by")
			s.run(t, "rollback", "-e", p.endpoint).expect(t, 4, "hotswap abort")
			var commands []*exec.Cmd
			for _, verb := range tt.verbs {
				commands = append(commands, s.client(nil, verb, "-e", p.endpoint))
			}
			for i, r := range finishAll(t, commands) {
				late := i > 0 && r.code == 5                                    // it finds nothing to decide any more
				undone := i > 0 && r.code == tt.code && name == "promote-abort" // it is told what became of its promote
				if r.code != 0 && !late && !undone {
					t.Errorf("one of %v: %s", tt.verbs, r)
				}
			}
			running.end().expect(t, tt.code, "")
			p.becomes(t, s, tt.live)
			if st := p.status(t, s); st.Lock != nil || len(st.Deployments) != 2 {
				t.Errorf("left %+v, want no lock and two deployments", st)
			}
			clients.end(t, 20)
		})
	}
}

// While a bake runs nothing else is begun: going back is by abort.
func TestNothingElseDuringABake(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newProject(t, "baking")
	clients := p.twoLive(t, s)
	running := s.begin(t, p.rollout("--bake", "5m")...)
	p.reaches(t, s, "Watching")
	s.run(t, p.deploy()...).expect(t, 4, "locked by")
	s.run(t, "rollback", "-e", p.endpoint).expect(t, 4, "hotswap abort")
	s.run(t, "abort", "-e", p.endpoint, "-m", "fares are off").expect(t, 0, "")
	running.end().expect(t, 3, "fares are off")
	p.becomes(t, s, "two")
	clients.end(t, 20)
}
