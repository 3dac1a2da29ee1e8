package spec

import (
	"encoding/json"
	"os"

	"github.com/goccy/go-yaml"

	"hotswap/internal/online"
)

// environment reads a deployment's environment: a reference, or one that the file describes.
func (m *mapping) environment(d *Deployment) {
	n := m.get("environment")
	switch {
	case n == nil:
	case n.kind == isText:
		d.Environment = m.ref(n, "environment", online.Environments)
	case m.is(n, "environment", isMapping):
		d.LocalEnvironment = (&mapping{reader: m.reader, node: n, name: "environment"}).localEnvironment()
	}
}

func (m *mapping) localEnvironment() *online.Environment {
	m.ignore("$schema")
	e := &online.Environment{Image: m.text("image"), CondaFile: m.condaFile(), InferenceConfig: m.inferenceConfig()}
	e.Ref = online.Ref{Kind: online.Environments, Name: m.assetName("name"), Version: m.version("version")}
	e.Anonymous = e.Ref.Name == ""
	e.Description = m.text("description")
	e.Tags = m.texts("tags")
	e.Properties = m.texts("properties")
	e.OSType = m.choice("os_type", [2]string{"linux", "Linux"}, [2]string{"windows", "Windows"})
	if s := m.section("build"); s != nil {
		s.require("path")
		if n := s.get("path"); n != nil && s.is(n, "path", isText) {
			e.BuildContext, _ = s.find(n)
		}
		e.Dockerfile = s.text("dockerfile_path")
		s.done()
	}
	m.done()
	return e
}

// condaFile returns the text of the conda file, which is named or stands here.
func (m *mapping) condaFile() string {
	n := m.get("conda_file")
	if n == nil {
		return ""
	}
	if n.kind == isMapping {
		text, err := yaml.Marshal(n.value())
		if err != nil {
			m.fail(n.at, "conda_file: %v", err)
		}
		return string(text)
	}
	if !m.is(n, "conda_file", isText) {
		return ""
	}
	path, info := m.find(n)
	if info == nil {
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		m.fail(n.at, "conda_file: %v", err)
		return ""
	}
	if _, err := (&reader{path: path}).parse(text); err != nil {
		m.fail(n.at, "conda_file: %v", err)
	}
	return string(text)
}

type route struct {
	Path string `json:"path"`
	Port int    `json:"port"`
}

// inferenceConfig returns the routes as Azure's API has them, or nil.
func (m *mapping) inferenceConfig() []byte {
	s := m.section("inference_config")
	if s == nil {
		return nil
	}
	routes := map[string]route{}
	for key, name := range map[string]string{"liveness_route": "livenessRoute", "readiness_route": "readinessRoute", "scoring_route": "scoringRoute"} {
		if r := s.section(key); r != nil {
			r.require("path")
			r.require("port")
			routes[name] = route{r.text("path"), r.integer("port", 1, 65535, 0)}
			r.done()
		}
	}
	s.done()
	return m.encode(routes)
}

// encode keeps a value as the JSON of Azure's API.
func (m *mapping) encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		m.fail(m.node.at, "%s: %v", m.name, err)
	}
	return b
}
