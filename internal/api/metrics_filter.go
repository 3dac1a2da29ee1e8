package api

import (
	"regexp"
	"slices"
	"strings"

	"hotswap/internal/online"
)

// dimensionFilter is what a $filter wants of one dimension. The reply has a series for each value
// that passes (learn.microsoft.com, "Metrics - List", on $filter).
type dimensionFilter struct {
	name   string   // in lower case
	values []string // any of them is wanted
	any    bool     // '*': all are
	not    []string // none of these
}

func (f *dimensionFilter) passes(value string) bool {
	same := func(v string) bool { return strings.EqualFold(v, value) }
	return (f.any || len(f.values) == 0 || slices.ContainsFunc(f.values, same)) && !slices.ContainsFunc(f.not, same)
}

// listed tells whether all the values that can pass are known before one is seen.
func (f *dimensionFilter) listed() bool { return !f.any && len(f.values) > 0 && len(f.not) == 0 }

// condition is one comparison with the word that joins it to the next; in a value, ” is a quote.
var condition = regexp.MustCompile(`(?i)^\s*([\w./-]+)\s+(eq|ne)\s+'((?:[^']|'')*)'(?:\s+(and|or)\s|\s*$)`)

// parseFilter reads a $filter: comparisons by eq or ne joined by "and", or by "or" within one dimension.
func parseFilter(text string) (filters []*dimensionFilter, err error) {
	for rest, joined := text, ""; strings.TrimSpace(rest) != "" || joined != ""; {
		found := condition.FindStringSubmatch(rest)
		if found == nil {
			return nil, badMetrics("Invalid $filter %q: want comparisons like deployment eq 'blue' and statusCode eq '*' at %q", text, rest)
		}
		rest = rest[len(found[0]):]
		name, value := strings.ToLower(found[1]), strings.ReplaceAll(found[3], "''", "'")
		at := slices.IndexFunc(filters, func(f *dimensionFilter) bool { return f.name == name })
		switch {
		case joined == "or" && at != len(filters)-1:
			return nil, badMetrics("Invalid $filter %q: \"or\" cannot separate two dimensions", text)
		case at < 0:
			filters = append(filters, &dimensionFilter{name: name})
			at = len(filters) - 1
		}
		f := filters[at]
		switch {
		case strings.EqualFold(found[2], "ne"):
			f.not = append(f.not, value)
		case value == "*":
			f.any = true
		default:
			f.values = append(f.values, value)
		}
		joined = strings.ToLower(found[4])
	}
	return filters, nil
}

// badMetrics is an error of Azure Monitor, which has no envelope around it.
func badMetrics(format string, args ...any) error {
	return &failure{error: online.Errorf(online.Invalid, format, args...), status: 400, code: "BadRequest", bare: true}
}
