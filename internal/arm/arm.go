// Package arm holds the wire shapes of Azure Resource Manager and of Azure Machine Learning's
// resource provider, as the server speaks them: decoding a request into the nouns of package
// online, encoding a noun as a reply, resource ids, operations and the error envelope.
//
// A reply is a superset of what the api-versions from 2022-02-01-preview to 2025-12-01 show, so
// one shape serves them all. A request may repeat a whole reply, as a client does that reads a
// resource, changes it and writes it back: what only the server sets is ignored.
package arm

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"hotswap/internal/online"
)

// provider is the namespace of every resource type here.
const provider = "Microsoft.MachineLearningServices"

// Resource is what all replies that describe a resource have in common.
type Resource struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	Type       string      `json:"type"`
	SystemData *SystemData `json:"systemData,omitempty"`
}

// SystemData tells who made a resource and who changed it last.
type SystemData struct {
	CreatedAt          string `json:"createdAt"`
	CreatedBy          string `json:"createdBy"`
	CreatedByType      string `json:"createdByType"`
	LastModifiedAt     string `json:"lastModifiedAt"`
	LastModifiedBy     string `json:"lastModifiedBy"`
	LastModifiedByType string `json:"lastModifiedByType"`
}

// newSystemData is never without times: azure-ai-ml 1.34.0 fails on an endpoint that lacks one.
func newSystemData(created, modified time.Time, by string) *SystemData {
	if modified.IsZero() {
		modified = created
	}
	return &SystemData{
		CreatedAt: Time(created), CreatedBy: by, CreatedByType: "Application",
		LastModifiedAt: Time(modified), LastModifiedBy: by, LastModifiedByType: "Application",
	}
}

// Time writes t as RFC 3339 in UTC with microseconds, which every client's parser takes.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// SKU is the capacity of a deployment; Capacity is its number of instances.
type SKU struct {
	Name     string `json:"name"`
	Tier     string `json:"tier"`
	Capacity int    `json:"capacity"`
}

// List is one page of resources; NextLink is the absolute URL of the next page.
type List[T any] struct {
	Value    []T    `json:"value"`
	NextLink string `json:"nextLink,omitempty"`
}

// Identity is the managed identity of a resource.
type Identity struct {
	Type         string                  `json:"type"`
	PrincipalID  string                  `json:"principalId,omitempty"`
	TenantID     string                  `json:"tenantId,omitempty"`
	UserAssigned map[string]UserIdentity `json:"userAssignedIdentities,omitempty"`
}

// UserIdentity is one identity that the user assigned.
type UserIdentity struct {
	PrincipalID string `json:"principalId"`
	ClientID    string `json:"clientId"`
}

// newIdentity makes up the ids that a directory would give, the same ones each time.
func newIdentity(of online.Identity, resource, tenant string) Identity {
	i := Identity{Type: of.Type}
	if strings.Contains(of.Type, "SystemAssigned") {
		i.PrincipalID, i.TenantID = guid(resource), tenant
	}
	for _, id := range of.UserAssigned {
		if i.UserAssigned == nil {
			i.UserAssigned = map[string]UserIdentity{}
		}
		i.UserAssigned[id] = UserIdentity{PrincipalID: guid(id + "/principal"), ClientID: guid(id + "/client")}
	}
	return i
}

func guid(of string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(strings.ToLower(of))).String()
}

// orNull writes "" as null, as Azure writes a field that was never set.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// orEmpty writes no map as {}: azure-ai-ml 1.34.0 fails on a null one.
func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
