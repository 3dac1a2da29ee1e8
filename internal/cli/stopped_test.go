package cli

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"hotswap/internal/online"
)

// signal is a cause as signal.NotifyContext gives it.
type signal string

func (s signal) Error() string        { return string(s) }
func (s signal) Is(target error) bool { return target == context.Canceled }

func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(signal("interrupt"))
	tests := map[string]struct {
		ctx  context.Context
		err  error
		want string
	}{
		"the cause alone":        {ctx, signal("interrupt"), "stopped on the way: interrupt"},
		"what it leads to":       {ctx, fmt.Errorf("read it: %w", context.Canceled), "stopped on the way: interrupt"},
		"where things were left": {ctx, fmt.Errorf("%w; rollout 1 is left Watching", signal("interrupt")), "stopped on the way: interrupt; rollout 1 is left Watching"},
		"something else":         {ctx, errors.New("no such file"), "no such file"},
		"nothing was stopped":    {t.Context(), online.Errorf(online.Refused, "no"), "no"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := stopped(tt.ctx, tt.err).Error(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
