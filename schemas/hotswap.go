// Package schemas holds the JSON Schemas of the files that people write, for their editors. What
// reads a file tells its faults better; a test holds the two together.
package schemas

import _ "embed" // of the schemas

// Hotswap is the JSON Schema of hotswap.yml.
//
//go:embed hotswap.schema.json
var Hotswap []byte
