// Package journal keeps the lock of an endpoint and the journal of its rollouts in the
// workspace's blob store, where every machine that may change the endpoint can see them.
//
//	hotswap/{endpoint}/lock.json
//	hotswap/{endpoint}/rollouts/{fence}-{rollout}/{seq}.json
//
// The lock is created with If-None-Match: * and changed only with If-Match, so of two claims at
// most one is granted. It expires by the store's own clock, the Date of its answers, so machines
// need not agree on the time. Its fence only grows: a write that carries a lower one than the
// largest seen comes from a holder that has lost the lock.
package journal

import (
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"strings"
)

// TTL is how long a lock is held without being renewed.
const TTL = 30 * time.Minute

// Holder is who works under a lock.
type Holder struct {
	Name  string `json:"name"` // user@host, or the run of a CI
	Host  string `json:"host"`
	PID   int    `json:"pid"`   // 0: no process works on it now
	Start uint64 `json:"start"` // when the process started, so that a reused PID is told apart
	Boot  string `json:"boot"`  // which boot of the host the process belongs to
}

// Lock is the right to change an endpoint, as it is in the store.
type Lock struct {
	Fence   int64     `json:"fence"`
	Rollout string    `json:"rollout"`
	Holder  Holder    `json:"holder"`
	Reason  string    `json:"reason"`
	Expires time.Time `json:"expires"` // by the store's clock
	Held    bool      `json:"held"`
}

// Claim asks for the lock.
type Claim struct {
	Rollout   string
	Reason    string
	Holder    Holder
	SeenFence int64           // the largest fence seen on the endpoint
	Take      func(Lock) bool // may a lock that has not expired be taken over? nil: it may not
}

// Journal is the lock and the journal of one endpoint.
type Journal struct {
	TTL time.Duration // how long a lock lasts; New sets it to the constant

	store  *container.Client
	prefix string
}

// New returns the journal of an endpoint in the container c. It asks the store nothing.
func New(c *container.Client, endpoint string) *Journal {
	return &Journal{TTL: TTL, store: c, prefix: "hotswap/" + strings.ToLower(endpoint) + "/"}
}
