package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hotswap/internal/checks"
	"hotswap/internal/rollout"
	"hotswap/internal/spec"
	"hotswap/internal/webhook"
)

// newTestSession is a command's view of a folder with these files and this environment.
func newTestSession(t *testing.T, files, variables map[string]string) *session {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return &session{output: "table", Env: Env{
		Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Dir: dir,
		Getenv: func(name string) string { return variables[name] },
	}}
}

// settle runs a command that has all settings with these arguments, and returns what it was given.
func settle(t *testing.T, s *session, args ...string) (flags settingFlags, sources map[string]string, err error) {
	t.Helper()
	var file *settingsFile
	c := &cobra.Command{Use: "test", SilenceErrors: true, SilenceUsage: true, RunE: func(c *cobra.Command, _ []string) error {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if from := file.source(f); from != "default" {
				sources[f.Name] = from
			}
		})
		return nil
	}}
	sources = map[string]string{}
	flags.add(c)
	file = s.settled(c)
	c.SetArgs(append([]string{"--deployment-file", "deployment.yml"}, args...))
	err = c.ExecuteContext(t.Context())
	delete(sources, "deployment-file")
	return flags, sources, err
}

// What is tested with is named in one way: on the command line, or else in the file.
func TestCommandLineReplacesTheFilesTests(t *testing.T) {
	s := &session{Env: Env{Dir: t.TempDir(), Getenv: func(string) string { return "" }}}
	if err := os.WriteFile(filepath.Join(s.Dir, "hotswap.yml"), []byte("tests: tests.yml\nbake: 1m\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var flags testFlags
	c := &cobra.Command{Use: "test", RunE: func(*cobra.Command, []string) error { return nil }}
	flags.add(c)
	s.settled(c)
	c.SetArgs([]string{"--request-file", "request.json"})
	if err := c.ExecuteContext(t.Context()); err != nil || flags.suite != "" || flags.check.request != "request.json" {
		t.Errorf("%v: tests %q, request file %q; want the request file alone", err, flags.suite, flags.check.request)
	}
}

func TestEveryKeyIsAFlagAndEveryFlagAKey(t *testing.T) {
	c := &cobra.Command{Use: "test"}
	var flags settingFlags
	flags.add(c)
	got := map[string]bool{}
	c.Flags().VisitAll(func(f *pflag.Flag) { got[strings.ReplaceAll(f.Name, "-", "_")] = true })
	want := map[string]bool{"endpoint_file": true, "deployment_file": true, "message": true, "report": true} // what one rollout is of, why, and who is told
	got["paths"] = true                                                                                      // hotswap gate's, which reads it from the base commit
	for _, key := range spec.ConfigKeys() {
		want[key] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSettingsByDefault(t *testing.T) {
	flags, sources, err := settle(t, newTestSession(t, nil, nil), "--endpoint-file", "endpoint.yml")
	if err != nil || len(sources) != 1 {
		t.Fatal(sources, err)
	}
	got, err := flags.strategy.strategy()
	if diff := cmp.Diff(rollout.DefaultStrategy(), got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if want := (checks.DiffOptions{MaxDisagreement: -1}); flags.test.diff.options != want {
		t.Errorf("diff %+v", flags.test.diff.options)
	}
}

func TestSettingsOfAFile(t *testing.T) {
	s := newTestSession(t, map[string]string{"hotswap.yml": `
steps: [5, 25, 100]
interval: 1m
bake: 2m
pause_at: 25
retain: parked
drain_wait: 3m
min_requests: 7
analysis_timeout: 4m
max_error_increase: 2%
max_client_error_increase: 3%
max_throttled_increase: 4%
max_p50_ratio: 5
max_p99_ratio: 6
latency_slack: 7ms
diff_tolerance: 0.25
diff_relative_tolerance: 8%
max_disagreement: 9%
wait: 5m
tests: tests.yml
model_version: 1.10
update_endpoint: true
`}, nil)
	flags, sources, err := settle(t, s, "--endpoint-file", "endpoint.yml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := flags.strategy.strategy()
	want := rollout.Strategy{
		Steps: []int{5, 25, 100}, Interval: time.Minute, Bake: 2 * time.Minute, PauseAt: 25, Retain: rollout.Parked, DrainWait: 3 * time.Minute,
		Bounds: rollout.Bounds{
			MinRequests: 7, Timeout: 4 * time.Minute, Errors: 0.02, ClientErrors: 0.03, Throttled: 0.04, P50: 5, P99: 6, Slack: 7 * time.Millisecond,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if want := (checks.DiffOptions{Absolute: 0.25, Relative: 0.08, MaxDisagreement: 0.09}); flags.test.diff.options != want {
		t.Errorf("diff %+v", flags.test.diff.options)
	}
	if flags.deploy.wait.most != 5*time.Minute || flags.test.suite != filepath.Join(s.Dir, "tests.yml") || flags.deploy.modelVersion != "1.10" || !flags.deploy.updateEndpoint {
		t.Errorf("%+v", flags)
	}
	if sources["steps"] != "hotswap.yml:2" || sources["update-endpoint"] != "hotswap.yml:22" || len(sources) != 22 {
		t.Errorf("sources %v", sources)
	}
}

func TestWhichSettingCounts(t *testing.T) {
	files := map[string]string{
		"hotswap.yml":        "webhook: https://here.example.com\nwait: 1m\n",
		"deploy/hotswap.yml": "webhook: https://beside.example.com\n",
		"named.yml":          "webhook: https://named.example.com\n",
	}
	variables := map[string]string{"HOTSWAP_WEBHOOK": "https://variable.example.com"}
	tests := map[string]struct {
		variables map[string]string
		args      []string
		url, from string
		wait      time.Duration
	}{
		"here":                    {nil, []string{"--endpoint-file=endpoint.yml"}, "https://here.example.com", "hotswap.yml:1", time.Minute},
		"none beside the file":    {nil, []string{"--endpoint-file=other/endpoint.yml"}, "https://here.example.com", "hotswap.yml:1", time.Minute},
		"beside the file":         {nil, []string{"--endpoint-file=deploy/endpoint.yml"}, "https://beside.example.com", "deploy/hotswap.yml:1", 0},
		"named":                   {nil, []string{"--endpoint-file=deploy/endpoint.yml", "--config=named.yml"}, "https://named.example.com", "named.yml:1", 0},
		"variable over file":      {variables, []string{"--endpoint-file=endpoint.yml"}, "https://variable.example.com", "$HOTSWAP_WEBHOOK", time.Minute},
		"flag over variable":      {variables, []string{"--endpoint-file=endpoint.yml", "--webhook=https://flag.example.com"}, "https://flag.example.com", "--webhook", time.Minute},
		"an empty flag is a flag": {variables, []string{"--endpoint-file=endpoint.yml", "--webhook="}, "", "--webhook", time.Minute},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			flags, sources, err := settle(t, newTestSession(t, files, tt.variables), tt.args...)
			if err != nil || flags.hook.url != tt.url || sources["webhook"] != tt.from || flags.deploy.wait.most != tt.wait {
				t.Errorf("%v: %q from %q, wait %v", err, flags.hook.url, sources["webhook"], flags.deploy.wait.most)
			}
		})
	}
}

// A file gives a flag that a command cannot do without, and one that is not a flag of the command
// is no fault.
func TestSettingsOfAnotherCommand(t *testing.T) {
	s := newTestSession(t, map[string]string{"hotswap.yml": "request_file: request.json\nsteps: 5,100\n"}, nil)
	run := func(args ...string) (check checkFlags, err error) {
		c := &cobra.Command{Use: "test", SilenceErrors: true, SilenceUsage: true, RunE: func(*cobra.Command, []string) error { return nil }}
		check.add(c)
		_ = c.MarkFlagRequired("request-file")
		_ = c.MarkFlagRequired("expected-file")
		s.settled(c)
		c.SetArgs(args)
		return check, c.ExecuteContext(t.Context())
	}
	check, err := run("--expected-file", "x")
	if err != nil || check.request != filepath.Join(s.Dir, "request.json") {
		t.Errorf("%v: %+v", err, check)
	}
	if _, err := run(); err == nil || !strings.Contains(err.Error(), `"expected-file" not set`) {
		t.Errorf("error %v", err)
	}
}

func TestDiffFlags(t *testing.T) {
	s := newTestSession(t, map[string]string{"many.jsonl": "[1]\n[2]\n"}, nil)
	tests := map[string]struct {
		flags diffFlags
		count int
		want  string // a part of the error
	}{
		"none":         {diffFlags{}, 0, ""},
		"a file":       {diffFlags{file: "many.jsonl"}, 2, ""},
		"a pattern":    {diffFlags{file: "*.jsonl"}, 2, ""},
		"no such file": {diffFlags{file: "few.jsonl"}, 0, "--diff-requests: read the requests"},
		"negative":     {diffFlags{options: checks.DiffOptions{Absolute: -1}}, 0, "--diff-tolerance is -1, want 0 or more"},
		"too much":     {diffFlags{options: checks.DiffOptions{MaxDisagreement: 1.5}}, 0, "--max-disagreement is 150%, want at most 100%"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			requests, err := tt.flags.requests(s)
			if len(requests) != tt.count || (err == nil) != (tt.want == "") {
				t.Fatalf("%d requests, error %v", len(requests), err)
			}
			if err != nil && (exitCode(err) != usage || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestWebhookFlags(t *testing.T) {
	var got bytes.Buffer
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.WriteString(&got, r.Header.Get("X-Hotswap-Event"))
	}))
	defer srv.Close()
	s := newTestSession(t, nil, map[string]string{"HOOK_SECRET": "s3cret"})
	tests := map[string]struct {
		flags webhookFlags
		sent  string
		want  string // a part of the error
	}{
		"none":      {webhookFlags{secretEnv: "HOOK_SECRET"}, "", ""},
		"signed":    {webhookFlags{srv.URL, "HOOK_SECRET"}, "Promoted", ""},
		"unsigned":  {webhookFlags{srv.URL, ""}, "", "with what is the webhook signed"},
		"no secret": {webhookFlags{srv.URL, "NOWHERE"}, "", "$NOWHERE is empty or not set"},
		"no https":  {webhookFlags{"http://example.com", "HOOK_SECRET"}, "", "want https"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got.Reset()
			hook, err := tt.flags.hook(s)
			if (err == nil) != (tt.want == "") || err != nil && (exitCode(err) != usage || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if hook != nil {
				hook.Send(webhook.Event{ID: "3f1c2a-1", State: "Promoted"})
				hook.Close(t.Context())
			}
			if got.String() != tt.sent {
				t.Errorf("sent %q, want %q", got.String(), tt.sent)
			}
		})
	}
}

func TestPercentValue(t *testing.T) {
	for text, want := range map[string]string{"1%": "1%", "0.5%": "0.5%", "7%": "7%", "0.07%": "0.07%", "33.3%": "33.3%", "100%": "100%", "0%": "0%"} {
		var v percentValue
		if err := v.Set(text); err != nil || v.String() != want {
			t.Errorf("%s is %s, %v", text, v.String(), err)
		}
	}
	for _, text := range []string{"", "1", "0.01", "-1%", "%", "NaN%", "x%"} {
		v := percentValue(0.25)
		if err := v.Set(text); err == nil || v != 0.25 {
			t.Errorf("%q is taken as %v", text, v)
		}
	}
}

func TestExplainHidesASecret(t *testing.T) {
	for url, want := range map[string]string{
		"https://user:pass@example.com/t0ken?x=1": "https://example.com/…", "https://exa mple.com/t0ken": "…", "t0ken": "…",
	} {
		var out bytes.Buffer
		s := newTestSession(t, nil, nil)
		if code := Main(t.Context(), []string{"config", "explain", "-o", "json", "--webhook", url}, Env{
			Stdin: s.Stdin, Stdout: &out, Stderr: io.Discard, Dir: s.Dir, Getenv: s.Getenv,
		}); code != done {
			t.Fatalf("exit code %d", code)
		}
		var all []settingView
		if err := json.Unmarshal(out.Bytes(), &all); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(all[len(all)-2]); got != fmt.Sprint(settingView{"webhook", want, "--webhook"}) {
			t.Errorf("%s is shown as %s", url, got)
		}
	}
}
