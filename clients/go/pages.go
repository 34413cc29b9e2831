package sidecar

import (
	"fmt"
	"iter"
)

// maxPages is how many pages of one listing are fetched at most.
const maxPages = 100_000

// pages iterates over the items of a listing, from a cursor on; the empty cursor is the start, and
// the end.
func pages[T any](method, cursor string, list func(cursor string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		fail := func(err error) {
			var none T
			yield(none, err)
		}
		from, mark := cursor, ""
		for count := 1; count <= maxPages; count++ {
			items, next, err := list(from)
			if err != nil {
				fail(err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			switch next {
			case "":
				return
			case from, mark:
				fail(named(method, invalid("the listing repeats the cursor %q", next)))
				return
			}
			// By this mark, which moves ever more rarely (Brent), a circle of any length is noticed.
			if count&(count-1) == 0 {
				mark = next
			}
			from = next
		}
		fail(named(method, invalid("the listing has more than %d pages", maxPages)))
	}
}

// invalid makes the error of an answer that breaks the protocol.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", KindInvalidResponse, fmt.Errorf(format, args...))
}
