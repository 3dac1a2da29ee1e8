// Command hotswap puts new versions of models into production without dropping a request.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"hotswap/internal/cli"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, cancel) // so that a second signal ends it at once
	code := cli.Main(ctx, os.Args[1:], cli.Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Dir: "."})
	os.Exit(code)
}
