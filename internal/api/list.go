package api

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"hotswap/internal/arm"
	"hotswap/internal/online"
)

// pageSize is how many resources a page has unless the request says otherwise.
const pageSize = 30

// page answers one page of all. $skip says where it begins (Azure's clients treat it as opaque and
// follow nextLink), count how long it is, $top how many resources there may be in all pages.
func page[T any](r *request, all []T, encode func(T) any) (reply, error) {
	q := r.URL.Query()
	skip, err := number(q, "$skip", 0, 0)
	if err != nil {
		return reply{}, err
	}
	count, err := number(q, "count", 1, pageSize)
	if err != nil {
		return reply{}, err
	}
	top, err := number(q, "$top", 1, len(all)+1)
	if err != nil {
		return reply{}, err
	}
	all = all[min(skip, len(all)):]
	n := min(count, top, len(all))
	list := arm.List[any]{Value: make([]any, 0, n)}
	for _, one := range all[:n] {
		list.Value = append(list.Value, encode(one))
	}
	if n < len(all) && n < top {
		q.Set("$skip", strconv.Itoa(skip+n))
		if q.Has("$top") {
			q.Set("$top", strconv.Itoa(top-n))
		}
		list.NextLink = "https://" + r.Host + r.URL.EscapedPath() + "?" + q.Encode()
	}
	return ok(list)
}

// number reads a parameter of at least least; def where it is missing.
func number(q url.Values, name string, least, def int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		return 0, online.Errorf(online.Invalid, "%s is %q, want a whole number of at least %d", name, text, least)
	}
	return n, nil
}

// stamps are the times of a resource that it can be sorted by.
type stamps struct{ created, modified time.Time }

// sortBy sorts in the order that a request asks for, like "createdtime desc" or "CreatedAtDesc";
// "" leaves it as it is.
func sortBy[T any](all []T, order string, of func(T) stamps) error {
	words := strings.ToLower(strings.ReplaceAll(order, " ", ""))
	field, down := strings.CutSuffix(words, "desc")
	if !down {
		field = strings.TrimSuffix(field, "asc")
	}
	var pick func(stamps) time.Time
	switch field {
	case "":
		return nil
	case "createdtime", "createdat":
		pick = func(s stamps) time.Time { return s.created }
	case "modifiedtime", "updatedat", "lastmodifiedat":
		pick = func(s stamps) time.Time { return s.modified }
	default:
		return online.Errorf(online.Invalid, "cannot sort by %q, want createdtime or modifiedtime, then asc or desc", order)
	}
	sign := 1
	if down {
		sign = -1
	}
	slices.SortStableFunc(all, func(a, b T) int { return sign * pick(of(a)).Compare(pick(of(b))) })
	return nil
}

func filter[T any](all []T, keep func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(all), func(one T) bool { return !keep(one) })
}

// matches reports whether tags have all of a list like "team,stage=prod".
func matches(list string, tags map[string]string) bool {
	for word := range strings.SplitSeq(list, ",") {
		key, want, valued := strings.Cut(strings.TrimSpace(word), "=")
		if key == "" {
			continue
		}
		if got, has := tags[key]; !has || valued && got != want {
			return false
		}
	}
	return true
}
