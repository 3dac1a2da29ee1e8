package checks

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// The JUnit XML that readers agree on: GitLab takes the suite's name from a case's classname and
// shows the failure's text (docs.gitlab.com, "Unit test reports"), Jenkins keeps one failure a case,
// and the actions of GitHub read file and line for their annotations.
type (
	junitReport struct {
		XMLName xml.Name   `xml:"testsuites"`
		Name    string     `xml:"name,attr"`
		Tests   int        `xml:"tests,attr"`
		Failed  int        `xml:"failures,attr"`
		Errors  int        `xml:"errors,attr"`
		Time    string     `xml:"time,attr"`
		Suite   junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failed    int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      string      `xml:"time,attr"`
		Timestamp string      `xml:"timestamp,attr"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    string        `xml:"time,attr"`
		File    string        `xml:"file,attr,omitempty"`
		Line    int           `xml:"line,attr,omitempty"`
		Skipped *junitSkipped `xml:"skipped"`
		Failure *junitFailure `xml:"failure"`
		Output  string        `xml:"system-out,omitempty"`
	}
	junitSkipped struct {
		Message string `xml:"message,attr"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the report as JUnit XML.
func (r Report) WriteJUnit(w io.Writer) error {
	name := "hotswap " + r.Deployment
	suite := junitSuite{
		Name: name, Tests: len(r.Cases), Failed: r.Failed(), Time: inSeconds(r.Took),
		Timestamp: r.Started.UTC().Format("2006-01-02T15:04:05"), // the schema of Ant allows no time zone
	}
	for _, c := range r.Cases {
		suite.Cases = append(suite.Cases, c.junit(name))
	}
	if d := r.Diff; d != nil {
		c, err := d.junit(name)
		if err != nil {
			return err
		}
		suite.Cases = append(suite.Cases, c)
		suite.Tests++
		if c.Failure != nil {
			suite.Failed++
		}
		if c.Skipped != nil {
			suite.Skipped++
		}
	}
	out, err := xml.MarshalIndent(junitReport{
		Name: name, Tests: suite.Tests, Failed: suite.Failed, Time: suite.Time, Suite: suite,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("write the JUnit report: %w", err)
	}
	_, err = io.WriteString(w, xml.Header+string(out)+"\n")
	return err
}

func (c Result) junit(class string) junitCase {
	j := junitCase{
		Name: c.Name, Class: class, Time: inSeconds(c.Took), File: c.File, Line: c.Line,
		Output: strings.Join(append([]string{c.summary()}, c.Notes...), "\n"),
	}
	if !c.Passed {
		j.Failure = &junitFailure{Message: c.Reasons[0], Type: "failed", Text: strings.Join(c.Reasons, "\n")}
	}
	return j
}

// junit is the diff as one more case; a skipped one where there was nothing to compare with.
func (d *Diff) junit(class string) (junitCase, error) {
	var text strings.Builder
	if err := d.WriteText(&text); err != nil {
		return junitCase{}, err
	}
	c := junitCase{Name: "prediction diff", Class: class, Time: inSeconds(0), Output: text.String()}
	if d.NotCompared != "" {
		c.Skipped = &junitSkipped{d.NotCompared}
	}
	if !d.Passed {
		c.Failure = &junitFailure{Message: strings.Join(d.Reasons, "; "), Type: "failed", Text: strings.Join(d.Reasons, "\n")}
	}
	return c, nil
}

func inSeconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
