// Package examples embeds the examples, so that the demo runs from the binary alone.
package examples

import "embed"

// TaxiFare is the folder taxi-fare: a small model with all that its rollout needs.
//
//go:embed taxi-fare
var TaxiFare embed.FS
