// Package e2e holds the tests that need the real components around the pipeline: the workflow
// that we ship, run by act and by a Gitea of the tests' own, against a hotswap server on loopback.
//
// It is a module of its own, so that what those components are made of stays out of the product's
// go.mod.
package e2e
