package main

import "testing"

func TestPodReason(t *testing.T) {
	code := 3
	for _, tc := range []struct {
		reason string
		code   *int
		want   string
	}{
		{"", nil, ""},
		{"", &code, "exit code 3"},
		{"out of memory", &code, "out of memory"},
	} {
		if got := podReason(tc.reason, tc.code); got != tc.want {
			t.Errorf("%q, exit code %v: %q, want %q", tc.reason, tc.code, got, tc.want)
		}
	}
}
