package sidecar

import (
	"container/list"
	"reflect"
	"sync"
)

// notificationQueue holds the unread notifications of a watch. It coalesces them: it keeps only the
// latest state of each event, at the position of the event's first unread notification.
type notificationQueue struct {
	watch string
	ready chan struct{} // holds one element while there may be something to read

	mu       sync.Mutex
	order    *list.List // of WatchNotification
	elements map[any]*list.Element
	err      error // of a notification that could not be decoded
}

// eventKey identifies an event.
type eventKey struct{ org, project, domain, runName, actionName string }

// connectivityKey is the key of the notifications events.disconnected and events.resynced. Its
// backend is empty if the sidecar has a protocol before 1.2.
type connectivityKey struct{ backend BackendName }

// queueKey returns the key of a notification: it replaces an earlier one with the same key.
func queueKey(notification WatchNotification) any {
	switch n := notification.(type) {
	case *EventChanged:
		event := &n.Event
		return eventKey{event.Org, event.Project, event.Domain, event.RunName, event.ActionName}
	case *WatchDisconnected:
		return connectivityKey{n.Backend}
	case *WatchResynced:
		return connectivityKey{n.Backend}
	default:
		return reflect.TypeOf(notification)
	}
}

func newNotificationQueue(watch string) *notificationQueue {
	return &notificationQueue{
		watch:    watch,
		ready:    make(chan struct{}, 1),
		order:    list.New(),
		elements: make(map[any]*list.Element),
	}
}

// add adds a notification, or the error with which it was decoded. Nothing follows an error.
func (q *notificationQueue) add(notification WatchNotification, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.err != nil:
	case err != nil:
		q.err = err
	default:
		q.coalesce(notification)
	}
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

func (q *notificationQueue) coalesce(notification WatchNotification) {
	if changed, ok := notification.(*EventChanged); ok {
		q.coalesceEvent(changed)
		return
	}
	// Move it to the end: it follows the changes that arrived before it.
	key := queueKey(notification)
	q.remove(key)
	q.elements[key] = q.order.PushBack(notification)
}

func (q *notificationQueue) coalesceEvent(changed *EventChanged) {
	key := queueKey(changed)
	element, queued := q.elements[key]
	if !queued {
		q.elements[key] = q.order.PushBack(changed)
		return
	}
	change, reported := coalesceChanges(element.Value.(*EventChanged).Change, changed.Change)
	if !reported {
		q.remove(key)
		return
	}
	changed.Change = change
	element.Value = changed
}

// coalesceChanges returns the change that replaces an unread change and the one after it, and
// whether there is a change to report at all.
func coalesceChanges(earlier, later Change) (change Change, reported bool) {
	switch {
	case earlier == ChangeCreated && later == ChangeRemoved:
		return "", false
	case earlier == ChangeCreated:
		return ChangeCreated, true
	case earlier == ChangeRemoved && later == ChangeCreated:
		return ChangeUpdated, true
	case earlier == ChangeResolved && later == ChangeUpdated:
		return ChangeResolved, true
	default:
		return later, true
	}
}

func (q *notificationQueue) remove(key any) {
	if element, queued := q.elements[key]; queued {
		q.order.Remove(element)
		delete(q.elements, key)
	}
}

// next removes and returns the first notification, or nil if the queue is empty.
func (q *notificationQueue) next() (WatchNotification, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	first := q.order.Front()
	if first == nil {
		return nil, q.err
	}
	notification := q.order.Remove(first).(WatchNotification)
	delete(q.elements, queueKey(notification))
	return notification, nil
}
