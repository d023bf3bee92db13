package schema

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// list checks each text of a list, and that none stands twice or is empty.
func (r *report) list(rule rule, path string, items []string) {
	seen := distinct{}
	for i, item := range items {
		at := fmt.Sprintf("%s[%d]", path, i)
		if r.filled(at, item) && r.check(rule, at, item) {
			seen.add(r, at, item)
		}
	}
}

// filled tells whether an item of a list has text. That it is empty is an error,
// unless it could not be decoded, which was told.
func (r *report) filled(at, item string) bool {
	told := func(p Problem) bool { return p.Path == at }
	if item == "" && !slices.ContainsFunc(r.problems, told) {
		r.error(at, "is empty", "remove it")
	}
	return item != ""
}

// between checks a number.
func (r *report) between(path string, n, least, most int) {
	if n < least || n > most {
		r.error(path, fmt.Sprintf("must be from %d to %d", least, most), "")
	}
}

// duration checks that a duration, if there is one, is at least so long, and no
// longer than a day.
func (r *report) duration(path string, d *Duration, least time.Duration) {
	switch {
	case d == nil:
	case time.Duration(*d) < least:
		r.error(path, "must be at least "+Duration(least).String(), "for example 30s")
	case time.Duration(*d) > maxWait:
		r.error(path, "must be at most "+Duration(maxWait).String(), "for example 30s")
	}
}

// distinct holds where each text of a list stands first.
type distinct map[string]string

// add tells of text that was there already. Empty text is passed over.
func (d distinct) add(r *report, path, text string) {
	if text == "" {
		return
	}
	if first, twice := d[text]; twice {
		r.error(path, quote(text)+" stands twice", first+" is the same")
		return
	}
	d[text] = path
}

// quote puts text from a document in quotes for a message.
func quote(s string) string { return strconv.Quote(clip(s)) }
