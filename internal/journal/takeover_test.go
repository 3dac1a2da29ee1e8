package journal_test

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"hotswap/internal/journal"
	"hotswap/internal/online"
)

// Who goes on with a rollout whose process has ended gets a fence of its own, so that what that one
// has still on its way is refused; while it may run, nobody goes on.
func TestTakenOverRolloutHasANewFence(t *testing.T) {
	every(t, func(t *testing.T, c *container.Client) {
		j := journal.New(c, "taxi")
		first := acquire(t, j, claim("r1"))
		bob := journal.Claim{Rollout: "r1", Holder: journal.Holder{Name: "bob@ci", PID: 43}, SeenFence: 1}
		_, err := j.Acquire(t.Context(), bob)
		wantCode(t, "go on with a rollout that somebody works on", err, online.Locked)

		bob.Take = func(l journal.Lock) bool { return l.Holder == alice }
		second := acquire(t, j, bob)
		if second.Fence() != 2 {
			t.Errorf("the rollout that was taken over has fence %d, want 2", second.Fence())
		}
		wantCode(t, "renew the lease that was taken over", first.Renew(t.Context()), online.Stale)
		if again := acquire(t, j, bob); again.Fence() != 2 {
			t.Errorf("its own process got fence %d, want 2", again.Fence())
		}
	})
}
