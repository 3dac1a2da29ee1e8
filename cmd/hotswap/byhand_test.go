package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

// dial connects as a person with the SDK would, beside the pipeline.
func (s *server) dial(t *testing.T) *azure.Client {
	t.Helper()
	c, err := azure.Dial(t.Context(), azure.Options{
		CredentialsFile: s.creds, Dir: filepath.Dir(s.creds),
		Getenv: func(name string) string {
			if name == "SSL_CERT_FILE" {
				return s.ca
			}
			return os.Getenv(name)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// updateByHand changes a deployment as az ml online-deployment update does: everything is read
// and sent back, with one field changed.
func (s *server) updateByHand(t *testing.T, endpoint, name string) {
	t.Helper()
	c := s.dial(t)
	d, err := c.Deployment(t.Context(), endpoint, name)
	if err != nil {
		t.Fatal(err)
	}
	d.Variables = map[string]string{"BY": "hand"}
	if _, err := c.PutDeployment(t.Context(), d.Deployment); err != nil {
		t.Fatal(err)
	}
}

// moveTraffic sets the traffic as az ml online-endpoint update --traffic does.
func (s *server) moveTraffic(t *testing.T, endpoint string, shares map[string]int) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	c := s.dial(t)
	e, err := c.Endpoint(ctx, endpoint)
	if err != nil {
		t.Fatal(err)
	}
	if e.Traffic, err = online.NewTraffic(shares); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutEndpoint(ctx, e); err != nil {
		t.Fatal(err)
	}
}
