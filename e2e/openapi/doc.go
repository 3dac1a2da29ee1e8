// Package openapi holds what we say to GitHub, and what we read of its answers, against the
// description that GitHub publishes of its REST API.
//
// The tests speak to a stub that is made of this description: it refuses a request that is not in
// it, and checks each of its own answers, which begin as the description's examples.
package openapi
