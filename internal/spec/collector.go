package spec

import (
	"strconv"

	"hotswap/internal/online"
)

// The data collector as Azure's API has it (azure-sdk-for-go, armmachinelearning/v4, DataCollector).
type (
	collector struct {
		Collections    map[string]collection `json:"collections"`
		RequestLogging *requestLogging       `json:"requestLogging,omitempty"`
		RollingRate    string                `json:"rollingRate"`
	}
	collection struct {
		Mode         string  `json:"dataCollectionMode"`
		DataID       string  `json:"dataId,omitempty"`
		ClientID     string  `json:"clientId,omitempty"`
		SamplingRate float64 `json:"samplingRate"`
	}
	requestLogging struct {
		CaptureHeaders []string `json:"captureHeaders"`
	}
)

// dataCollector returns the data collector as JSON, or nil.
func (m *mapping) dataCollector() []byte {
	s := m.section("data_collector")
	if s == nil {
		return nil
	}
	c := collector{Collections: map[string]collection{}}
	rate := s.Number("sampling_rate", 0, 1, 1)
	c.RollingRate = s.choice("rolling_rate", [2]string{"hour", "Hour"}, [2]string{"minute", "Minute"}, [2]string{"day", "Day"},
		[2]string{"month", "Month"}, [2]string{"year", "Year"})
	if logging := s.section("request_logging"); logging != nil {
		c.RequestLogging = &requestLogging{logging.Words("capture_headers")}
		logging.Done()
	}
	s.Require("collections")
	if all := s.section("collections"); all != nil {
		for _, f := range all.Node.Fields {
			if one := all.section(f.Key); one != nil {
				c.Collections[f.Key] = one.collection(rate)
			}
		}
	}
	s.Done()
	return s.encode(c)
}

func (m *mapping) collection(rate float64) collection {
	c := collection{Mode: "Disabled", SamplingRate: rate, ClientID: m.Text("client_id")}
	if n := m.Get("enabled"); n != nil { // az has it as text, 'True'
		on, err := strconv.ParseBool(m.Scalar(n, "enabled"))
		if err != nil {
			m.Fail(n.At, "enabled: %q, want true or false", n.Text)
		}
		if on {
			c.Mode = "Enabled"
		}
	}
	if data := m.section("data"); data != nil {
		data.Require("name")
		data.Require("version")
		c.DataID = online.Ref{Name: data.assetName("name"), Version: data.version("version")}.String()
		data.Done() // a path would need a data asset to be made, which this pipeline doesn't do
	}
	m.Done()
	return c
}
