package process

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// logLimit is where a log is begun anew; one old file is kept.
const logLimit = 8 << 20

// logFile is a log that is capped in size. It may be written from several goroutines, a line or
// more a call. It opens its file with the first line, and tries again with each one if it can't.
type logFile struct {
	path string

	mu   sync.Mutex
	file *os.File
	size int64
}

func newLog(path string) *logFile { return &logFile{path: path} }

func old(path string) string { return path + ".1" }

func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil && l.size+int64(len(p)) > logLimit {
		if err := errors.Join(l.close(), os.Rename(l.path, old(l.path))); err != nil {
			return 0, err
		}
	}
	if l.file == nil {
		if err := l.open(); err != nil {
			return 0, err
		}
	}
	n, err := l.file.Write(p)
	l.size += int64(n)
	return n, err
}

func (l *logFile) open() error {
	file, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	l.file, l.size = file, info.Size()
	return nil
}

func (l *logFile) close() error {
	file := l.file
	l.file = nil
	return file.Close()
}

// Close closes the file; a later line opens it again.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.close()
}

// lastLines returns the last n lines of a log, or all that is kept of it where n is 0.
func lastLines(path string, n int) (string, error) {
	var text []byte
	for _, part := range []string{old(path), path} {
		p, err := os.ReadFile(part)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		text = append(text, p...)
	}
	if n <= 0 {
		return string(text), nil
	}
	end := len(text)
	if bytes.HasSuffix(text, []byte("\n")) {
		end--
	}
	for range n {
		if end = bytes.LastIndexByte(text[:end], '\n'); end < 0 {
			return string(text), nil
		}
	}
	return string(text[end+1:]), nil
}

// indent sets the last words of a worker off from the message that they end.
func indent(lines []string) string {
	if len(lines) == 0 {
		return " (it printed nothing)"
	}
	return ":\n" + strings.Join(lines, "\n")
}
