package sidecar

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// countPages returns how many pages of a listing are fetched, and the error that ends it. next
// returns the cursor of each page.
func countPages(next func(count int) string) (count int, err error) {
	all := pages("events.list", "", func(string) ([]int, string, error) {
		count++
		return []int{count}, next(count), nil
	})
	for _, err = range all {
	}
	return count, err
}

func TestAListingThatRepeatsItsCursorFailsImmediately(t *testing.T) {
	count, err := countPages(func(count int) string { return fmt.Sprint("c", min(count, 5)) })
	if count != 6 || !errors.Is(err, KindInvalidResponse) {
		t.Errorf("after %d pages: %v", count, err)
	}
	if want := `sidecar: events.list: invalid_response: the listing repeats the cursor "c5"`; err.Error() != want {
		t.Error(err)
	}
}

func TestAListingWhoseCursorsFormACycleFails(t *testing.T) {
	for _, size := range []int{2, 3, 100, 1000} {
		count, err := countPages(func(count int) string { return fmt.Sprint("c", count%size) })
		if count > 4*size || !errors.Is(err, KindInvalidResponse) {
			t.Errorf("a cycle of %d after %d pages: %v", size, count, err)
		}
	}
}

func TestAListingWithTooManyPagesFails(t *testing.T) {
	count, err := countPages(func(count int) string { return fmt.Sprint("c", count) })
	if count != maxPages || !errors.Is(err, KindInvalidResponse) || !strings.Contains(err.Error(), "more than 100000 pages") {
		t.Errorf("after %d pages: %v", count, err)
	}
}

func TestAListingWithManyPagesEndsWithTheLastPage(t *testing.T) {
	count, err := countPages(func(count int) string {
		if count == 3000 {
			return ""
		}
		return fmt.Sprint("c", count)
	})
	if count != 3000 || err != nil {
		t.Errorf("%d pages: %v", count, err)
	}
}
