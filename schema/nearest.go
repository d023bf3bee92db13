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
		if d := Distance(strings.ToLower(s), strings.ToLower(c), least-1); d < least && d < len(c) {
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

var unspaced = strings.NewReplacer("_", "", "-", "", " ", "")

// fold makes fooBar, foo_bar, foo-bar and FooBar the same.
func fold(s string) string { return unspaced.Replace(strings.ToLower(s)) }
