package spec

import (
	"strings"

	"hotswap/internal/document"
	"hotswap/internal/online"
)

// ReadEndpoint reads an endpoint's file.
func ReadEndpoint(path string) (Endpoint, error) {
	m, err := open(path, "endpoint")
	if err != nil {
		return Endpoint{}, err
	}
	e := Endpoint{Keys: map[string]bool{}}
	for _, f := range m.Node.Fields {
		e.Keys[f.Key] = true
	}
	m.Ignore("$schema", "id", "kind", "location", "provisioning_state", "scoring_uri", "openapi_uri") // az shows them
	e.Name = m.onlineName("name", "endpoint")
	e.Description = m.Text("description")
	e.Tags = m.Texts("tags")
	e.Properties = m.Texts("properties")
	e.AuthMode = online.AuthMode(m.choice("auth_mode", [2]string{"key", string(online.KeyAuth)},
		[2]string{"aml_token", string(online.AMLTokenAuth)}, [2]string{"aad_token", string(online.AADTokenAuth)}))
	e.Identity = m.identity()
	e.Compute = m.Text("compute")
	e.PublicNetworkAccess = m.enabled("public_network_access")
	m.traffic(&e.Endpoint)
	m.Done()
	return e, m.Err()
}

// onlineName reads the name of an endpoint or a deployment, which must be there.
func (m *mapping) onlineName(key, what string) string {
	m.Require(key)
	n := m.Get(key)
	if n == nil || !m.Is(n, key, document.KindText) {
		return ""
	}
	if err := online.CheckName(what, n.Text); err != nil {
		m.Fail(n.At, "%v", err)
	}
	return strings.ToLower(n.Text)
}

func (m *mapping) enabled(key string) string {
	return m.choice(key, [2]string{"enabled", "Enabled"}, [2]string{"disabled", "Disabled"})
}

func (m *mapping) identity() online.Identity {
	id := online.Identity{Type: "SystemAssigned"}
	s := m.section("identity")
	if s == nil {
		return id
	}
	s.Require("type")
	id.Type = s.choice("type", [2]string{"system_assigned", "SystemAssigned"}, [2]string{"user_assigned", "UserAssigned"},
		[2]string{"system_assigned,user_assigned", "SystemAssigned,UserAssigned"}, [2]string{"none", "None"})
	if users := s.Get("user_assigned_identities"); users != nil && s.Is(users, "user_assigned_identities", document.KindList) {
		for _, item := range users.Items {
			if !s.Is(item, "user_assigned_identities", document.KindMapping) {
				continue
			}
			user := m.at(item, "user_assigned_identities")
			user.Require("resource_id")
			user.Ignore("client_id", "principal_id") // az shows them
			id.UserAssigned = append(id.UserAssigned, user.Text("resource_id"))
			user.Done()
		}
	}
	s.Done()
	return id
}

// traffic reads what goes to the deployments, live and mirrored.
func (m *mapping) traffic(e *online.Endpoint) {
	before := m.Faults()
	live, mirrored := m.shares("traffic"), m.shares("mirror_traffic")
	if m.Faults() > before { // their sum would be wrong only because a share is
		return
	}
	var err error
	if e.Traffic, err = online.NewTraffic(live); err != nil {
		m.Fail(m.Node.Field("traffic").At, "%v", err)
	}
	if e.Mirror, err = online.NewMirror(mirrored); err != nil {
		m.Fail(m.Node.Field("mirror_traffic").At, "%v", err)
	}
	if to := e.Mirror.Deployment; e.Mirror.Percent > 0 && e.Traffic.Share(to) > 0 {
		m.Fail(m.Node.Field("mirror_traffic").At, "deployment %q gets live traffic, so none can be mirrored to it", to)
	}
}
