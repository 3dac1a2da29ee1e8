// Package checks judges what a candidate answered: whether an answer is the expected one, and
// whether it is the text of an error that came with status 200.
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
}
