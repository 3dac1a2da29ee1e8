package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"hotswap/e2e/rig"
)

// description is the published one.
type description struct {
	doc *openapi3.T
}

// published is what was downloaded, read once for all tests: it has 13 MB.
var published struct {
	sync.Once
	doc *openapi3.T
	err error
}

func describe(t *testing.T) *description {
	t.Helper()
	published.Do(func() {
		var text []byte
		if text, published.err = os.ReadFile(filepath.Join(rig.Root(t), ".cache", "openapi", "api.github.com.json")); published.err == nil {
			published.doc, published.err = openapi3.NewLoader().LoadFromData(text)
		}
	})
	if published.err != nil {
		t.Fatalf("%v: run make e2e", published.err)
	}
	return &description{published.doc}
}

// operation is one that the description has for a request.
type operation struct {
	name  string // METHOD PATH
	route *routers.Route
	at    map[string]string // the values in the path
}

// find looks an operation up; among paths that fit, the one with the fewest placeholders.
func (d *description) find(method, escaped string) (*operation, error) {
	parts := strings.Split(strings.Trim(escaped, "/"), "/")
	var best *operation
	for path, item := range d.doc.Paths.Map() {
		at, fits := fit(path, parts)
		if o := item.GetOperation(method); fits && o != nil && (best == nil || len(at) < len(best.at)) {
			best = &operation{method + " " + path, &routers.Route{Spec: d.doc, Path: path, PathItem: item, Method: method, Operation: o}, at}
		}
	}
	if best == nil {
		return nil, fmt.Errorf("%s %s is not in the description", method, escaped)
	}
	return best, nil
}

func fit(path string, parts []string) (map[string]string, bool) {
	want := strings.Split(strings.Trim(path, "/"), "/")
	if len(want) != len(parts) {
		return nil, false
	}
	at := map[string]string{}
	for i, w := range want {
		value, err := url.PathUnescape(parts[i])
		switch {
		case err != nil:
			return nil, false
		case strings.HasPrefix(w, "{"):
			at[strings.Trim(w, "{}")] = value
		case w != value:
			return nil, false
		}
	}
	return at, true
}

var options = &openapi3filter.Options{
	AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, RejectWhenRequestBodyNotSpecified: true, SkipSettingDefaults: true,
	SchemaValidationOptions: []openapi3.SchemaValidationOption{openapi3.DisableSchemaErrorDetails()}, // the schemas are long
}

// checkRequest refuses what the description doesn't have: beside what its schemas forbid, that is
// every parameter and every property that they don't name.
func (d *description) checkRequest(o *operation, r *http.Request, body []byte) error {
	r.Body = io.NopCloser(bytes.NewReader(body))
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: o.at, Route: o.route, Options: options}
	if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil {
		return err
	}
	for key := range r.URL.Query() {
		if o.route.Operation.Parameters.GetByInAndName("query", key) == nil && o.route.PathItem.Parameters.GetByInAndName("query", key) == nil {
			return fmt.Errorf("%s has no parameter %q", o.name, key)
		}
	}
	if len(body) == 0 {
		return nil
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return err
	}
	return known(o.route.Operation.RequestBody.Value.Content.Get("application/json").Schema.Value, value, "body")
}

// known reports a property that no schema names.
func known(schema *openapi3.Schema, value any, where string) error {
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			if schema.Items == nil {
				break
			}
			if err := known(schema.Items.Value, item, where+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
	case map[string]any:
		return knownProperties(schema, v, where)
	}
	return nil
}

func knownProperties(schema *openapi3.Schema, v map[string]any, where string) error {
	alternatives := slices.Concat(schema.OneOf, schema.AnyOf)
	if len(alternatives) > 0 {
		var last error
		for _, s := range alternatives {
			if s.Value.VisitJSON(v) != nil {
				continue // another one is meant
			}
			if last = knownProperties(s.Value, v, where); last == nil {
				return nil
			}
		}
		return fmt.Errorf("%s fits no alternative: %w", where, last)
	}
	for key, item := range v {
		property := schema.Properties[key]
		if property == nil {
			return fmt.Errorf("%s has no property %q, only %q", where, key, slices.Sorted(maps.Keys(schema.Properties)))
		}
		if err := known(property.Value, item, where+"."+key); err != nil {
			return err
		}
	}
	return nil
}

// checkAnswer holds an answer against the description. Refusals that every operation may meet are
// in its text, and not with each operation; their form is the one of all errors.
func (d *description) checkAnswer(o *operation, r *http.Request, status int, header http.Header, body []byte) error {
	if o.route.Operation.Responses.Status(status) == nil {
		if status < 300 {
			return fmt.Errorf("%s does not answer %d", o.name, status)
		}
		var value any
		if err := json.Unmarshal(body, &value); err != nil {
			return err
		}
		return d.doc.Components.Schemas["basic-error"].Value.VisitJSON(value)
	}
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: o.at, Route: o.route, Options: options}
	return openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Options: options,
	})
}

// example is a copy of what the description shows an operation answer.
func (d *description) example(t *testing.T, name string, status int) any {
	t.Helper()
	method, path, _ := strings.Cut(name, " ")
	content := d.doc.Paths.Value(path).GetOperation(method).Responses.Status(status).Value.Content.Get("application/json")
	examples := slices.Sorted(maps.Keys(content.Examples))
	if len(examples) == 0 {
		t.Fatalf("%s shows no example of %d", name, status)
	}
	text, err := json.Marshal(content.Examples[examples[0]].Value.Value)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}
