package arkitekt

import (
	"strings"
	"time"
)

// timestampLayouts are the variants of ISO 8601 that occur, after parseTimestamp
// brought the separators together. A fraction of a second is read with any.
var timestampLayouts = []string{
	"2006-01-02T15:04:05",
	"2006-01-02T15:04:05Z07:00",
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05Z07",
	"2006-01-02T15:04",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04Z0700",
	"2006-01-02",
	"20060102T150405",
	"20060102T150405Z07:00",
	"20060102T150405Z0700",
	"20060102",
}

// parseTimestamp reads a time by ISO 8601, in UTC. Without a zone it is UTC.
func parseTimestamp(text string) (time.Time, bool) {
	date := text
	if at := strings.IndexAny(text, "Tt "); at >= 0 {
		clock := strings.ReplaceAll(strings.ToUpper(text[at+1:]), " ", "")
		if local, ok := strings.CutSuffix(clock, "UTC"); ok {
			clock = local + "Z"
		}
		date = text[:at] + "T" + clock
	}
	for _, layout := range timestampLayouts {
		if t, err := time.Parse(layout, date); err == nil {
			t = t.UTC()
			return t, t.Year() >= 1 && t.Year() <= 9999 // what JSON can hold
		}
	}
	return time.Time{}, false
}
