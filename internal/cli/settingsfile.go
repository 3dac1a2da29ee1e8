package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hotswap/internal/document"
	"hotswap/internal/online"
	"hotswap/internal/spec"
)

// settingsFile gives a command's flags the values that hotswap.yml and the environment have for
// those that are not on the command line.
type settingsFile struct {
	name string            // --config
	from map[string]string // by flag: where a value comes from that is not on the command line
}

// settled adds --config to a command. Call it after its flags are added; they have their values
// when the command runs, and count as given: cobra looks for required ones after PreRunE.
func (s *session) settled(c *cobra.Command) *settingsFile {
	f := &settingsFile{from: map[string]string{}}
	c.Flags().StringVar(&f.name, "config", "", "`FILE` with settings (default: "+spec.ConfigName+" beside the endpoint's file, else here)")
	c.PreRunE = func(c *cobra.Command, _ []string) error { return f.apply(s, c.Flags()) }
	return f
}

// onCommandLine reports whether a flag was given there, and not by a file or the environment.
func (f *settingsFile) onCommandLine(flag *pflag.Flag) bool {
	return flag.Changed && f.from[flag.Name] == ""
}

// source says where a flag's value comes from.
func (f *settingsFile) source(flag *pflag.Flag) string {
	switch from := f.from[flag.Name]; {
	case from != "":
		return from
	case f.onCommandLine(flag):
		return "--" + flag.Name
	}
	return "default"
}

// The annotation of a flag that an environment variable gives, too.
const variableAnnotation = "hotswap_variable"

// The annotation of a flag that an environment variable gives where hotswap.yml does not.
const fallbackAnnotation = "hotswap_fallback"

// fromVariable lets an environment variable give a flag, before hotswap.yml does.
func fromVariable(c *cobra.Command, flag, variable string) {
	_ = c.Flags().SetAnnotation(flag, variableAnnotation, []string{variable}) // it fails for no such flag
}

func (f *settingsFile) apply(s *session, flags *pflag.FlagSet) error {
	name, err := f.find(s, flags)
	if err != nil {
		return err
	}
	var settings []spec.Setting
	if name != "" {
		if settings, err = spec.ReadConfig(s.path(name)); err != nil {
			return err
		}
	}
	if err := f.applyVariables(s, flags, variableAnnotation); err != nil {
		return err
	}
	for _, set := range settings {
		flag := flags.Lookup(strings.ReplaceAll(set.Key, "_", "-"))
		if flag == nil || flag.Changed || f.replaced(flags, flag) {
			continue
		}
		if err := flag.Value.Set(set.Value); err != nil {
			return document.Faultf(name, document.Position{Line: set.Line, Column: set.Column}, "%s: %w", set.Key, err)
		}
		flag.Changed = true
		f.from[flag.Name] = fmt.Sprintf("%s:%d", name, set.Line)
	}
	return f.applyVariables(s, flags, fallbackAnnotation)
}

// alternatives are flags of which one at most may be given.
var alternatives = map[string]string{"tests": "request-file", "request-file": "tests"}

// replaced reports whether the command line has the flag's alternative, which counts more than a file.
func (f *settingsFile) replaced(flags *pflag.FlagSet, flag *pflag.Flag) bool {
	other := flags.Lookup(alternatives[flag.Name])
	return other != nil && f.onCommandLine(other)
}

func (f *settingsFile) applyVariables(s *session, flags *pflag.FlagSet, annotation string) (err error) {
	flags.VisitAll(func(flag *pflag.Flag) {
		for _, name := range flag.Annotations[annotation] {
			value := s.Getenv(name)
			if flag.Changed || value == "" || err != nil {
				continue
			}
			if e := flag.Value.Set(value); e != nil {
				err = usagef("$%s: %w", name, e)
			}
			flag.Changed = true
			f.from[flag.Name] = "$" + name
		}
	})
	return err
}

// find returns the file's name, or "" where there is none, which is fine unless --config names it.
func (f *settingsFile) find(s *session, flags *pflag.FlagSet) (string, error) {
	if f.name != "" {
		return f.name, nil
	}
	names := []string{spec.ConfigName}
	if flag := flags.Lookup("endpoint-file"); flag != nil && flag.Value.String() != "" {
		names = []string{filepath.Join(filepath.Dir(flag.Value.String()), spec.ConfigName), spec.ConfigName}
	}
	for _, name := range names {
		_, err := os.Stat(s.path(name))
		switch {
		case err == nil:
			return name, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", online.Errorf(online.Invalid, "look for %s: %w", spec.ConfigName, err)
		}
	}
	return "", nil
}
