package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"hotswap/internal/rollout"
	"hotswap/internal/webhook"
)

// webhookVariable is another place for the webhook's URL: a token may be a part of it.
const webhookVariable = "HOTSWAP_WEBHOOK"

// webhookFlags say who is told what becomes of a rollout.
type webhookFlags struct{ url, secretEnv string }

func (f *webhookFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.url, "webhook", "", "`URL` that is told what becomes of the rollout (default: $"+webhookVariable+")")
	c.Flags().StringVar(&f.secretEnv, "webhook-secret-env", "", "`NAME` of the environment variable with the secret that signs what the webhook is sent")
	fromVariable(c, "webhook", webhookVariable)
}

// hook returns what sends to the webhook, or nil where there is none. It has to be closed.
func (f *webhookFlags) hook(s *session) (*webhook.Hook, error) {
	switch {
	case f.url == "":
		return nil, nil
	case f.secretEnv == "":
		return nil, usagef("with what is the webhook signed? name the environment variable of a secret with --webhook-secret-env")
	case s.Getenv(f.secretEnv) == "":
		return nil, usagef("--webhook-secret-env: $%s is empty or not set", f.secretEnv)
	}
	return webhook.New(webhook.Options{URL: f.url, Secret: []byte(s.Getenv(f.secretEnv)), Say: s.say})
}

// hookTime bounds how long a command that is through waits for what its webhook was not yet told.
const hookTime = 20 * time.Second

// attach has the webhook told of every state that r saves. done waits for the last of them.
func (f *webhookFlags) attach(ctx context.Context, s *session, r *rollout.Runner) (done func(), err error) {
	h, err := f.hook(s)
	if err != nil || h == nil {
		return func() {}, err
	}
	r.Told = func(state rollout.State, seq int) {
		data, err := json.Marshal(viewRollout(state))
		if err != nil {
			s.say("the webhook is not told of %s: %v", state.Phase, err)
			return
		}
		h.Send(webhook.Event{
			ID: fmt.Sprintf("%s-%d", state.ID, seq), Rollout: state.ID, Endpoint: state.Plan.Endpoint,
			State: string(state.Phase), Time: state.Updated, Data: data,
		})
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hookTime)
		defer cancel()
		h.Close(ctx)
	}, nil
}
