package sidecar

import (
	"context"
	"iter"
)

// watch iterates over what a watch tells, and then over its result.
//
// params gives the params of a watch of that name, result makes what the result is read into.
func watch(
	ctx context.Context, c *Client, method, name string,
	params func(name string) any, result func() Notice,
) iter.Seq2[Notice, error] {
	return func(yield func(Notice, error) bool) {
		name := name
		if name == "" {
			name = c.connection.calls.newWatch()
		}
		running, stop := context.WithCancel(ctx)
		unread := newUnread(name)
		end := result()
		var failure error
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			failure = c.explained(method, c.call(running, method, params(name), &end, unread))
		}()
		defer func() {
			stop()
			<-ended
		}()

		for over := false; !over; {
			select {
			case <-unread.news:
			case <-ended:
				over = true // but for what came before the end
			}
			for ctx.Err() == nil {
				notice, err := unread.take()
				if err != nil {
					yield(nil, named(method, err))
					return
				}
				if notice == nil {
					break
				}
				if !yield(notice, nil) {
					return
				}
			}
		}
		switch {
		case failure != nil:
			yield(nil, failure)
		case ctx.Err() != nil:
			yield(nil, named(method, reason(ctx)))
		case end == nil:
			yield(nil, named(method, errNull))
		default:
			yield(end, nil)
		}
	}
}
