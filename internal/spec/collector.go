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
	rate := s.fraction("sampling_rate")
	c.RollingRate = s.choice("rolling_rate", [2]string{"hour", "Hour"}, [2]string{"minute", "Minute"}, [2]string{"day", "Day"},
		[2]string{"month", "Month"}, [2]string{"year", "Year"})
	if logging := s.section("request_logging"); logging != nil {
		c.RequestLogging = &requestLogging{logging.words("capture_headers")}
		logging.done()
	}
	s.require("collections")
	if all := s.section("collections"); all != nil {
		for _, f := range all.node.fields {
			if one := all.section(f.key); one != nil {
				c.Collections[f.key] = one.collection(rate)
			}
		}
	}
	s.done()
	return s.encode(c)
}

func (m *mapping) collection(rate float64) collection {
	c := collection{Mode: "Disabled", SamplingRate: rate, ClientID: m.text("client_id")}
	if n := m.get("enabled"); n != nil { // az has it as text, 'True'
		on, err := strconv.ParseBool(m.scalar(n, "enabled"))
		if err != nil {
			m.fail(n.at, "enabled: %q, want true or false", n.text)
		}
		if on {
			c.Mode = "Enabled"
		}
	}
	if data := m.section("data"); data != nil {
		data.require("name")
		data.require("version")
		c.DataID = online.Ref{Name: data.assetName("name"), Version: data.version("version")}.String()
		data.done() // a path would need a data asset to be made, which this pipeline doesn't do
	}
	m.done()
	return c
}

// fraction is a number from 0 to 1, by default 1.
func (m *mapping) fraction(key string) float64 {
	n := m.get(key)
	if n == nil {
		return 1
	}
	v, err := strconv.ParseFloat(n.text, 64)
	if n.kind != isNumber && n.kind != isInteger || err != nil || v < 0 || v > 1 {
		m.fail(n.at, "%s: %q, want a number from 0 to 1", key, n.text)
	}
	return v
}

// words is a list of text.
func (m *mapping) words(key string) []string {
	n := m.get(key)
	if n == nil || !m.is(n, key, isList) {
		return nil
	}
	words := make([]string, len(n.items))
	for i, item := range n.items {
		words[i] = m.scalar(item, key)
	}
	return words
}
