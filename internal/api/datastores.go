package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"hotswap/internal/arm"
	"hotswap/internal/assets"
)

// Datastores is what the handlers of datastores need from the library.
type Datastores interface {
	PutDatastore(ctx context.Context, d assets.Datastore) (kept assets.Datastore, created bool, err error)
	GetDatastore(ctx context.Context, name string) (assets.Datastore, error)
	ListDatastores(ctx context.Context) ([]assets.Datastore, error)
	DeleteDatastore(ctx context.Context, name string) error
}

// What a signature allows: in a datastore all that its account's key does, in the container of an
// upload only to write and to look (learn.microsoft.com, "Create a service SAS").
const (
	datastorePermissions = "racwdl"
	uploadPermissions    = "racwl"
	uploadLife           = 24 * time.Hour
)

func (s *Server) datastoreReply(d assets.Datastore) any {
	return arm.NewDatastore(s.Workspace, s.storageSuffix(), arm.BlobDatastore(d))
}

func (s *Server) listDatastores(r *request) (reply, error) {
	all, err := s.Assets.ListDatastores(r.Context())
	if err != nil {
		return reply{}, err
	}
	only := strings.EqualFold(r.URL.Query().Get("isDefault"), "true")
	return page(r, filter(all, func(d assets.Datastore) bool { return d.Default || !only }), s.datastoreReply)
}

func (s *Server) getDatastore(r *request) (reply, error) {
	d, err := s.Assets.GetDatastore(r.Context(), r.PathValue("datastore"))
	if err != nil {
		return reply{}, err
	}
	return ok(s.datastoreReply(d))
}

func (s *Server) putDatastore(r *request) (reply, error) {
	body, err := r.body()
	if err != nil {
		return reply{}, err
	}
	wanted, err := arm.DecodeDatastore(s.Workspace, r.PathValue("datastore"), body)
	if err != nil {
		return reply{}, err
	}
	kept, created, err := s.Assets.PutDatastore(r.Context(), assets.Datastore(wanted))
	if err != nil {
		return reply{}, err
	}
	return made(created, s.datastoreReply(kept))
}

func (s *Server) deleteDatastore(r *request) (reply, error) {
	return removed(s.Assets.DeleteDatastore(r.Context(), r.PathValue("datastore")))
}

// listSecrets gives what opens a datastore: the account's key, or where the client asks for a
// secret that expires, a signature for the one container.
func (s *Server) listSecrets(r *request) (reply, error) {
	body, err := r.body()
	if err != nil {
		return reply{}, err
	}
	expirable, hours, err := arm.DecodeListSecrets(body)
	if err != nil {
		return reply{}, err
	}
	d, err := s.Assets.GetDatastore(r.Context(), r.PathValue("datastore"))
	if err != nil {
		return reply{}, err
	}
	secrets := arm.Secrets{SecretsType: "AccountKey", Key: s.StorageKey}
	if expirable {
		sas := s.Blobs.SAS(d.Container, datastorePermissions, time.Duration(hours)*time.Hour)
		secrets = arm.Secrets{SecretsType: "Sas", SASToken: sas}
	}
	return reply{http.StatusOK, secrets, noStore()}, nil
}

// startPendingUpload makes a container for the files of a code folder.
func (s *Server) startPendingUpload(r *request) (reply, error) {
	if _, err := r.body(); err != nil { // says only which of one kind of upload it wants
		return reply{}, err
	}
	id := uuid.NewString()
	container := "upload-" + id
	if err := s.Blobs.CreateContainer(container); err != nil {
		return reply{}, err
	}
	uri := "https://" + s.Workspace.Account + ".blob." + s.storageSuffix() + "/" + container
	sas := s.Blobs.SAS(container, uploadPermissions, uploadLife)
	return reply{http.StatusOK, arm.NewPendingUpload(s.Workspace.Scope, id, s.Workspace.Account, uri, sas), noStore()}, nil
}
