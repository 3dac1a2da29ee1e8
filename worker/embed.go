// Package worker holds the Python program that keeps one copy of a model in memory and runs a
// user's scoring script for the gateway. Package frame is the other end of its socket.
package worker

import _ "embed"

// Source is the text of worker.py, which needs Python 3.9 or newer and no package.
//
//go:embed worker.py
var Source []byte
