package azure

import (
	"net/http"
	"strings"
	"testing"
)

// The address of an upload holds its signature, which must not get into an error.
func TestErrorOfARequestHoldsNoSignature(t *testing.T) {
	c, err := newHTTPClient(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://127.0.0.1:1/box/model.json?sv=2021&sig=secret", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err == nil {
		resp.Body.Close()
	}
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "https://127.0.0.1:1/box/model.json") {
		t.Errorf("error %v, want the address without its signature", err)
	}
}
