package process

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// The lines at the head of a deployment's log, in their order, and what they may say. Source: what
// Azure ML's getLogs answers (learn.microsoft.com, "Get-AzMLWorkspaceOnlineDeploymentLog", example).
const (
	systemSetup    = "SystemSetup"
	imagePull      = "UserContainerImagePull" // here: the Python environment
	modelDownload  = "ModelDownload"
	containerStart = "UserContainerStart"

	waiting    = "Waiting"
	inProgress = "InProgress"
	succeeded  = "Succeeded"
	failed     = "Failed"
)

var headLines = []string{systemSetup, imagePull, modelDownload, containerStart}

// maxEvents is how many events the head tells: the last ones, as a crash loop has no end.
const maxEvents = 50

const timeFormat = "2006-01-02T15:04:05.000000Z"

// status is the head of an instance's log. A copy lies in a file, for a server that is started
// after this one.
type status struct {
	path string

	mu     sync.Mutex
	lines  map[string]string
	events []string
}

func newStatus(path string) *status {
	s := &status{path: path, lines: map[string]string{}}
	for _, line := range headLines {
		s.lines[line] = waiting
	}
	return s
}

// set changes one line. A line that failed stays so.
func (s *status) set(line, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lines[line] != failed {
		s.lines[line] = value
	}
	s.save()
}

// add tells of an event: kind is Normal or Warning.
func (s *status) add(name, kind, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().UTC().Format(timeFormat)
	first, _, _ := strings.Cut(message, "\n")
	s.events = append(s.events, fmt.Sprintf("Kind: Pod, Name: %s, Type: %s, Time: %s, Message: %s", name, kind, now, first))
	s.events = s.events[max(0, len(s.events)-maxEvents):]
	s.save()
}

// save is best effort: without the file, this server still knows.
func (s *status) save() {
	next := s.path + ".new"
	if os.WriteFile(next, []byte(s.text()), 0o600) == nil {
		os.Rename(next, s.path) //nolint:errcheck // because the file before is as good as none
	}
}

func (s *status) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text()
}

func (s *status) text() string {
	var b strings.Builder
	b.WriteString("Instance status:\n")
	for _, line := range headLines {
		fmt.Fprintf(&b, "%s: %s\n", line, s.lines[line])
	}
	b.WriteString("\nContainer events:\n")
	for _, event := range s.events {
		b.WriteString(event + "\n")
	}
	return b.String()
}
