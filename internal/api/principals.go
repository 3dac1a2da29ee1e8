package api

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"hotswap/internal/arm"
	"hotswap/internal/identity"
	"hotswap/internal/online"
)

// Principals is who may log in.
type Principals interface {
	List() []identity.Record
	Add(ctx context.Context, r identity.Record) error
	Federate(ctx context.Context, name string, f identity.Federated) (identity.Record, error)
	Revoke(ctx context.Context, name string) error
}

func (s *Server) principalReply(r identity.Record) arm.Principal {
	p := arm.PrincipalProperties{ClientID: r.ClientID, ObjectID: r.ObjectID, TenantID: r.TenantID}
	for _, a := range r.Roles {
		p.Roles = append(p.Roles, arm.RoleAssignment{Role: string(a.Role), Endpoint: a.Endpoint})
	}
	for _, f := range r.Federated {
		p.Federated = append(p.Federated, arm.FederatedCredential(f))
	}
	return arm.NewPrincipal(s.Workspace, r.Name, r.CreatedAt, p)
}

func (s *Server) listPrincipals(r *request) (reply, error) {
	return page(r, s.Principals.List(), func(p identity.Record) any { return s.principalReply(p) })
}

// putPrincipal makes a principal. There is no second PUT of one: its secret is told only once.
func (s *Server) putPrincipal(r *request) (reply, error) {
	body, err := r.body()
	if err != nil {
		return reply{}, err
	}
	wanted, err := arm.DecodePrincipal(body)
	if err != nil {
		return reply{}, err
	}
	if len(wanted) == 0 {
		return reply{}, online.Errorf(online.Invalid, "the principal has no role: want one in properties.roles")
	}
	secret := identity.NewSecret()
	record := identity.Record{
		Principal: identity.Principal{
			ClientID: uuid.NewString(), ObjectID: uuid.NewString(), TenantID: s.Workspace.Tenant, Name: r.PathValue("principal"),
		},
		Secret: identity.HashSecret(secret), CreatedAt: time.Now().UTC(),
	}
	for _, w := range wanted {
		a, err := identity.NewAssignment(w.Role, w.Endpoint)
		if err != nil {
			return reply{}, err
		}
		record.Roles = append(record.Roles, a)
	}
	if err := s.Principals.Add(r.Context(), record); err != nil {
		return reply{}, err
	}
	s.Log.InfoContext(r.Context(), "principal made", "name", record.Name, "client_id", record.ClientID, "by", r.caller.ClientID)
	answer := s.principalReply(record)
	credential := arm.NewCredential(s.Workspace, s.BaseURL, record.ClientID, secret)
	answer.Properties.Credential = &credential
	return reply{http.StatusCreated, answer, noStore()}, nil
}

func (s *Server) federatePrincipal(r *request) (reply, error) {
	body, err := r.body()
	if err != nil {
		return reply{}, err
	}
	wanted, err := arm.DecodeFederated(body)
	if err != nil {
		return reply{}, err
	}
	record, err := s.Principals.Federate(r.Context(), r.PathValue("principal"), identity.Federated(wanted))
	if err != nil {
		return reply{}, err
	}
	s.Log.InfoContext(r.Context(), "principal federated", "name", record.Name, "client_id", record.ClientID,
		"issuer", wanted.Issuer, "subjects", wanted.Subjects, "by", r.caller.ClientID)
	return ok(s.principalReply(record))
}

func (s *Server) deletePrincipal(r *request) (reply, error) {
	name := r.PathValue("principal")
	err := s.Principals.Revoke(r.Context(), name)
	if err == nil {
		s.Log.InfoContext(r.Context(), "principal revoked", "name", name, "by", r.caller.ClientID)
	}
	return removed(err)
}
