package arkitekt

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// timestampLayouts are the variants of ISO 8601 that occur, after parseTimestamp
// brought the separators together, and the times of mails and of HTTP. A fraction
// of a second is read with any, and so are days and hours of one digit.
var timestampLayouts = []string{
	"2006-1-2T15:4:5",
	"2006-1-2T15:4:5Z07:00",
	"2006-1-2T15:4:5Z0700",
	"2006-1-2T15:4:5Z07",
	"2006-1-2T15:4",
	"2006-1-2T15:4Z07:00",
	"2006-1-2T15:4Z0700",
	"2006-1-2",
	"20060102T150405",
	"20060102T150405Z07:00",
	"20060102T150405Z0700",
	"20060102",
	"20060102150405",
	time.RFC1123,
	time.RFC1123Z,
	time.ANSIC,
}

var (
	dayPattern  = regexp.MustCompile(`^([0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}|[0-9]{8})[Tt \t]+`)
	zonePattern = regexp.MustCompile(`([+-])([0-9])(:?[0-9]{2})?$`) // an hour of one digit, as YAML allows
	unixPattern = regexp.MustCompile(`^[0-9]{9,19}(\.[0-9]+)?$`)
)

// parseTimestamp reads a time, in UTC. Without a zone it is UTC. A bare number is
// the seconds since 1970, or thousandths, millionths or billionths of them by how
// many digits it has.
func parseTimestamp(text string) (time.Time, bool) {
	date := strings.ReplaceAll(text, "/", "-")
	if day := dayPattern.FindString(text); day != "" {
		clock := strings.ToUpper(text[len(day):])
		if at := strings.IndexByte(clock, '['); at >= 0 {
			clock = clock[:at] // the zone's name, which says less than the hours before it
		}
		clock = strings.ReplaceAll(clock, " ", "")
		for _, utc := range []string{"UTC", "GMT"} {
			if local, ok := strings.CutSuffix(clock, utc); ok {
				clock = local + "Z"
			}
		}
		if at := strings.IndexAny(clock, "+-"); at >= 0 {
			clock = clock[:at] + zonePattern.ReplaceAllString(clock[at:], "${1}0$2$3")
		}
		date = date[:len(strings.TrimRight(day, "Tt \t"))] + "T" + clock
	}
	for _, layout := range timestampLayouts {
		if t, err := time.Parse(layout, date); err == nil {
			t = t.UTC()
			return t, t.Year() >= 1 && t.Year() <= 9999 // what JSON can hold
		}
	}
	return unixTime(text)
}

// unixTime reads a number of seconds, or of parts of them, since 1970.
func unixTime(text string) (time.Time, bool) {
	if !unixPattern.MatchString(text) {
		return time.Time{}, false
	}
	whole, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	if len(whole) <= 11 {
		nanos, _ := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
		return time.Unix(n, nanos).UTC(), true
	}
	for digits := 14; digits < 20; digits += 3 {
		if len(whole) <= digits {
			return time.UnixMilli(n).UTC(), true
		}
		n /= 1000
	}
	return time.Time{}, false
}
