package control

import (
	"strconv"

	"hotswap/internal/online"
)

// nextFence is the largest fence seen of an endpoint once a change with these tags is committed.
// A change with a lower fence is online.Stale: it is of a rollout that lost its lock and did not
// notice. One without a fence, or with the fence that is stored, is not a rollout's own: a person
// who changes one field of an older deployment sends back all that was read.
func nextFence(tags, stored map[string]string, seen uint64) (uint64, error) {
	text, fenced := tags[online.TagFence]
	if !fenced || text == stored[online.TagFence] {
		return seen, nil
	}
	fence, err := strconv.ParseUint(text, 10, 63) // 63: so SQLite holds it
	if err != nil {
		return 0, online.Errorf(online.Invalid, "tag %s is %q: want a number", online.TagFence, text)
	}
	if fence < seen {
		return 0, online.Errorf(online.Stale, "the change is of rollout %q with fence %d, but one with fence %d came after it: its lock is lost, so stop", tags[online.TagRollout], fence, seen)
	}
	return fence, nil
}
