package spec

import (
	"strings"

	"hotswap/internal/online"
)

// ReadEndpoint reads an endpoint's file.
func ReadEndpoint(path string) (Endpoint, error) {
	r, m, err := open(path, "endpoint")
	if err != nil {
		return Endpoint{}, err
	}
	e := Endpoint{Keys: map[string]bool{}}
	for _, f := range m.node.fields {
		e.Keys[f.key] = true
	}
	m.ignore("$schema", "id", "kind", "location", "provisioning_state", "scoring_uri", "openapi_uri") // az shows them
	e.Name = m.onlineName("name", "endpoint")
	e.Description = m.text("description")
	e.Tags = m.texts("tags")
	e.Properties = m.texts("properties")
	e.AuthMode = online.AuthMode(m.choice("auth_mode", [2]string{"key", string(online.KeyAuth)},
		[2]string{"aml_token", string(online.AMLTokenAuth)}, [2]string{"aad_token", string(online.AADTokenAuth)}))
	e.Identity = m.identity()
	e.Compute = m.text("compute")
	e.PublicNetworkAccess = m.enabled("public_network_access")
	m.traffic(&e.Endpoint)
	m.done()
	return e, r.err()
}

// onlineName reads the name of an endpoint or a deployment, which must be there.
func (m *mapping) onlineName(key, what string) string {
	m.require(key)
	n := m.get(key)
	if n == nil || !m.is(n, key, isText) {
		return ""
	}
	if err := online.CheckName(what, n.text); err != nil {
		m.fail(n.at, "%v", err)
	}
	return strings.ToLower(n.text)
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
	s.require("type")
	id.Type = s.choice("type", [2]string{"system_assigned", "SystemAssigned"}, [2]string{"user_assigned", "UserAssigned"},
		[2]string{"system_assigned,user_assigned", "SystemAssigned,UserAssigned"}, [2]string{"none", "None"})
	if users := s.get("user_assigned_identities"); users != nil && s.is(users, "user_assigned_identities", isList) {
		for _, item := range users.items {
			if !s.is(item, "user_assigned_identities", isMapping) {
				continue
			}
			user := &mapping{reader: m.reader, node: item, name: "user_assigned_identities"}
			user.require("resource_id")
			user.ignore("client_id", "principal_id") // az shows them
			id.UserAssigned = append(id.UserAssigned, user.text("resource_id"))
			user.done()
		}
	}
	s.done()
	return id
}

// traffic reads what goes to the deployments, live and mirrored.
func (m *mapping) traffic(e *online.Endpoint) {
	before := len(m.wrong)
	live, mirrored := m.shares("traffic"), m.shares("mirror_traffic")
	if len(m.wrong) > before { // their sum would be wrong only because a share is
		return
	}
	var err error
	if e.Traffic, err = online.NewTraffic(live); err != nil {
		m.fail(m.node.find("traffic").at, "%v", err)
	}
	if e.Mirror, err = online.NewMirror(mirrored); err != nil {
		m.fail(m.node.find("mirror_traffic").at, "%v", err)
	}
	if to := e.Mirror.Deployment; e.Mirror.Percent > 0 && e.Traffic.Share(to) > 0 {
		m.fail(m.node.find("mirror_traffic").at, "deployment %q gets live traffic, so none can be mirrored to it", to)
	}
}
