package main

import (
	"strconv"
	"strings"

	"github.com/berthdev/berth/schema"
)

func names(of []named) string {
	out := make([]string, len(of))
	for i, n := range of {
		out[i] = n.Name
	}
	return strings.Join(out, ",")
}

func shortHash(hash string) string { return hash[:min(len(hash), 7)] }

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func trimFloat(f float64) string { return strconv.FormatFloat(f, 'g', 6, 64) }

func orUnlimited(s string, none bool) string {
	if none {
		return "?"
	}
	return s
}

func bytesOf(n *int64) string {
	if n == nil {
		return ""
	}
	return formatBytes(*n)
}

// formatBytes writes a number of bytes for people.
func formatBytes(n int64) string { return schema.Bytes(n).Short() }
