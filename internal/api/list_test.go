package api_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"hotswap/internal/online"
)

// names follows the pages of a list and gives the names of each.
func names(t *testing.T, s *server, path string) (pages [][]string) {
	t.Helper()
	for path != "" {
		w := s.call("GET", path, "")
		if w.Code != 200 {
			t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
		}
		var page struct {
			Value    []struct{ Name string }
			NextLink string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, one := range page.Value {
			got = append(got, one.Name)
		}
		pages = append(pages, got)
		if page.NextLink != "" && !strings.HasPrefix(page.NextLink, base+"/subscriptions/") {
			t.Fatalf("nextLink %q is not absolute", page.NextLink)
		}
		path = strings.TrimPrefix(page.NextLink, base)
	}
	return pages
}

func TestPages(t *testing.T) {
	s := newServer(t)
	for n := range 70 {
		s.call("PUT", fmt.Sprintf("%s/models/taxi/versions/%d", scope, n+1), modelBody)
	}
	tests := map[string]struct {
		query string
		sizes []int
		first string
	}{
		"all":       {"", []int{30, 30, 10}, "70"},
		"oldest":    {"?$orderBy=createdtime%20asc", []int{30, 30, 10}, "1"},
		"top 1":     {"?$top=1&$orderBy=createdtime%20desc", []int{1}, "70"},
		"top 40":    {"?$top=40", []int{30, 10}, "70"},
		"skip":      {"?$skip=60", []int{10}, "10"},
		"skip all":  {"?$skip=99", []int{0}, ""},
		"version":   {"?version=7", []int{1}, "7"},
		"archived":  {"?listViewType=ArchivedOnly", []int{0}, ""},
		"count":     {"?count=50", []int{50, 20}, "70"},
		"odd count": {"?count=70", []int{70}, "70"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var sizes []int
			pages := names(t, s, scope+"/models/taxi/versions"+tt.query)
			for _, page := range pages {
				sizes = append(sizes, len(page))
			}
			if !slices.Equal(sizes, tt.sizes) || tt.first != "" && pages[0][0] != tt.first {
				t.Errorf("pages of %v, first %v; want %v, first %s", sizes, pages[0], tt.sizes, tt.first)
			}
			all := slices.Concat(pages...)
			slices.Sort(all)
			if len(slices.Compact(all)) != len(slices.Concat(pages...)) {
				t.Errorf("something is there twice: %v", pages)
			}
		})
	}
	for _, query := range []string{"?$top=0", "?$skip=-1", "?count=x", "?$orderBy=price", "?listViewType=Some"} {
		if w := s.call("GET", scope+"/models/taxi/versions"+query, ""); w.Code != 400 {
			t.Errorf("%s: %d", query, w.Code)
		}
	}
}

func TestEndpointFilters(t *testing.T) {
	s := newServer(t)
	for n, name := range []string{"aaa", "bbb", "ccc"} {
		e := online.Endpoint{Name: name, Tags: map[string]string{"n": fmt.Sprint(n)}, Properties: map[string]string{"p": "1"}}
		e.CreatedAt = when.AddDate(0, 0, n)
		s.control.endpoints[name] = e
	}
	delete(s.control.endpoints, "taxi")
	tests := map[string]struct {
		query string
		want  []string
	}{
		"newest first": {"?orderBy=CreatedAtDesc", []string{"ccc", "bbb", "aaa"}},
		"oldest first": {"?orderBy=CreatedAtAsc", []string{"aaa", "bbb", "ccc"}},
		"name":         {"?name=bbb", []string{"bbb"}},
		"tag":          {"?tags=n=2", []string{"ccc"}},
		"tag, any":     {"?tags=n&properties=p=1&orderBy=CreatedAtAsc", []string{"aaa", "bbb", "ccc"}},
		"none":         {"?tags=x", []string{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := slices.Concat(names(t, s, scope+"/onlineEndpoints"+tt.query)...); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
