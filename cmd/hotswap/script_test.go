package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata/script")

// The scripts share one server; each has an endpoint and a model of its own.
func TestScript(t *testing.T) {
	s := startServer(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("SSL_CERT_FILE", s.ca)
			e.Setenv("CREDENTIALS", s.creds)
			e.Setenv("URL", s.url)
			e.Setenv("STATE", s.stateDir)
			creds, err := os.ReadFile(s.creds)
			e.Setenv("AZURE_CREDENTIALS", string(creds))
			return err
		},
	})
}
