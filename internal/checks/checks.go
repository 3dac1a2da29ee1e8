// Package checks judges what a candidate answers: suites of requests and what their answers must
// be (Suite), whether an answer is the expected one (Compare), and whether it is the text of an
// error that came with status 200 (ErrorText). It speaks to no service: what sends a request is
// the caller's Target.
package checks

import "time"

// Verdict is what a test of one candidate found. It holds for exactly the deployment whose
// fingerprint it names.
type Verdict struct {
	Passed      bool      `json:"passed"`
	Reasons     []string  `json:"reasons,omitempty"` // why it did not pass
	Deployment  string    `json:"deployment"`
	Fingerprint string    `json:"fingerprint"`
	Requests    int       `json:"requests"`
	Status      int       `json:"status"` // of the last answer; 0 where there was none
	Answered    time.Time `json:"answered"`

	Cases []CaseVerdict `json:"cases,omitempty"`
}

// CaseVerdict is what one case of a suite found.
type CaseVerdict struct {
	Name     string             `json:"name"`
	Passed   bool               `json:"passed"`
	Reasons  []string           `json:"reasons,omitempty"`
	Measured map[string]float64 `json:"measured,omitempty"`
}
