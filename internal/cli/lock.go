package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hotswap/internal/journal"
	"hotswap/internal/rollout"
)

func newLock(s *session) *cobra.Command {
	var (
		endpoint endpointFlags
		reason   string
	)
	c := &cobra.Command{
		Use:   "lock",
		Short: "Keep rollouts off an endpoint, until unlock",
		Long: `Lock keeps every rollout and rollback off an endpoint, with the reason for all to see, until somebody
runs hotswap unlock: it never expires. It is refused while a rollout has the lock.`,
		Example: `  hotswap lock -e taxi-fare -m "the fares are being audited"`,
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if strings.TrimSpace(reason) == "" {
				return usagef("--message says nothing: tell the others why")
			}
			r, err := endpoint.runner(c.Context(), s)
			if err != nil {
				return err
			}
			l, err := r.Lock(c.Context(), reason)
			if err != nil {
				return err
			}
			return s.printLock(viewLock(l))
		},
	}
	endpoint.add(c)
	c.Flags().StringVarP(&reason, "message", "m", "", "`TEXT` that says why")
	_ = c.MarkFlagRequired("message")
	return c
}

func newUnlock(s *session) *cobra.Command {
	var (
		endpoint   endpointFlags
		force, yes bool
	)
	c := &cobra.Command{
		Use:   "unlock",
		Short: "Free an endpoint that a person has locked",
		Long: `Unlock frees an endpoint that hotswap lock has locked, whoever did. A rollout's lock it frees with
--force only: that rollout fails at its next step, and if it is writing just then, its write and the
next rollout's may cross. The next rollout resumes or undoes what it left; hotswap resume goes on with
it, and hotswap abort goes back.`,
		Example: `  hotswap unlock -e taxi-fare
  hotswap unlock -e taxi-fare --force`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := endpoint.runner(c.Context(), s)
			if err != nil {
				return err
			}
			return s.unlock(c.Context(), r, force, yes)
		},
	}
	endpoint.add(c)
	c.Flags().BoolVar(&force, "force", false, "take the lock away from a rollout as well")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func (s *session) unlock(ctx context.Context, r *rollout.Runner, force, yes bool) error {
	held, err := r.Journal.Lock(ctx)
	if err != nil {
		return err
	}
	forced := int64(0)
	if force && held.Held && !held.Manual {
		v := viewLock(held)
		if err := s.confirm(yes, "take the lock of endpoint %s away, which is %s", r.Endpoint, v); err != nil {
			return err
		}
		forced = held.Fence
	}
	was, err := r.Journal.Free(ctx, forced)
	if err != nil {
		return err
	}
	if !was.Held {
		s.say("endpoint %s is not locked", r.Endpoint)
		return nil
	}
	return s.printLock(viewLock(was))
}

// lockView is a held lock as -o json shows it.
type lockView struct {
	Holder  string     `json:"holder"`
	Rollout string     `json:"rollout"` // "" in a manual one
	Reason  string     `json:"reason"`
	Fence   int64      `json:"fence"`
	Expires *time.Time `json:"expires"` // null in a manual one
	Manual  bool       `json:"manual"`
}

func viewLock(l journal.Lock) *lockView {
	v := &lockView{Holder: l.Holder.Name, Rollout: l.Rollout, Reason: l.Reason, Fence: l.Fence, Manual: l.Manual}
	if !l.Manual {
		v.Expires = &l.Expires
	}
	return v
}

func (v *lockView) String() string {
	if v.Manual {
		return fmt.Sprintf("locked by hand by %s until hotswap unlock: %s", v.Holder, v.Reason)
	}
	return fmt.Sprintf("locked by %s until %s: %s", v.Holder, v.Expires.Format(time.RFC3339), dash(v.Reason))
}

func (s *session) printLock(v *lockView) error {
	return s.print(v, func() *table {
		t := &table{head: []string{"HOLDER", "ROLLOUT", "FENCE", "REASON"}}
		t.add(v.Holder, dash(v.Rollout), strconv.FormatInt(v.Fence, 10), dash(v.Reason))
		return t
	})
}
