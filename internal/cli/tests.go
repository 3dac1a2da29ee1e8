package cli

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"hotswap/internal/checks"
	"hotswap/internal/online"
	"hotswap/internal/rollout"
)

// testFlags are what a candidate must pass before it gets any traffic.
type testFlags struct {
	suite  string
	check  checkFlags
	diff   diffFlags
	report reportFlags
}

func (f *testFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.suite, "tests", "", "YAML `FILE` with the test suite that the candidate must pass")
	f.check.add(c)
	f.diff.add(c)
	f.report.add(c, pictureKinds)
}

// given reports whether there is anything to test with.
func (f *testFlags) given() bool { return f.suite != "" || f.check.request != "" }

// tests reads all that the tests need, before anything is locked or written.
func (f *testFlags) tests(s *session) (t rollout.Tests, err error) {
	switch {
	case !f.given():
		return t, usagef("with what to test? give --tests, or --request-file")
	case f.suite != "" && f.check.request != "":
		return t, usagef("--tests and --request-file both say what to test with: give one of them")
	}
	if err := f.report.check(s, f.diff.given()); err != nil {
		return t, err
	}
	if t.Suite, err = f.read(s); err != nil {
		return t, err
	}
	requests, err := f.diff.requests(s)
	if err != nil {
		return t, err
	}
	if f.diff.given() {
		t.Diff = &rollout.Diff{Requests: requests, Options: f.diff.options}
	}
	return t, nil
}

func (f *testFlags) read(s *session) (checks.Suite, error) {
	if f.suite == "" {
		return f.check.suite(s)
	}
	suite, err := checks.Read(s.path(f.suite))
	suite.Name = f.suite
	return suite, err
}

// tell has the report of r's tests printed, for people, and written to its files.
func (f *testFlags) tell(s *session, r *rollout.Runner) {
	r.Report = func(report checks.Report) {
		_ = report.WriteText(s.Stderr) // what can't be said on stderr can't be said
		f.report.summarise(s, report)
		if err := f.report.write(s, report); err != nil {
			s.say("the report could not be written: %v", err)
		}
	}
}

// checkFlags are one request that a candidate must answer.
type checkFlags struct {
	request, expected string
	tolerance         float64
}

func (f *checkFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.request, "request-file", "", "JSON `FILE` that is sent to the candidate")
	c.Flags().StringVar(&f.expected, "expected-file", "", "JSON `FILE` with the answer that is expected")
	c.Flags().Float64Var(&f.tolerance, "tolerance", 0, "how far a number may be from the expected one, in its own `UNIT`")
}

// suite is that of the one request.
func (f *checkFlags) suite(s *session) (suite checks.Suite, err error) {
	if f.tolerance < 0 {
		return suite, usagef("--tolerance is %v, want 0 or more", f.tolerance)
	}
	request, err := s.read("request-file", f.request)
	if err != nil {
		return suite, err
	}
	var want []byte
	if f.expected != "" {
		if want, err = s.read("expected-file", f.expected); err == nil && !json.Valid(want) {
			err = online.Errorf(online.Invalid, "--expected-file: %s is not JSON", f.expected)
		}
	}
	return checks.Single(request, want, f.tolerance), err
}
