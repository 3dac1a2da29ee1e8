package process

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"hotswap/internal/online"
)

// step is one of the things that are done to bring an instance up. Each can be done again after any
// part of it was done, by this server or one before.
type step struct {
	name string
	line string // of the status, which it is a part of
	last bool   // of the steps with that line
	do   func(*instance) error
}

// startUpSteps are the steps in their order.
var startUpSteps = []step{
	{"prepare", systemSetup, true, (*instance).prepare},
	{"fetch model", modelDownload, false, (*instance).fetchModel},
	{"fetch code", modelDownload, true, (*instance).fetchCode},
	{"environment", imagePull, true, (*instance).environment},
	{"start", containerStart, false, (*instance).start},
	{"probe", containerStart, true, (*instance).probe},
}

// startUp does the steps, and tells of each in the log with its beginning, end and duration.
func (i *instance) startUp() error {
	if err := os.MkdirAll(i.folder, 0o700); err != nil {
		return err
	}
	for _, s := range startUpSteps {
		i.status.set(s.line, inProgress)
		began := time.Now()
		i.note("%s: started", s.name)
		err := s.do(i)
		took := time.Since(began).Round(time.Microsecond)
		if err != nil {
			i.note("%s: failed after %v: %v", s.name, took, err)
			i.status.set(s.line, failed)
			i.status.add("Failed", "Warning", fmt.Sprintf("%s: %v", s.name, err))
			return online.Errorf(online.CodeOf(err), "%s: %w", s.name, err)
		}
		i.note("%s: succeeded in %v", s.name, took)
		if s.last {
			i.status.set(s.line, succeeded)
		}
	}
	return nil
}

// prepare makes the folder, and ends what a guard that was killed may have left running.
func (i *instance) prepare() error {
	if err := killMarked(i.folder); err != nil {
		return err
	}
	return os.MkdirAll(filepath.Join(i.folder, "tmp"), 0o700)
}

// emptied returns a folder of the instance that has nothing in it: what an earlier try fetched may
// be half of it.
func (i *instance) emptied(name string) (string, error) {
	dir := filepath.Join(i.folder, name)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.Mkdir(dir, 0o700)
}
