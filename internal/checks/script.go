package checks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// script is a command of the user's own that judges all answers of a case. It runs in the folder
// of the suite and is given a JSON object a line, {"name", "request", "status", "answer",
// "seconds"}; a body that is not JSON is a string there. It passes by exit code 0.
type script struct {
	command []string
	dir     string
}

const (
	// scriptTime bounds a script that waits for something that never comes.
	scriptTime = 10 * time.Minute
	// scriptOutput is how much of what a script prints is kept, in bytes: its end.
	scriptOutput = 4 << 10
)

// run returns what the script printed, and why it does not pass.
func (s *script) run(ctx context.Context, requests []Request, answers []Answer) (output string, err error) {
	input, err := exchanges(requests, answers)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, scriptTime)
	defer cancel()
	var printed tail
	c := exec.CommandContext(ctx, s.command[0], s.command[1:]...)
	c.Dir = s.dir
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(input), &printed, &printed
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that what it started ends with it
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = time.Second
	err = c.Run()
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("the script %s was not through after %v", s.command[0], scriptTime)
	case exited && exit.ExitCode() >= 0:
		err = fmt.Errorf("the script %s ended with exit code %d", s.command[0], exit.ExitCode())
	case errors.Is(err, exec.ErrWaitDelay): // it passed, and left something running
		err = nil
		_ = c.Cancel()
	case err != nil:
		err = fmt.Errorf("the script %s could not be run: %w", s.command[0], err)
	}
	return printed.String(), err
}

// exchanges is what a script reads.
func exchanges(requests []Request, answers []Answer) ([]byte, error) {
	type exchange struct {
		Name    string  `json:"name"`
		Request any     `json:"request"`
		Status  int     `json:"status"`
		Answer  any     `json:"answer"`
		Seconds float64 `json:"seconds"`
	}
	var out bytes.Buffer
	lines := json.NewEncoder(&out)
	lines.SetEscapeHTML(false)
	for i, a := range answers {
		e := exchange{requests[i].Name, jsonOrText(requests[i].Body), a.Status, jsonOrText(a.Body), a.Took.Seconds()}
		if err := lines.Encode(e); err != nil {
			return nil, fmt.Errorf("write %s for the script: %w", requests[i].Name, err)
		}
	}
	return out.Bytes(), nil
}

func jsonOrText(body []byte) any {
	if json.Valid(body) {
		return json.RawMessage(body)
	}
	return string(body)
}

// tail keeps the end of what is written to it.
type tail struct{ kept []byte }

func (t *tail) Write(b []byte) (int, error) {
	t.kept = append(t.kept, b...)
	if extra := len(t.kept) - scriptOutput; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(b), nil
}

// String is the text in lines that nothing else can be taken for.
func (t *tail) String() string {
	lines := strings.Split(strings.TrimSpace(string(t.kept)), "\n")
	for i, line := range lines {
		lines[i] = shorten(line, scriptOutput)
	}
	return strings.Join(lines, "\n")
}
