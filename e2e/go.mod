module hotswap/e2e

go 1.26.0

require hotswap v0.0.0

replace hotswap => ../
