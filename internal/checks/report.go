package checks

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Report is what a run of a suite against one deployment found.
type Report struct {
	Suite       string        `json:"suite"`
	Deployment  string        `json:"deployment"`
	Fingerprint string        `json:"fingerprint"` // of the deployment, before and after; the caller's to fill in
	Started     time.Time     `json:"started"`
	Took        time.Duration `json:"took"` // in nanoseconds
	Cases       []Result      `json:"cases"`
	Diff        *Diff         `json:"diff,omitempty"` // of the predictions, where one was made
}

// Result is what one case found.
type Result struct {
	Name     string             `json:"name"`
	Passed   bool               `json:"passed"`
	Reasons  []string           `json:"reasons,omitempty"`  // why it did not pass
	Notes    []string           `json:"notes,omitempty"`    // what else is worth saying
	Requests int                `json:"requests"`           // that were answered
	Status   int                `json:"status"`             // of the last answer; 0 where there was none
	P50      time.Duration      `json:"p50"`                // in nanoseconds, as P99 and Took are
	P99      time.Duration      `json:"p99"`                //
	Measured map[string]float64 `json:"measured,omitempty"` // a metric's value, and live's as "live_" + metric
	Took     time.Duration      `json:"took"`
	File     string             `json:"file,omitempty"` // where the case stands
	Line     int                `json:"line,omitempty"`
}

// Passed reports whether every case did, of which there is one at least, and the prediction diff.
func (r Report) Passed() bool {
	return len(r.Cases) > 0 && r.Failed() == 0 && (r.Diff == nil || r.Diff.Passed)
}

// Failed is the number of cases that did not pass.
func (r Report) Failed() (n int) {
	for _, c := range r.Cases {
		if !c.Passed {
			n++
		}
	}
	return n
}

// Verdict is the report in short, for the journal.
func (r Report) Verdict() Verdict {
	v := Verdict{
		Passed: r.Passed(), Deployment: r.Deployment, Fingerprint: r.Fingerprint, Answered: r.Started.Add(r.Took).UTC(),
	}
	if len(r.Cases) == 0 {
		v.Reasons = []string{"no case was run"}
	}
	for _, c := range r.Cases {
		v.Requests += c.Requests
		if c.Status != 0 {
			v.Status = c.Status
		}
		v.Cases = append(v.Cases, CaseVerdict{Name: c.Name, Passed: c.Passed, Reasons: c.Reasons, Measured: c.Measured})
		for _, reason := range c.Reasons {
			v.Reasons = append(v.Reasons, fmt.Sprintf("%s: %s", c.Name, reason))
		}
	}
	if r.Diff != nil {
		for _, reason := range r.Diff.Reasons {
			v.Reasons = append(v.Reasons, "prediction diff: "+reason)
		}
	}
	return v
}

// WriteJSON writes the report as it is, for machines.
func (r Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
