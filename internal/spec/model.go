package spec

import (
	"strings"

	"hotswap/internal/online"
)

// ReadModel reads a model's file. Paths in it are relative to the file.
func ReadModel(path string) (LocalModel, error) {
	r, m, err := open(path, "model")
	if err != nil {
		return LocalModel{}, err
	}
	m.require("name")
	m.ignore("$schema")
	model := m.localModel()
	return model, r.err()
}

// model reads a deployment's model: a reference, or a model on this machine.
func (m *mapping) model(d *Deployment) {
	n := m.get("model")
	switch {
	case n == nil:
	case n.kind == isText:
		d.Model = m.ref(n, "model", online.Models)
	case m.is(n, "model", isMapping):
		model := (&mapping{reader: m.reader, node: n, name: "model"}).localModel()
		d.LocalModel = &model
	}
}

func (m *mapping) localModel() LocalModel {
	model := LocalModel{
		Name:        m.assetName("name"),
		Version:     m.version("version"),
		Description: m.text("description"),
		Tags:        m.texts("tags"),
		Properties:  m.texts("properties"),
		Type: m.choice("type", [2]string{"custom_model", "custom_model"}, [2]string{"mlflow_model", "mlflow_model"},
			[2]string{"triton_model", "triton_model"}),
	}
	m.require("path")
	if n := m.get("path"); n != nil && m.is(n, "path", isText) {
		if strings.Contains(n.text, "://") || strings.HasPrefix(n.text, shortScheme) {
			m.fail(n.at, "path: %s is not on this machine, want a file or a folder", n.text)
		} else {
			model.Path, _ = m.find(n)
		}
	}
	m.done()
	return model
}

func (m *mapping) assetName(key string) string {
	name := m.text(key)
	if name != "" && !assetName.MatchString(name) {
		m.fail(m.node.find(key).value.at, "%s: %q, want letters, digits, dots, hyphens and underscores", key, name)
	}
	return name
}
