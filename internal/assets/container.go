package assets

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"hotswap/internal/online"
)

// Container is an asset as a whole, above its versions. It is there as soon as one of its
// versions is, or once it was put.
type Container struct {
	online.Asset        // the version in its Ref is ""
	Latest       string // version; "" where there is none
	Next         string // a version that a client may take next
}

// PutContainer sets what a container says of itself.
func (l *Library) PutContainer(ctx context.Context, a online.Asset) (kept Container, created bool, err error) {
	a.Ref.Version = ""
	if err := checkRef(online.Ref{Kind: a.Ref.Kind, Name: a.Ref.Name, Version: "1"}); err != nil {
		return kept, false, err
	}
	before, err := l.GetContainer(ctx, a.Ref.Kind, a.Ref.Name)
	if created = online.CodeOf(err) == online.NotFound && err != nil; err != nil && !created {
		return kept, false, err
	}
	a.ModifiedAt = time.Now().UTC()
	a.CreatedAt = a.ModifiedAt
	if !created {
		a.Ref, a.CreatedAt, a.CreatedBy = before.Ref, before.CreatedAt, before.CreatedBy
	}
	err = l.storage.ChangeContainer(ctx, a.Ref.Kind, a.Ref.Name, func([]byte) ([]byte, error) { return json.Marshal(a) })
	if err != nil {
		return kept, false, err
	}
	kept, err = l.GetContainer(ctx, a.Ref.Kind, a.Ref.Name)
	return kept, created, err
}

// GetContainer returns a container; without it, online.NotFound.
func (l *Library) GetContainer(ctx context.Context, kind online.AssetKind, name string) (Container, error) {
	all, err := l.containers(ctx, kind, name)
	if err != nil {
		return Container{}, err
	}
	for _, c := range all {
		if strings.EqualFold(c.Ref.Name, name) {
			return c, nil
		}
	}
	return Container{}, online.Errorf(online.NotFound, "%s %q was not found", strings.TrimSuffix(string(kind), "s"), name)
}

// ListContainers lists the containers of a kind.
func (l *Library) ListContainers(ctx context.Context, kind online.AssetKind, q Query) (Page[Container], error) {
	all, err := l.containers(ctx, kind, "")
	if err != nil {
		return Page[Container]{}, err
	}
	return paged(q, all, func(c *Container) *online.Asset { return &c.Asset })
}

// DeleteContainer deletes a container with all its versions; without it, online.NotFound.
func (l *Library) DeleteContainer(ctx context.Context, kind online.AssetKind, name string) error {
	found, err := l.storage.DeleteContainer(ctx, kind, name)
	if err == nil && !found {
		err = online.Errorf(online.NotFound, "%s %q was not found", strings.TrimSuffix(string(kind), "s"), name)
	}
	return err
}

// containers makes the containers of those that were put and of the versions of name, "" for all,
// in the order they came to be.
func (l *Library) containers(ctx context.Context, kind online.AssetKind, name string) ([]Container, error) {
	put, err := l.storage.Containers(ctx, kind)
	if err != nil {
		return nil, err
	}
	versions, err := l.storage.Assets(ctx, kind, name)
	if err != nil {
		return nil, err
	}
	s := shelf{at: map[string]int{}}
	for _, document := range put {
		var a online.Asset
		if err := json.Unmarshal(document, &a); err != nil {
			return nil, err
		}
		s.container(a)
	}
	for _, document := range versions {
		var a online.Asset // of a document of any kind, the common part
		if err := json.Unmarshal(document, &a); err != nil {
			return nil, err
		}
		s.version(a)
	}
	return s.all, nil
}

// shelf gathers containers from their versions.
type shelf struct {
	all    []Container
	latest []online.Asset // of each container
	at     map[string]int // index by name in lower case
}

func (s *shelf) container(a online.Asset) int {
	key := strings.ToLower(a.Ref.Name)
	n, known := s.at[key]
	if !known {
		n = len(s.all)
		s.at[key] = n
		s.all = append(s.all, Container{Asset: a, Next: "1"})
		s.latest = append(s.latest, online.Asset{})
	}
	return n
}

func (s *shelf) version(a online.Asset) {
	n := s.container(online.Asset{
		Ref: online.Ref{Kind: a.Ref.Kind, Name: a.Ref.Name}, CreatedAt: a.CreatedAt, ModifiedAt: a.ModifiedAt, CreatedBy: a.CreatedBy,
	})
	c := &s.all[n]
	if c.Latest == "" || online.CompareVersions(a, s.latest[n]) > 0 {
		s.latest[n], c.Latest = a, a.Ref.Version
	}
	next, _ := strconv.ParseUint(c.Next, 10, 63)
	if number, err := strconv.ParseUint(a.Ref.Version, 10, 63); err == nil && number >= next {
		c.Next = strconv.FormatUint(number+1, 10)
	}
}
