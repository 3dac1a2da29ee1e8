package cli

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"strings"

	"hotswap/internal/online"
)

// inWorkflow reports whether this command is a step of a workflow of GitHub Actions, or of Gitea's.
func (s *session) inWorkflow() bool { return s.Getenv("GITHUB_ACTIONS") == "true" }

// setOutput gives the step an output, and setVariable the steps after it an environment variable.
// Outside of a workflow they do nothing
// (docs.github.com/actions/reference/workflows-and-actions/workflow-commands).
func (s *session) setOutput(name, value string) error {
	return s.tellRunner("GITHUB_OUTPUT", assignment(name, value))
}

func (s *session) setVariable(name, value string) error {
	return s.tellRunner("GITHUB_ENV", assignment(name, value))
}

// maxSummary is what a step may say in the job's summary, in bytes; of more, GitHub shows nothing
// (docs.github.com/actions/reference/workflows-and-actions/workflow-commands, "Step isolation and limits").
const maxSummary = 1 << 20

// summaryCut ends a summary that was too long.
const summaryCut = "\n\nThe rest is left out: the summary would be too large.\n"

// summarise adds Markdown to the job's summary.
func (s *session) summarise(markdown string) error {
	file := s.Getenv(summaryVariable)
	if !s.inWorkflow() || file == "" {
		return nil
	}
	markdown += "\n"
	there, _ := os.ReadFile(file) // which need not be there yet
	if bytes.HasSuffix(there, []byte(summaryCut)) {
		return nil
	}
	if room := max(0, maxSummary-len(there)-len(summaryCut)); len(markdown) > room {
		cut := markdown[:room]
		markdown = cut[:strings.LastIndexByte(cut, '\n')+1] + summaryCut // a line is whole, or is not there
	}
	return s.tellRunner(summaryVariable, markdown)
}

// tellSummary is summarise for what has an outcome of its own: that it can't be told stops no rollout.
func (s *session) tellSummary(markdown string) {
	if err := s.summarise(markdown); err != nil {
		s.say("the job's summary lacks a part: %v", err)
	}
}

// assignment is a value between two lines that it can't contain, so that no value ends early.
func assignment(name, value string) string {
	end := rand.Text()
	return fmt.Sprintf("%s<<%s\n%s\n%s\n", name, end, value, end)
}

// tellRunner appends to the file that the runner named by a variable.
func (s *session) tellRunner(variable, text string) error {
	file := s.Getenv(variable)
	if !s.inWorkflow() || file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return online.Errorf(online.Internal, "tell the runner: %w", err)
	}
	_, err = f.WriteString(text)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return online.Errorf(online.Internal, "tell the runner: %w", err)
	}
	return nil
}

// The levels of annotations.
const (
	errorLevel   = "error"
	warningLevel = "warning"
	noticeLevel  = "notice"
)

// annotate puts a message on a line of a file of the pull request; 0 is no line.
func (s *session) annotate(level, file string, line, column int, message string) {
	if !s.inWorkflow() {
		return
	}
	var where []string
	for _, p := range []struct {
		name  string
		value any
		given bool
	}{{"file", file, file != ""}, {"line", line, line > 0}, {"col", column, column > 0}} {
		if p.given {
			where = append(where, fmt.Sprintf("%s=%s", p.name, inProperty.Replace(fmt.Sprint(p.value))))
		}
	}
	at := ""
	if len(where) > 0 {
		at = " " + strings.Join(where, ",")
	}
	fmt.Fprintf(s.commands, "::%s%s::%s\n", level, at, inMessage.Replace(message))
}

// What a workflow command may not hold as it is.
var (
	inMessage  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	inProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
