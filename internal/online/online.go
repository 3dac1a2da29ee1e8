// Package online holds the nouns of the product and their rules: endpoints, their deployments,
// the traffic between them, the assets they are made of and the operations that change them.
// It imports nothing but the standard library and does no I/O.
package online
