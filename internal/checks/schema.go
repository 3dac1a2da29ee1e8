package checks

import (
	"bytes"
	"errors"
	"path/filepath"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schema is a JSON Schema that answers must keep to. Schemas that it refers to are read from
// files only, never from the network.
type schema struct{ compiled *jsonschema.Schema }

func schemaAt(path string) (*schema, error) {
	compiled, err := jsonschema.NewCompiler().Compile(path)
	return &schema{compiled}, err
}

// schemaOf compiles a schema that stands in the suite at path; what it refers to is beside that.
func schemaOf(text []byte, path string) (*schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	beside, err := filepath.Abs(filepath.Join(filepath.Dir(path), "schema-in-the-suite.json"))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(beside, doc); err != nil {
		return nil, err
	}
	compiled, err := c.Compile(beside)
	return &schema{compiled}, err
}

// check tells where an answer breaks the schema, or returns "". A string that holds JSON may keep
// to it by what it holds, as in Compare.
func (s *schema) check(answer []byte) string {
	v, err := decode(answer)
	if err != nil {
		return "the answer is not JSON: " + short(string(answer))
	}
	err = s.compiled.Validate(v)
	if _, isString := v.(string); err != nil && isString {
		err = s.compiled.Validate(unwrap(v))
	}
	if err == nil {
		return ""
	}
	broken, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return short(err.Error())
	}
	for len(broken.Causes) > 0 { // the first of the innermost says most
		broken = broken.Causes[0]
	}
	at := "$"
	for _, step := range broken.InstanceLocation {
		if _, err := strconv.Atoi(step); err == nil {
			at += "[" + step + "]"
		} else {
			at = member(at, step)
		}
	}
	return at + ": " + short(broken.BasicOutput().Error.String())
}
