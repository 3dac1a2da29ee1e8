package control

import (
	"strconv"

	"hotswap/internal/online"
)

// The tags by which a rollout says who it is. The fence is the number of its lock, which only
// grows: a rollout that lost its lock and didn't notice has a lower one than its successor.
const (
	FenceTag   = "hotswap.fence"
	RolloutTag = "hotswap.rollout"
)

// nextFence is the largest fence seen of an endpoint once a change with these tags is committed.
// A change with a lower fence is online.Stale; one without a fence is not part of a rollout.
func nextFence(tags map[string]string, seen uint64) (uint64, error) {
	text, fenced := tags[FenceTag]
	if !fenced {
		return seen, nil
	}
	fence, err := strconv.ParseUint(text, 10, 63) // 63: so SQLite holds it
	if err != nil {
		return 0, online.Errorf(online.Invalid, "tag %s is %q: want a number", FenceTag, text)
	}
	if fence < seen {
		return 0, online.Errorf(online.Stale, "the change is of rollout %q with fence %d, but one with fence %d came after it: its lock is lost, so stop", tags[RolloutTag], fence, seen)
	}
	return fence, nil
}
