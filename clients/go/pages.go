package sidecar

import "iter"

// maxPages limits the number of pages of one listing.
const maxPages = 100_000

// pages returns an iterator over the items of a listing from a cursor on. An empty cursor requests
// the first page, and ends the listing if it is returned.
func pages[T any](method, cursor string, list func(cursor string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		fail := func(err error) {
			var zero T
			yield(zero, err)
		}
		current, checkpoint := cursor, ""
		for count := 1; count <= maxPages; count++ {
			items, next, err := list(current)
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
			case current, checkpoint:
				fail(wrap(method, invalidResponse("the listing repeats the cursor %q", next)))
				return
			}
			// Brent's algorithm: a checkpoint at every power of two detects a cycle of any length.
			if count&(count-1) == 0 {
				checkpoint = next
			}
			current = next
		}
		fail(wrap(method, invalidResponse("the listing has more than %d pages", maxPages)))
	}
}
