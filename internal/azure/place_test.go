package azure

import (
	"strings"
	"testing"
)

// A password that somebody has put into an address is neither told nor shown.
func TestNoPasswordInAnAddress(t *testing.T) {
	for _, address := range []string{"http://me:pa55@cloud.example", "https://me:pa55@cloud.example"} {
		p, err := findPlace(address, "")
		if err == nil || strings.Contains(err.Error(), "pa55") || !strings.Contains(err.Error(), "cloud.example") {
			t.Errorf("%s: %v, %v", address, p.arm(), err)
		}
	}
}
