package api

import "hotswap/internal/arm"

func (s *Server) listTenants(*request) (reply, error) {
	tenant := s.Workspace.Tenant
	return ok(arm.List[map[string]any]{Value: []map[string]any{{
		"id": "/tenants/" + tenant, "tenantId": tenant, "displayName": "Hotswap", "tenantCategory": "Home",
	}}})
}

func (s *Server) subscription() map[string]any {
	w := s.Workspace
	return map[string]any{
		"id": "/subscriptions/" + w.Subscription, "subscriptionId": w.Subscription, "tenantId": w.Tenant,
		"displayName": "Hotswap", "state": "Enabled", "authorizationSource": "RoleBased", "managedByTenants": []string{},
		"subscriptionPolicies": map[string]string{
			"locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off",
		},
	}
}

func (s *Server) listSubscriptions(*request) (reply, error) {
	return ok(map[string]any{"value": []any{s.subscription()}, "count": map[string]any{"type": "Total", "value": 1}})
}

func (s *Server) getSubscription(*request) (reply, error) { return ok(s.subscription()) }

func (s *Server) listWorkspaces(*request) (reply, error) {
	return ok(arm.List[arm.WorkspaceReply]{Value: []arm.WorkspaceReply{arm.NewWorkspace(s.Workspace, s.BaseURL)}})
}

func (s *Server) getWorkspace(*request) (reply, error) {
	return ok(arm.NewWorkspace(s.Workspace, s.BaseURL))
}
