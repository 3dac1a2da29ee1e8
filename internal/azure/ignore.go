package azure

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
)

// ignore is the rules of .amlignore or, where there is none, of .gitignore at the top of a folder.
type ignore []rule

type rule struct {
	pattern *regexp.Regexp
	negated bool // takes in again what an earlier rule left out
	folders bool // is about folders only
	whole   bool // is about the whole path, not its last part
}

func readIgnore(root *os.Root) (ignore, error) {
	for _, name := range []string{".amlignore", ".gitignore"} {
		text, err := root.ReadFile(name)
		if err == nil {
			return parseIgnore(string(text))
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, nil
}

// parseIgnore reads the rules by gitignore(5), without its escapes and character classes.
func parseIgnore(text string) (rules ignore, err error) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		var r rule
		line, r.negated = strings.CutPrefix(line, "!")
		line, r.folders = strings.CutSuffix(line, "/")
		r.whole = strings.Contains(line, "/")
		if r.pattern, err = regexp.Compile("^" + globs.Replace(regexp.QuoteMeta(strings.TrimPrefix(line, "/"))) + "$"); err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// globs turns wildcards, quoted as literals, into what they stand for.
var globs = strings.NewReplacer(`\*\*/`, `(.*/)?`, `\*\*`, `.*`, `\*`, `[^/]*`, `\?`, `[^/]`)

// match reports whether the last rule about the path leaves it out.
func (rules ignore) match(name string, isFolder bool) (out bool) {
	for _, r := range rules {
		subject := path.Base(name)
		if r.whole {
			subject = name
		}
		if (isFolder || !r.folders) && r.pattern.MatchString(subject) {
			out = !r.negated
		}
	}
	return out
}
