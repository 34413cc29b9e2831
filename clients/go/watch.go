package sidecar

import (
	"context"
	"iter"
)

// watch returns an iterator over the notifications of a watch, and then its result.
//
// params returns the params of a watch with the given name; newResult returns a value to decode the
// result into.
func watch(
	ctx context.Context, c *Client, method, name string,
	params func(name string) any, newResult func() WatchNotification,
) iter.Seq2[WatchNotification, error] {
	return func(yield func(WatchNotification, error) bool) {
		name := name
		if name == "" {
			name = c.connection.calls.newWatchName()
		}
		callCtx, cancel := context.WithCancel(ctx)
		queue := newNotificationQueue(name)
		result := newResult()
		var failure error
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			failure = c.explain(method, c.call(callCtx, method, params(name), &result, queue))
		}()
		defer func() {
			cancel()
			<-ended
		}()

		for finished := false; !finished; {
			select {
			case <-queue.ready:
			case <-ended:
				finished = true // after the notifications that arrived before the end
			}
			for ctx.Err() == nil {
				notification, err := queue.next()
				if err != nil {
					yield(nil, wrap(method, err))
					return
				}
				if notification == nil {
					break
				}
				if !yield(notification, nil) {
					return
				}
			}
		}
		switch {
		case failure != nil:
			yield(nil, failure)
		case ctx.Err() != nil:
			yield(nil, wrap(method, contextError(ctx)))
		case result == nil:
			yield(nil, wrap(method, errNullResult))
		default:
			yield(result, nil)
		}
	}
}
