// Code generated from schemas/ by "make generate". DO NOT EDIT.

package sidecar

// stubs are the methods as a transcript calls them: with the JSON of their params.
var stubs = map[string]func(*Client) stub{
	"events.list":    func(c *Client) stub { return calls(c.Events.List) },
	"events.get":     func(c *Client) stub { return calls(c.Events.Get) },
	"events.create":  func(c *Client) stub { return calls(c.Events.Create) },
	"events.signal":  func(c *Client) stub { return calls(c.Events.Signal) },
	"events.wait":    func(c *Client) stub { return calls(c.Events.Wait) },
	"events.abort":   func(c *Client) stub { return calls(c.Events.Abort) },
	"events.pending": func(c *Client) stub { return calls(c.Events.Pending) },
	"runs.list":      func(c *Client) stub { return calls(c.Runs.List) },
	"events.watch":   func(c *Client) stub { return watches(c.Events.Watch) },
	"events.unwatch": func(c *Client) stub { return acts(c.Events.Unwatch) },
	"rpc.discover":   func(c *Client) stub { return asks(c.RPC.Discover) },
	"sidecar.status": func(c *Client) stub { return asks(c.Sidecar.Status) },
}
