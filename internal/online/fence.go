package online

// The marks that a rollout leaves on what it writes. The fence is the number of the rollout's
// lock, which only grows: a rollout that lost its lock and did not notice has a lower one than
// its successor, and a server can refuse it. They say who wrote, not what: a deployment that
// differs in its fence alone is the same deployment.
const (
	TagRollout = "hotswap.rollout" // the rollout's id
	TagFence   = "hotswap.fence"   // a decimal number
)

// RoutesAtOnce is the property of an endpoint by which a server says that its traffic is in force
// when the write that set it has succeeded. Azure gives no such word: its routes follow.
const RoutesAtOnce = "hotswap.routes"
