package spec

import (
	"strings"

	"hotswap/internal/document"
	"hotswap/internal/online"
)

// ReadModel reads a model's file. Paths in it are relative to the file.
func ReadModel(path string) (LocalModel, error) {
	m, err := open(path, "model")
	if err != nil {
		return LocalModel{}, err
	}
	m.Require("name")
	m.Ignore("$schema")
	model := m.localModel()
	return model, m.Err()
}

// model reads a deployment's model: a reference, or a model on this machine.
func (m *mapping) model(d *Deployment) {
	n := m.Get("model")
	switch {
	case n == nil:
	case n.Kind == document.KindText:
		d.Model = m.ref(n, "model", online.Models)
	case m.Is(n, "model", document.KindMapping):
		model := m.at(n, "model").localModel()
		d.LocalModel = &model
	}
}

func (m *mapping) localModel() LocalModel {
	model := LocalModel{
		Name:        m.assetName("name"),
		Version:     m.version("version"),
		Description: m.Text("description"),
		Tags:        m.Texts("tags"),
		Properties:  m.Texts("properties"),
		Type: m.choice("type", [2]string{"custom_model", "custom_model"}, [2]string{"mlflow_model", "mlflow_model"},
			[2]string{"triton_model", "triton_model"}),
	}
	m.Require("path")
	if n := m.Get("path"); n != nil && m.Is(n, "path", document.KindText) {
		if strings.Contains(n.Text, "://") || strings.HasPrefix(n.Text, shortScheme) {
			m.Fail(n.At, "path: %s is not on this machine, want a file or a folder", n.Text)
		} else {
			model.Path, _ = m.Find(n)
		}
	}
	m.Done()
	return model
}

func (m *mapping) assetName(key string) string {
	name := m.Text(key)
	if name != "" && !assetName.MatchString(name) {
		m.Fail(m.Node.Field(key).Value.At, "%s: %q, want letters, digits, dots, hyphens and underscores", key, name)
	}
	return name
}
