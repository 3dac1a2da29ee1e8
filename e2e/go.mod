module hotswap/e2e

go 1.26.0

replace hotswap => ../
