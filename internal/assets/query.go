package assets

import (
	"cmp"
	"slices"
	"strings"

	"hotswap/internal/online"
)

// A View says which assets of a list are shown, by whether they are archived.
type View string

// The views (Azure ML REST API, ListViewType).
const (
	ActiveOnly   View = "ActiveOnly"
	ArchivedOnly View = "ArchivedOnly"
	All          View = "All"
)

// Query narrows and orders a list.
type Query struct {
	OrderBy   string // like "createdtime desc"; "" is that
	Top, Skip int    // Top 0 means all
	View      View   // "" is ActiveOnly
}

// Page is a part of a list.
type Page[T any] struct {
	Items []T
	Next  int // the Skip of the next page; 0 on the last
}

// orders are what a list can be ordered by (azure-ai-ml 1.34.0 sends "createdtime desc").
var orders = map[string]func(a, b *online.Asset) int{
	"createdtime":      func(a, b *online.Asset) int { return a.CreatedAt.Compare(b.CreatedAt) },
	"createdat":        func(a, b *online.Asset) int { return a.CreatedAt.Compare(b.CreatedAt) },
	"updatedtime":      func(a, b *online.Asset) int { return a.ModifiedAt.Compare(b.ModifiedAt) },
	"lastmodifiedtime": func(a, b *online.Asset) int { return a.ModifiedAt.Compare(b.ModifiedAt) },
	"name":             func(a, b *online.Asset) int { return strings.Compare(a.Ref.Name, b.Ref.Name) },
	"version":          func(a, b *online.Asset) int { return online.CompareVersions(*a, *b) },
}

// compare reads OrderBy.
func (q Query) compare() (func(a, b *online.Asset) int, error) {
	words := strings.Fields(strings.ToLower(cmp.Or(q.OrderBy, "createdtime desc")))
	direction := "asc"
	if len(words) == 2 {
		direction = words[1]
	}
	var order func(a, b *online.Asset) int
	if len(words) == 1 || len(words) == 2 {
		order = orders[words[0]]
	}
	switch {
	case order != nil && direction == "asc":
		return order, nil
	case order != nil && direction == "desc":
		return func(a, b *online.Asset) int { return order(b, a) }, nil
	}
	return nil, online.Errorf(online.Invalid, "order by %q: want createdtime, updatedtime, name or version, then asc or desc", q.OrderBy)
}

func (q Query) shows(a *online.Asset) (bool, error) {
	switch View(q.View) {
	case ActiveOnly, "":
		return !a.Archived, nil
	case ArchivedOnly:
		return a.Archived, nil
	case All:
		return true, nil
	}
	return false, online.Errorf(online.Invalid, "list view type %q: want %s, %s or %s", q.View, ActiveOnly, ArchivedOnly, All)
}

// paged answers a query from everything there is, oldest first.
func paged[T any](q Query, all []T, asset func(*T) *online.Asset) (Page[T], error) {
	order, err := q.compare()
	if err != nil {
		return Page[T]{}, err
	}
	if q.Top < 0 || q.Skip < 0 {
		return Page[T]{}, online.Errorf(online.Invalid, "list from %d on, %d at most: want no negative numbers", q.Skip, q.Top)
	}
	slices.Reverse(all) // among those of one moment, the newest first
	slices.SortStableFunc(all, func(a, b T) int { return order(asset(&a), asset(&b)) })
	var shown []T
	for _, v := range all {
		show, err := q.shows(asset(&v))
		if err != nil {
			return Page[T]{}, err
		}
		if show {
			shown = append(shown, v)
		}
	}
	return cut(q, shown), nil
}

func cut[T any](q Query, shown []T) Page[T] {
	rest := shown[min(q.Skip, len(shown)):]
	if q.Top == 0 || q.Top >= len(rest) {
		return Page[T]{Items: rest}
	}
	return Page[T]{Items: rest[:q.Top], Next: q.Skip + q.Top}
}
