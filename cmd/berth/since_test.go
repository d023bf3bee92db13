package main

import (
	"testing"
	"time"
)

func TestSince(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.FixedZone("", 3600))
	for text, want := range map[string]time.Time{
		"":                          {},
		"90s":                       now.Add(-90 * time.Second),
		" 1h30m ":                   now.Add(-90 * time.Minute),
		"0s":                        now,
		"2d":                        now.AddDate(0, 0, -2),
		"2026-11-20T08:00:00Z":      time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC),
		"2026-11-20T08:00:00.5Z":    time.Date(2026, 11, 20, 8, 0, 0, 5e8, time.UTC),
		"2026-11-20T09:00:00+01:00": time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC),
		"2026-11-20 09:00":          time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC),
		"2026-11-20":                time.Date(2026, 11, 19, 23, 0, 0, 0, time.UTC),
	} {
		if got, err := parseSince(now, text); err != nil || !got.Equal(want) {
			t.Errorf("%q: %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"-5m", "5", "yesterday", "d", "99999999d", "2026-13-01", "1h 30m"} {
		if got, err := parseSince(now, text); err == nil {
			t.Errorf("%q: %s", text, got)
		}
	}
}
