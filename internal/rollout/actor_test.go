package rollout

import (
	"testing"

	"hotswap/internal/azure"
)

func TestActorIsNamed(t *testing.T) {
	person := azure.Principal{Name: "alice@example.com", ID: "o", App: "a"}
	application := azure.Principal{ID: "o", App: "a"}
	tests := map[string]struct {
		actor Actor
		want  string
	}{
		"a step of a workflow":           {Actor{Principal: application, Forge: &Forge{Actor: "bob"}}, "bob"},
		"a workflow that nobody began":   {Actor{Principal: application, Forge: &Forge{Run: "1"}}, "a"},
		"a person":                       {Actor{Principal: person, Local: "alice@laptop"}, "alice@example.com"},
		"an application, used by hand":   {Actor{Principal: application, Local: "alice@laptop"}, "alice@laptop"},
		"a token with the object's id":   {Actor{Principal: azure.Principal{ID: "o"}}, "o"},
		"a rollout that knows of nobody": {Actor{}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.actor.String(); got != tt.want {
				t.Errorf("%+v is named %q, want %q", tt.actor, got, tt.want)
			}
		})
	}
}
