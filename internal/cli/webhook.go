package cli

import (
	"github.com/spf13/cobra"

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
