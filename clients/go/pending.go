package sidecar

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

// pendingCalls are the requests that have no response yet.
type pendingCalls struct {
	mu        sync.Mutex
	lastID    int64
	calls     map[int64]*call
	lastWatch int
	// By name: the open watch first, then those that the sidecar has not rejected yet, or opens
	// when the first has ended.
	watches map[string][]*call
}

type call struct {
	method   string
	queue    *notificationQueue // nil unless the call is a watch
	response chan response      // buffered, for the one response
}

type response struct {
	result json.RawMessage
	err    error
}

func newPendingCalls() pendingCalls {
	return pendingCalls{calls: make(map[int64]*call), watches: make(map[string][]*call)}
}

func (p *pendingCalls) add(method string, queue *notificationQueue) (int64, *call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastID++
	added := &call{method, queue, make(chan response, 1)}
	p.calls[p.lastID] = added
	if queue != nil {
		p.watches[queue.watch] = append(p.watches[queue.watch], added)
	}
	return p.lastID, added
}

// remove removes a call and returns it, or nil if it was removed before.
func (p *pendingCalls) remove(id int64) *call {
	p.mu.Lock()
	defer p.mu.Unlock()
	removed := p.calls[id]
	delete(p.calls, id)
	if removed != nil && removed.queue != nil {
		name := removed.queue.watch
		rest := slices.DeleteFunc(p.watches[name], func(other *call) bool { return other == removed })
		if p.watches[name] = rest; len(rest) == 0 {
			delete(p.watches, name)
		}
	}
	return removed
}

// resolve passes the response to a call. Later notifications of a watch are dropped.
func (p *pendingCalls) resolve(id int64, response response) {
	if resolved := p.remove(id); resolved != nil {
		resolved.response <- response
	}
}

// openEnded returns the ids of calls that may stay open indefinitely.
func (p *pendingCalls) openEnded() (ids []int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, call := range p.calls {
		if openEndedMethods[call.method] {
			ids = append(ids, id)
		}
	}
	return ids
}

// notify adds a notification to the queue of its watch, or the error with which it was decoded.
func (p *pendingCalls) notify(watch string, notification WatchNotification, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if watches := p.watches[watch]; len(watches) > 0 {
		watches[0].queue.add(notification, err)
	}
}

// newWatchName returns a name that no open watch has.
func (p *pendingCalls) newWatchName() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		p.lastWatch++
		name := fmt.Sprintf("w%d", p.lastWatch)
		if _, used := p.watches[name]; !used {
			return name
		}
	}
}
