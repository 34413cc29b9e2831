package sidecar

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestUnreadNotificationsAreCoalescedAsByTheSidecar(t *testing.T) {
	for added, read := range map[string]string{
		"created a":                           "created a 1",
		"created a, updated a":                "created a 2",
		"created a, resolved a":               "created a 2",
		"created a, removed a":                "",
		"created a, removed a, created a":     "created a 3",
		"removed a, created a":                "updated a 2",
		"removed a, created a, removed a":     "removed a 3",
		"resolved a, updated a":               "resolved a 2",
		"resolved a, removed a":               "removed a 2",
		"updated a, resolved a":               "resolved a 2",
		"updated a, updated a":                "updated a 2",
		"updated a, reopened a":               "reopened a 2",
		"reopened a, updated a":               "updated a 2",
		"created a, created b, updated a":     "created a 3, created b 2",
		"created a, synced, updated a":        "created a 3, synced 2",
		"synced, synced":                      "synced 2",
		"lost, lost":                          "lost 2",
		"lost, updated a, found":              "updated a 2, found 3",
		"found, updated a, lost":              "updated a 2, lost 3",
		"lost flyte, lost local, found flyte": "lost local 2, found flyte 3",
		"created a, removed a, created b":     "created b 3",
		"removed a, updated b, resolved b":    "removed a 1, resolved b 3",
	} {
		queue := newNotificationQueue("w")
		for i, one := range strings.Split(added, ", ") {
			what, name, _ := strings.Cut(one, " ")
			switch sequence := i + 1; what {
			case "synced":
				queue.add(&WatchSynced{Sequence: sequence}, nil)
			case "lost":
				queue.add(&WatchDisconnected{Sequence: sequence, Backend: BackendName(name)}, nil)
			case "found":
				queue.add(&WatchResynced{Sequence: sequence, Backend: BackendName(name)}, nil)
			default:
				event := Event{RunName: "r", ActionName: name, Name: name}
				queue.add(&EventChanged{Sequence: sequence, Change: Change(what), Event: event}, nil)
			}
		}
		if got := strings.Join(drain(t, queue), ", "); got != read {
			t.Errorf("%s is read as %s", added, got)
		}
		if len(queue.elements) != 0 {
			t.Errorf("%s leaves %v", added, queue.elements)
		}
	}
}

func drain(t *testing.T, queue *notificationQueue) (read []string) {
	t.Helper()
	for {
		notification, err := queue.next()
		if err != nil {
			t.Fatal(err)
		}
		digit := func(sequence int) string { return " " + string(rune('0'+sequence)) }
		switch n := notification.(type) {
		case nil:
			return read
		case *EventChanged:
			read = append(read, string(n.Change)+" "+n.Event.Name+digit(n.Sequence))
		case *WatchSynced:
			read = append(read, "synced"+digit(n.Sequence))
		case *WatchDisconnected:
			read = append(read, strings.TrimSpace("lost "+string(n.Backend))+digit(n.Sequence))
		case *WatchResynced:
			read = append(read, strings.TrimSpace("found "+string(n.Backend))+digit(n.Sequence))
		}
	}
}

func TestEventsOfDifferentRunsAndScopesAreNotCoalesced(t *testing.T) {
	queue := newNotificationQueue("w")
	for _, event := range []Event{
		{ActionName: "a"}, {ActionName: "a", RunName: "r"}, {ActionName: "a", Org: "o"},
		{ActionName: "a", Project: "o"}, {ActionName: "a", Domain: "o"}, {ActionName: "b"},
	} {
		queue.add(&EventChanged{Change: ChangeCreated, Event: event}, nil)
	}
	if read := drain(t, queue); len(read) != 6 {
		t.Errorf("%q", read)
	}
}

func TestADecodingErrorIsReportedAfterTheEarlierNotifications(t *testing.T) {
	queue := newNotificationQueue("w")
	failure := errors.New("failure")
	queue.add(&WatchSynced{}, nil)
	queue.add(&EventChanged{}, failure)
	queue.add(&WatchResynced{}, nil)
	var received []error
	for range 2 {
		_, err := queue.next()
		received = append(received, err)
	}
	if !slices.Equal(received, []error{nil, failure}) {
		t.Errorf("%v", received)
	}
}
