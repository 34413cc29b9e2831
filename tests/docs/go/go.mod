module example.org/wait

go 1.24.0

require (
	github.com/creachadair/jrpc2 v1.3.3
	github.com/sourcegraph/jsonrpc2 v0.2.3
)

require (
	github.com/creachadair/mds v0.25.4 // indirect
	golang.org/x/sync v0.17.0 // indirect
)
