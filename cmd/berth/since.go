package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// moments are the forms of a moment that --since takes besides RFC 3339. What
// names no zone is meant where the person is.
var moments = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"}

// parseSince reads how far back somebody wants to look: a duration (90s, 10m,
// 1h30m, 2d) before now, or a moment. Empty is the zero time: from the beginning.
func parseSince(now time.Time, text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.AddDate(0, 0, -int(n)), nil
		}
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	for _, form := range moments {
		if t, err := time.ParseInLocation(form, text, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageError{fmt.Errorf("--since: %q is neither a duration nor a moment: write it as 10m, 2d, 2026-11-21T12:00:00Z or \"2026-11-21 12:00\"", text)}
}
