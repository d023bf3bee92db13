package main

import (
	"fmt"
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

// formatBytes writes a number of bytes as documents do where that is short, as
// 8Gi, and otherwise with one decimal, as 8.4GB.
func formatBytes(n int64) string {
	if exact := schema.Bytes(n).String(); len(exact) <= 5 {
		return exact
	}
	for _, u := range []struct {
		name string
		size float64
	}{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}} {
		if float64(n) >= u.size {
			return fmt.Sprintf("%.1f%s", float64(n)/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.1fkB", float64(n)/1e3)
}
