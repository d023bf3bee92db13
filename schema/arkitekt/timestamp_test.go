package arkitekt

import (
	"testing"
	"time"
)

func TestParseTimestamp(t *testing.T) {
	at := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	tests := []struct{ text, want string }{ // want is empty where it cannot be read
		{"2024-01-02T03:04:05", "2024-01-02T03:04:05Z"},
		{"2024-01-02T03:04:05.678901", "2024-01-02T03:04:05.678901Z"},
		{"2024-01-02T03:04:05,5Z", "2024-01-02T03:04:05.5Z"},
		{"2024-01-02t03:04:05z", "2024-01-02T03:04:05Z"},
		{"2024-01-02T03:04:05+02:00", "2024-01-02T01:04:05Z"},
		{"2024-01-02T03:04:05.25-0530", "2024-01-02T08:34:05.25Z"},
		{"2024-01-02T03:04:05+02", "2024-01-02T01:04:05Z"},
		{"2024-01-02 03:04:05", "2024-01-02T03:04:05Z"},
		{"2024-01-02 03:04:05 +02:00", "2024-01-02T01:04:05Z"},
		{"2024-01-02 03:04 UTC", "2024-01-02T03:04:00Z"},
		{"2024-01-02T03:04Z", "2024-01-02T03:04:00Z"},
		{"2024-01-02", "2024-01-02T00:00:00Z"},
		{"20240102T030405Z", "2024-01-02T03:04:05Z"},
		{"20240102T030405.5", "2024-01-02T03:04:05.5Z"},
		{"20240102", "2024-01-02T00:00:00Z"},
		{"", ""}, {"yesterday", ""}, {"1704164645", ""}, {"2024-13-01", ""}, {"2024-01-02T25:00:00", ""}, {"T", ""}, {" ", ""},
		{"9999-12-31T23:59:59-10:00", ""}, // the year 10000 in UTC
	}
	for _, tt := range tests {
		got, ok := parseTimestamp(tt.text)
		switch {
		case ok != (tt.want != ""):
			t.Errorf("parseTimestamp(%q) = %v, %t", tt.text, got, ok)
		case ok && (!got.Equal(at(tt.want)) || got.Location() != time.UTC):
			t.Errorf("parseTimestamp(%q) = %v, want %s", tt.text, got, tt.want)
		}
	}
}
