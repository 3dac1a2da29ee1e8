package app_test

import (
	"context"
	"os"
	"testing"

	"hotswap/internal/workers/process"
)

// TestMain lets the test binary be the guard of its own workers.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "guard" {
		os.Exit(process.Guard(context.Background(), os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}
