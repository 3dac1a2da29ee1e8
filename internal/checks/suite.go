package checks

import "net/http"

// Suite is a list of cases that a candidate must pass. Read and Single make one; it has a case,
// and each case expects something.
type Suite struct {
	Name  string // the file, as it was named; "" where there is none
	cases []testCase
}

// testCase is one or many requests and what their answers must be.
type testCase struct {
	name     string
	line     int // of the suite's file; 0 where there is none
	requests []Request
	expect   expectation
}

// expectation is what every answer of a case must be, and what all of them together must show.
type expectation struct {
	status    int
	answer    []byte // JSON; nil where any will do
	tolerance Tolerance
	schema    *schema
	errorText string // why an error's text may come with status 200; "": it may not
	latency   *latency
	accuracy  *accuracy
	script    *script
}

// Single is the suite of one case that --request-file and --expected-file make; want is JSON, or
// nil where any answer that is not an error's text will do.
func Single(request, want []byte, tolerance float64) Suite {
	return Suite{cases: []testCase{{
		name:     "request",
		requests: []Request{{Name: "request", Body: request}},
		expect:   expectation{status: http.StatusOK, answer: want, tolerance: Tolerance{Absolute: tolerance}},
	}}}
}

// Names are the cases that will run, in their order.
func (s Suite) Names() []string {
	names := make([]string, len(s.cases))
	for i, c := range s.cases {
		names[i] = c.name
	}
	return names
}

// Requests are those that a prediction is expected for: the ones of cases that want another
// status or let an error's text pass are left out.
func (s Suite) Requests() []Request {
	var all []Request
	for _, c := range s.cases {
		if c.expect.status == http.StatusOK && c.expect.errorText == "" {
			all = append(all, c.requests...)
		}
	}
	return all
}
