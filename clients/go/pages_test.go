package sidecar

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// listed counts the pages that are fetched of a listing whose cursors come from next, and gives
// the error at its end.
func listed(next func(count int) string) (count int, err error) {
	all := pages("events.list", "", func(string) ([]int, string, error) {
		count++
		return []int{count}, next(count), nil
	})
	for _, err = range all {
	}
	return count, err
}

func TestAListingThatRepeatsItsCursorIsGivenUpAtOnce(t *testing.T) {
	count, err := listed(func(count int) string { return fmt.Sprint("c", min(count, 5)) })
	if count != 6 || !errors.Is(err, KindInvalidResponse) {
		t.Errorf("after %d pages: %v", count, err)
	}
	if says := `sidecar: events.list: invalid_response: the listing repeats the cursor "c5"`; err.Error() != says {
		t.Error(err)
	}
}

func TestAListingThatGoesInCirclesIsGivenUp(t *testing.T) {
	for _, size := range []int{2, 3, 100, 1000} {
		count, err := listed(func(count int) string { return fmt.Sprint("c", count%size) })
		if count > 4*size || !errors.Is(err, KindInvalidResponse) {
			t.Errorf("a circle of %d after %d pages: %v", size, count, err)
		}
	}
}

func TestAListingOfEverNewCursorsIsGivenUp(t *testing.T) {
	count, err := listed(func(count int) string { return fmt.Sprint("c", count) })
	if count != maxPages || !errors.Is(err, KindInvalidResponse) || !strings.Contains(err.Error(), "more than 100000 pages") {
		t.Errorf("after %d pages: %v", count, err)
	}
}

func TestAListingEndsWithItsLastPageHoweverManyThereAre(t *testing.T) {
	count, err := listed(func(count int) string {
		if count == 3000 {
			return ""
		}
		return fmt.Sprint("c", count)
	})
	if count != 3000 || err != nil {
		t.Errorf("%d pages: %v", count, err)
	}
}
