package spec

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"hotswap/internal/document"
)

// ConfigName is what the file of settings is called.
const ConfigName = "hotswap.yml"

// Setting is one key of hotswap.yml. The key is the name of a flag with "_" for "-".
type Setting struct {
	Key    string
	Value  string // as the flag takes it
	Line   int    // of the key
	Column int
}

// ReadConfig reads hotswap.yml. Paths in it are relative to the file.
func ReadConfig(path string) ([]Setting, error) {
	m, err := document.Open(path, configuration)
	if err != nil {
		return nil, err
	}
	return settingsOf(m)
}

// ParseConfig reads text as ReadConfig does the file of that path.
func ParseConfig(path string, text []byte) ([]Setting, error) {
	m, err := document.Parse(path, text, configuration)
	if err != nil {
		return nil, err
	}
	return settingsOf(m)
}

const configuration = "configuration"

func settingsOf(m *document.Mapping) ([]Setting, error) {
	m.Ignore("$schema")
	var settings []Setting
	for _, key := range configKeys {
		n := m.Get(key.name)
		f := m.Node.Field(key.name)
		switch {
		case f == nil:
		case n == nil: // the default would be a guess: a bound may have been meant
			m.Fail(f.At, "%s: has no value; give one, or take the key out", key.name)
		default:
			settings = append(settings, Setting{Key: key.name, Value: key.read(m, n, key.name), Line: f.At.Line, Column: f.At.Column})
		}
	}
	m.Done()
	return settings, m.Err()
}

// ConfigKeys are the keys that hotswap.yml may have.
func ConfigKeys() []string {
	names := make([]string, len(configKeys))
	for i, key := range configKeys {
		names[i] = key.name
	}
	return names
}

// configKey is a key with what makes its value that of a flag, and tells where it is none.
type configKey struct {
	name string
	read func(m *document.Mapping, n *document.Node, key string) string
}

var configKeys = []configKey{
	{"tests", path},
	{"request_file", path},
	{"expected_file", path},
	{"tolerance", distanceFrom(0)},
	{"model_version", version},
	{"update_endpoint", truth},
	{"logs", path},
	{"steps", steps},
	{"interval", span},
	{"bake", span},
	{"pause_at", whole(0, most-1)},
	{"retain", oneOf("warm", "none", "parked")},
	{"drain_wait", span},
	{"min_requests", whole(1, 1<<31-1)},
	{"analysis_timeout", span},
	{"max_error_increase", share(1)},
	{"max_client_error_increase", share(1)},
	{"max_throttled_increase", share(1)},
	{"max_p50_ratio", distanceFrom(1)},
	{"max_p99_ratio", distanceFrom(1)},
	{"latency_slack", span},
	{"diff_requests", path},
	{"diff_tolerance", distanceFrom(0)},
	{"diff_relative_tolerance", share(maxShare)},
	{"max_disagreement", share(1)},
	{"wait", span},
	{"paths", patterns},
	{"webhook", address},
	{"webhook_secret_env", variable},
}

const (
	most     = 100 // percent
	maxShare = 1e6 // of a number that may be far from another
	maxRatio = 1e9
)

// path is a file's or a folder's, or a pattern of files: whether it is there, the flag's command
// finds out.
func path(m *document.Mapping, _ *document.Node, key string) string {
	text := m.Text(key)
	if text == "" {
		return ""
	}
	absolute, err := filepath.Abs(m.Beside(text))
	if err != nil {
		m.Fail(m.Node.Field(key).Value.At, "%s: %v", key, err)
	}
	return absolute
}

// version is often written as a number.
func version(m *document.Mapping, n *document.Node, key string) string {
	if n.Kind != document.KindInteger && n.Kind != document.KindNumber {
		return m.Text(key)
	}
	return n.Text
}

func truth(m *document.Mapping, _ *document.Node, key string) string {
	return strconv.FormatBool(m.Boolean(key))
}

func whole(low, high int) func(*document.Mapping, *document.Node, string) string {
	return func(m *document.Mapping, _ *document.Node, key string) string {
		return strconv.Itoa(m.Integer(key, low, high, low))
	}
}

func distanceFrom(low float64) func(*document.Mapping, *document.Node, string) string {
	return func(m *document.Mapping, _ *document.Node, key string) string {
		return strconv.FormatFloat(m.Number(key, low, maxRatio, low), 'g', -1, 64)
	}
}

func share(high float64) func(*document.Mapping, *document.Node, string) string {
	return func(m *document.Mapping, n *document.Node, key string) string {
		m.Percentage(key, high, 0)
		return n.Text
	}
}

func span(m *document.Mapping, _ *document.Node, key string) string {
	return m.Duration(key, 0).String()
}

func oneOf(words ...string) func(*document.Mapping, *document.Node, string) string {
	return func(m *document.Mapping, _ *document.Node, key string) string { return m.Choice(key, words...) }
}

// steps are a list of percentages, or one in a line with commas.
func steps(m *document.Mapping, n *document.Node, key string) string {
	var words []string
	check := func(at document.Position, word string) {
		if percent, err := strconv.Atoi(word); err != nil || percent < 1 || percent > most {
			m.Fail(at, "%s: %q, want percentages from 1 to %d, such as 5,25,50,100 or [5, 25, 50, 100]", key, word, most)
		}
		words = append(words, word)
	}
	if n.Kind != document.KindList {
		for word := range strings.SplitSeq(n.Text, ",") {
			check(n.At, strings.TrimSpace(word))
		}
		return strings.Join(words, ",")
	}
	for _, item := range n.Items {
		if m.Is(item, key, document.KindInteger) {
			check(item.At, item.Text)
		}
	}
	if len(n.Items) == 0 {
		m.Fail(n.At, "%s: the list is empty", key)
	}
	return strings.Join(words, ",")
}

// PathSeparator is what stands between the patterns in the value of paths. None may hold one.
const PathSeparator = ","

// patterns are a list of patterns of files, from the root of the repository.
func patterns(m *document.Mapping, n *document.Node, key string) string {
	if !m.Is(n, key, document.KindList) {
		return ""
	}
	var words []string
	for _, item := range n.Items {
		if !m.Is(item, key, document.KindText) {
			continue
		}
		if !patternForm.MatchString(item.Text) {
			m.Fail(item.At, "%s: %q, want patterns of files such as src/**; without commas, for which ? stands, and without !", key, item.Text)
		}
		words = append(words, item.Text)
	}
	if len(n.Items) == 0 {
		m.Fail(n.At, "%s: the list is empty", key)
	}
	return strings.Join(words, PathSeparator)
}

var (
	patternForm  = regexp.MustCompile(`^[^!,\s][^,]*$`)
	addressForm  = regexp.MustCompile(`^https?://[^/?#]`)
	variableForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func address(m *document.Mapping, n *document.Node, key string) string {
	text := m.Text(key)
	if text != "" && !addressForm.MatchString(text) {
		m.Fail(n.At, "%s: want a URL, such as https://example.com/hotswap", key)
	}
	return text
}

func variable(m *document.Mapping, n *document.Node, key string) string {
	text := m.Text(key)
	if text != "" && !variableForm.MatchString(text) {
		m.Fail(n.At, "%s: want the name of an environment variable, not the secret itself", key)
	}
	return text
}
