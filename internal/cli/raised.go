package cli

import (
	"bufio"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"hotswap/internal/spec"
)

// raised is where a candidate's own code failed, in the files that it was uploaded from.
type raised struct {
	file    string
	line    int
	message string
}

// readLog has the log of a candidate looked through for what its code raised, for the annotation
// of a workflow, before save keeps it.
func (s *session) readLog(d spec.Deployment, save func(deployment, log string) error) func(deployment, log string) error {
	if !s.inWorkflow() || d.CodeDir == "" {
		return save
	}
	return func(deployment, log string) error {
		s.raised = findRaised(log, d.CodeDir, d.Code.Script)
		if save == nil {
			return nil
		}
		return save(deployment, log)
	}
}

// What a traceback of Python is made of
// (docs.python.org/3/library/traceback.html, the format of print_exception).
const traceback = "Traceback (most recent call last):"

var (
	frame     = regexp.MustCompile(`^\s*File "([^"]+)", line (\d+)`)
	exception = regexp.MustCompile(`^([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning|Timeout)\b.*)$`)
)

// findRaised finds the last traceback in a log that goes through the scoring script, and the last
// place in it that is in the code folder: below is a library's. The server has the folder at a path
// of its own, which is what stands before the script's name; nil where there is none.
func findRaised(log, dir, script string) *raised {
	var found *raised
	for _, trace := range strings.Split(log, traceback)[1:] {
		if r := readTrace(trace, dir, script); r != nil {
			found = r
		}
	}
	return found
}

func readTrace(trace, dir, script string) *raised {
	type place struct {
		path string
		line int
	}
	var places []place
	root, message, lines := "", "", bufio.NewScanner(strings.NewReader(trace))
	lines.Buffer(nil, len(trace)+1)
	for lines.Scan() && message == "" {
		part := frame.FindStringSubmatch(lines.Text())
		if part == nil {
			if len(places) > 0 {
				message = exception.FindString(strings.TrimRight(lines.Text(), "\r"))
			}
			continue
		}
		n, err := strconv.Atoi(part[2])
		if err != nil {
			continue
		}
		places = append(places, place{path.Clean(part[1]), n})
		if before, is := strings.CutSuffix(path.Clean(part[1]), "/"+path.Clean(filepath.ToSlash(script))); is && root == "" {
			root = before
		}
	}
	for i := len(places) - 1; i >= 0 && root != ""; i-- {
		below, is := strings.CutPrefix(places[i].path, root+"/")
		if is && hasLine(dir, below, places[i].line) {
			return &raised{filepath.Join(dir, filepath.FromSlash(below)), places[i].line, message}
		}
	}
	return nil
}

// hasLine reports whether a file of the folder has so many lines: a log is anybody's text.
func hasLine(dir, name string, line int) bool {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false
	}
	defer func() { _ = root.Close() }()
	text, err := root.ReadFile(filepath.FromSlash(name))
	return err == nil && line > 0 && line <= strings.Count(string(text), "\n")+1
}
