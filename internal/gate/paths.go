package gate

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"hotswap/internal/online"
)

// Paths are patterns of files, from the root of the repository: * is anything within a folder's or
// file's name, ** any folders, ? one letter; a folder stands for all below it.
type Paths struct {
	patterns []string
	forms    []*regexp.Regexp
}

// NewPaths compiles patterns.
func NewPaths(patterns []string) (p Paths, err error) {
	for _, text := range patterns {
		form, err := compile(text)
		if err != nil {
			return p, online.Errorf(online.Invalid, "paths: %q is no pattern: %w", text, err)
		}
		p.patterns, p.forms = append(p.patterns, text), append(p.forms, form)
	}
	return p, nil
}

// Gated are those of the names that a pattern matches, in order.
func (p Paths) Gated(names []string) []string {
	var gated []string
	for _, name := range names {
		if slices.ContainsFunc(p.forms, func(f *regexp.Regexp) bool { return f.MatchString(name) }) {
			gated = append(gated, name)
		}
	}
	slices.Sort(gated)
	return slices.Compact(gated)
}

// Patterns are those that were compiled.
func (p Paths) Patterns() []string { return p.patterns }

// compile makes the expression of one pattern. What it matches may also be a folder above the name.
func compile(pattern string) (*regexp.Regexp, error) {
	text := strings.TrimPrefix(path.Clean("/"+strings.TrimPrefix(pattern, "./")), "/")
	if text == "" { // the root: everything
		text = "**"
	}
	var out strings.Builder
	out.WriteString(`(?s)\A`)
	for i := 0; i < len(text); i++ {
		switch rest := text[i:]; {
		case strings.HasPrefix(rest, "**/"):
			out.WriteString(`(?:.*/)?`)
			i += len("**/") - 1
		case strings.HasPrefix(rest, "**"):
			out.WriteString(`.*`)
			i++
		case rest[0] == '*':
			out.WriteString(`[^/]*`)
		case rest[0] == '?':
			out.WriteString(`[^/]`)
		default:
			out.WriteString(regexp.QuoteMeta(rest[:1]))
		}
	}
	out.WriteString(`(?:/.*)?\z`)
	return regexp.Compile(out.String())
}
