package spec

import (
	"encoding/json"
	"os"

	"hotswap/internal/document"
	"hotswap/internal/online"
)

// environment reads a deployment's environment: a reference, or one that the file describes.
func (m *mapping) environment(d *Deployment) {
	n := m.Get("environment")
	switch {
	case n == nil:
	case n.Kind == document.KindText:
		d.Environment = m.ref(n, "environment", online.Environments)
	case m.Is(n, "environment", document.KindMapping):
		d.LocalEnvironment = m.at(n, "environment").localEnvironment()
	}
}

func (m *mapping) localEnvironment() *online.Environment {
	m.Ignore("$schema")
	e := &online.Environment{Image: m.Text("image"), CondaFile: m.condaFile(), InferenceConfig: m.inferenceConfig()}
	e.Ref = online.Ref{Kind: online.Environments, Name: m.assetName("name"), Version: m.version("version")}
	e.Anonymous = e.Ref.Name == ""
	e.Description = m.Text("description")
	e.Tags = m.Texts("tags")
	e.Properties = m.Texts("properties")
	e.OSType = m.choice("os_type", [2]string{"linux", "Linux"}, [2]string{"windows", "Windows"})
	if s := m.section("build"); s != nil {
		s.Require("path")
		if n := s.Get("path"); n != nil && s.Is(n, "path", document.KindText) {
			e.BuildContext, _ = s.Find(n)
		}
		e.Dockerfile = s.Text("dockerfile_path")
		s.Done()
	}
	m.Done()
	return e
}

// condaFile returns the text of the conda file, which is named or stands here.
func (m *mapping) condaFile() string {
	n := m.Get("conda_file")
	if n == nil {
		return ""
	}
	if n.Kind == document.KindMapping {
		text, err := n.YAML()
		if err != nil {
			m.Fail(n.At, "conda_file: %v", err)
		}
		return string(text)
	}
	if !m.Is(n, "conda_file", document.KindText) {
		return ""
	}
	path, info := m.Find(n)
	if info == nil {
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		m.Fail(n.At, "conda_file: %v", err)
		return ""
	}
	if err := document.Check(path, text); err != nil {
		m.Fail(n.At, "conda_file: %v", err)
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
			r.Require("path")
			r.Require("port")
			routes[name] = route{r.Text("path"), r.Integer("port", 1, 65535, 0)}
			r.Done()
		}
	}
	s.Done()
	return m.encode(routes)
}

// encode keeps a value as the JSON of Azure's API.
func (m *mapping) encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		m.Fail(m.Node.At, "%s: %v", m.Name, err)
	}
	return b
}
