package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// maxName is the most that a DNS label and the value of a label may hold.
const maxName = 63

// hashed is how many characters of a hash tell names apart that were clipped.
const hashed = 8

// looksHashed matches names that end as one with a hash does.
var looksHashed = regexp.MustCompile(`-[0-9a-f]{8}$`)

// dnsName makes a DNS label of text. Where that changes it, a hash of the text
// follows, so that no two texts share a name.
func dnsName(text string, most int) string {
	name := clean(strings.ToLower(text), func(r rune) bool { return r == '-' })
	if name == text && name != "" && len(name) <= most && !looksHashed.MatchString(name) {
		return name
	}
	if most -= hashed + 1; len(name) > most {
		name = strings.TrimRight(name[:most], "-")
	}
	return strings.TrimLeft(name+"-"+shortHash(text), "-")
}

// labelValue makes the value of a label of text, for people and selectors: what a
// label cannot hold becomes -. The text itself stands in an annotation.
func labelValue(text string) string {
	value := clean(text, func(r rune) bool { return strings.ContainsRune("-_.", r) })
	return strings.TrimRight(value[:min(len(value), maxName)], "-_.")
}

// clean replaces what is neither an ASCII letter or digit nor allowed within by
// -, and trims both ends to letters and digits.
func clean(text string, within func(rune) bool) string {
	text = strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || within(r) {
			return r
		}
		return '-'
	}, text)
	return strings.Trim(text, "-_.")
}

func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:hashed]
}

func sortedSet(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
