package schemas

import _ "embed" // of the schemas

// Tests is the JSON Schema of tests.yml.
//
//go:embed tests.schema.json
var Tests []byte
