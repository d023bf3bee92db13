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
	most := max(1, len(s)/3) // about one slip in three letters
	best, least, alike := "", most+1, 0
	for _, c := range candidates {
		d := Distance(strings.ToLower(s), strings.ToLower(c), most)
		start := commonStart(s, c) // gpu is rather gpus than cpu
		if d <= most && d < len(c) && (d < least || d == least && start > alike) {
			best, least, alike = c, d, start
		}
	}
	return best
}

// commonStart counts the bytes with which both texts begin, but for case.
func commonStart(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && lower(a[n]) == lower(b[n]) {
		n++
	}
	return n
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
