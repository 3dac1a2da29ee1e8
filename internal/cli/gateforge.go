package cli

import (
	"context"

	"hotswap/internal/forge"
	"hotswap/internal/gate"
)

// gateForge is the forge as the gate sees it.
type gateForge struct{ *forge.Repository }

func (f gateForge) PullRequest(ctx context.Context, number int) (gate.Standing, error) {
	pr, err := f.Repository.PullRequest(ctx, number)
	return gate.Standing{Open: pr.State == "open", Merged: pr.Merged, Head: pr.Head}, err
}

func (f gateForge) SetStatus(ctx context.Context, commit string, s gate.Status) error {
	state := forge.Failure
	if s.Good {
		state = forge.Success
	}
	return f.Repository.SetStatus(ctx, commit, forge.Status{Context: s.Context, State: state, Description: s.Description, URL: s.URL})
}

// askForge lets g ask the forge, where there is one and a token for it.
func (s *session) askForge(ctx context.Context, g *gate.Gate, flags forgeFlags) {
	r, err := s.repository(ctx, flags)
	if err != nil {
		g.NoForge = err.Error()
		return
	}
	g.Forge = gateForge{r}
}
