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

// MetricsAtOnce is the property by which a server says that the metrics of the endpoint are final at
// once, and how fine they are: an ISO 8601 duration, at whose multiples a timespan may begin and end.
// Azure gives no such word: its newest minutes may read zero.
const MetricsAtOnce = "hotswap.metrics"

// Parking is the property by which a server says that a deployment without traffic may have 0
// instances: its processes are stopped, and come back when it has instances again. Azure has no such thing.
const Parking = "hotswap.parking"
