package schema

import "strings"

// Nearest returns the candidate that s most likely was meant to be, or "".
func Nearest(s string, candidates []string) string {
	if same := respelled(s, candidates); same != "" {
		return same
	}
	if len(s) > 64 {
		return ""
	}
	best, least := "", 1+max(1, len(s)/3) // about one slip in three letters
	for _, c := range candidates {
		if d := distance(strings.ToLower(s), strings.ToLower(c)); d < least && d < len(c) {
			best, least = c, d
		}
	}
	return best
}

// respelled returns the candidate that differs from s only in case, - and _, or "".
func respelled(s string, candidates []string) string {
	for _, c := range candidates {
		if fold(c) == fold(s) {
			return c
		}
	}
	return ""
}

// fold makes fooBar, foo_bar, foo-bar and FooBar the same.
func fold(s string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(s))
}

// distance returns how many letters must be added, removed, replaced or swapped
// with their neighbour to make b of a (the optimal string alignment distance).
func distance(a, b string) int {
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
