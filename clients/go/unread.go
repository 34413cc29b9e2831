package sidecar

import (
	"container/list"
	"reflect"
	"sync"
)

// unread is what a watch was told and has not read: of each event its newest state, at the place
// in the order that the first unread one had.
type unread struct {
	watch string
	news  chan struct{} // has one element while there may be something to read

	mu     sync.Mutex
	order  *list.List // of Notice
	places map[any]*list.Element
	err    error // of a notice that cannot be understood
}

// identity is what identifies an event.
type identity struct{ org, project, domain, runName, actionName string }

// backend is the place of what was reported of the backend last.
type backend struct{}

// placeOf returns the key of a notice: a later one with the same key takes its place.
func placeOf(notice Notice) any {
	switch notice := notice.(type) {
	case *EventChanged:
		event := &notice.Event
		return identity{event.Org, event.Project, event.Domain, event.RunName, event.ActionName}
	case *WatchDisconnected, *WatchResynced:
		return backend{}
	default:
		return reflect.TypeOf(notice)
	}
}

func newUnread(watch string) *unread {
	return &unread{
		watch:  watch,
		news:   make(chan struct{}, 1),
		order:  list.New(),
		places: make(map[any]*list.Element),
	}
}

// add adds a notice; err is what was wrong with it.
func (u *unread) add(notice Notice, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.err != nil:
	case err != nil:
		u.err = err
	default:
		u.fold(notice)
	}
	select {
	case u.news <- struct{}{}:
	default:
	}
}

func (u *unread) fold(notice Notice) {
	if changed, ok := notice.(*EventChanged); ok {
		u.foldEvent(changed)
		return
	}
	// It stands after the changes that came before it.
	key := placeOf(notice)
	u.drop(key)
	u.places[key] = u.order.PushBack(notice)
}

func (u *unread) foldEvent(notice *EventChanged) {
	key := placeOf(notice)
	place, waits := u.places[key]
	if !waits {
		u.places[key] = u.order.PushBack(notice)
		return
	}
	change, told := folded(place.Value.(*EventChanged).Change, notice.Change)
	if !told {
		u.drop(key)
		return
	}
	notice.Change = change
	place.Value = notice
}

// folded gives what an unread change and the one after it are together, and whether there is
// anything to tell.
func folded(former, newer Change) (change Change, told bool) {
	switch {
	case former == ChangeCreated && newer == ChangeRemoved:
		return "", false
	case former == ChangeCreated:
		return ChangeCreated, true
	case former == ChangeRemoved && newer == ChangeCreated:
		return ChangeUpdated, true
	case former == ChangeResolved && newer == ChangeUpdated:
		return ChangeResolved, true
	default:
		return newer, true
	}
}

func (u *unread) drop(key any) {
	if place, waits := u.places[key]; waits {
		u.order.Remove(place)
		delete(u.places, key)
	}
}

// take gives the next notice, nil where there is none.
func (u *unread) take() (Notice, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	first := u.order.Front()
	if first == nil {
		return nil, u.err
	}
	notice := u.order.Remove(first).(Notice)
	delete(u.places, placeOf(notice))
	return notice, nil
}
