package main

import (
	"fmt"
	"time"
)

// age says how long ago something was, in one unit: 5s, 3m, 4h, 2d. It is empty
// when that is not known.
func age(now, then time.Time) string {
	if then.IsZero() {
		return ""
	}
	switch d := max(now.Sub(then), 0); { // clocks of two machines differ
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// ageOf is [age] for a moment that may be missing.
func ageOf(now time.Time, then *time.Time) string {
	if then == nil {
		return ""
	}
	return age(now, *then)
}
