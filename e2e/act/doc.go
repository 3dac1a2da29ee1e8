// Package act runs the workflow and the actions that we ship, unmodified, by act on this machine,
// against a hotswap server on loopback and a small stand-in for GitHub's API.
//
// act doesn't simulate filters of triggers, concurrency, permissions and environments: what depends
// on those is in e2e/gitea, or is read off the workflow's file.
package act
