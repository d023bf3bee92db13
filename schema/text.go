package schema

import (
	"errors"
	"net/netip"
	"strconv"
	"unicode/utf8"
)

// clip shortens text from a document for a message.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	end := most
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

func portNumber(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, errors.New("port 0")
	}
	return uint16(n), nil
}

func validIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}
