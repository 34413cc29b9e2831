package sidecar

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

// openCalls are the requests that wait for their answers.
type openCalls struct {
	mu        sync.Mutex
	lastID    int64
	open      map[int64]*call
	lastWatch int
	// By name, the open watch and after it those that the sidecar has yet to refuse, or to open
	// when it has told the end of the first.
	watches map[string][]*call
}

type call struct {
	method string
	unread *unread     // nil but for a watch
	answer chan answer // of one
}

type answer struct {
	result json.RawMessage
	err    error
}

func newOpenCalls() openCalls {
	return openCalls{open: make(map[int64]*call), watches: make(map[string][]*call)}
}

func (c *openCalls) add(method string, unread *unread) (int64, *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID++
	added := &call{method, unread, make(chan answer, 1)}
	c.open[c.lastID] = added
	if unread != nil {
		c.watches[unread.watch] = append(c.watches[unread.watch], added)
	}
	return c.lastID, added
}

// remove gives the call, if it is still there.
func (c *openCalls) remove(id int64) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	removed := c.open[id]
	delete(c.open, id)
	if removed != nil && removed.unread != nil {
		name := removed.unread.watch
		rest := slices.DeleteFunc(c.watches[name], func(other *call) bool { return other == removed })
		if c.watches[name] = rest; len(rest) == 0 {
			delete(c.watches, name)
		}
	}
	return removed
}

// answer gives a call its answer: for a watch, nothing follows it.
func (c *openCalls) answer(id int64, given answer) {
	if answered := c.remove(id); answered != nil {
		answered.answer <- given
	}
}

// endless gives the calls that stay open until something happens.
func (c *openCalls) endless() (ids []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, call := range c.open {
		if openEnded[call.method] {
			ids = append(ids, id)
		}
	}
	return ids
}

// tell adds a notice to what its watch has not read; err is what was wrong with it.
func (c *openCalls) tell(watch string, notice Notice, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if watches := c.watches[watch]; len(watches) > 0 {
		watches[0].unread.add(notice, err)
	}
}

// newWatch gives a name that no open watch has.
func (c *openCalls) newWatch() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		c.lastWatch++
		name := fmt.Sprintf("w%d", c.lastWatch)
		if _, taken := c.watches[name]; !taken {
			return name
		}
	}
}
