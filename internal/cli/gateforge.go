package cli

import (
	"context"
	"time"

	"hotswap/internal/forge"
	"hotswap/internal/gate"
)

// gateForge is the forge as the gate sees it.
type gateForge struct{ *forge.Repository }

// forgeTime bounds one thing that the forge is asked or told: a rate limit may last an hour, and
// no run is to wait so long for a comment.
const forgeTime = 2 * time.Minute

func (f gateForge) PullRequest(ctx context.Context, number int) (gate.Standing, error) {
	ctx, cancel := context.WithTimeout(ctx, forgeTime)
	defer cancel()
	pr, err := f.Repository.PullRequest(ctx, number)
	return gate.Standing{Open: pr.State == "open", Merged: pr.Merged, Head: pr.Head}, err
}

// Comment writes a pull request's one comment of that marker.
func (f gateForge) Comment(ctx context.Context, number int, marker, markdown string) error {
	ctx, cancel := context.WithTimeout(ctx, forgeTime)
	defer cancel()
	return f.Repository.Comment(ctx, number, marker, markdown)
}

func (f gateForge) SetStatus(ctx context.Context, commit string, s gate.Status) error {
	ctx, cancel := context.WithTimeout(ctx, forgeTime)
	defer cancel()
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
