module hotswap/e2e

go 1.26.0

require hotswap v0.0.0

replace hotswap => ../

require (
	code.gitea.io/actions-proto-go v0.4.1
	connectrpc.com/connect v1.19.1
	google.golang.org/protobuf v1.36.9
)
