package api

import (
	"net/http"
	"net/url"
	"strings"
)

// canonical returns r with the fixed words of an ARM path in lower case, as canonicalPattern has
// them in the routes. ARM compares them case-insensitively, and clients use that: ids come back
// as resourceGroups and resourcegroups. In an ARM path each word at an even place is fixed, and so
// is the one after "providers"; the rest are names.
func canonical(r *http.Request) *http.Request {
	words := strings.Split(strings.TrimLeft(r.URL.EscapedPath(), "/"), "/")
	if !strings.EqualFold(words[0], "subscriptions") && !strings.EqualFold(words[0], "tenants") {
		return r
	}
	for n := range words {
		if n%2 == 0 || words[n-1] == "providers" {
			words[n] = strings.ToLower(words[n])
		}
	}
	escaped := "/" + strings.Join(words, "/")
	path, err := url.PathUnescape(escaped)
	if err != nil { // net/http has parsed it already
		return r
	}
	changed := *r
	u := *r.URL
	u.Path, u.RawPath = path, escaped
	changed.URL = &u
	return &changed
}

// canonicalPattern is the pattern of a route with its fixed words in lower case.
func canonicalPattern(pattern string) string {
	method, path, _ := strings.Cut(pattern, " ")
	words := strings.Split(path, "/")
	for n, word := range words {
		if !strings.HasPrefix(word, "{") {
			words[n] = strings.ToLower(word)
		}
	}
	return method + " " + strings.Join(words, "/")
}
