package web

import (
	"errors"
	"strings"
	"unicode"
)

// Hidden stands where a secret was.
const Hidden = "***"

// Clean makes text of others fit for one line of a log: printable and short.
func Clean(text string) string {
	const maxShown = 300
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	text = strings.TrimSpace(text)
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "..."
	}
	return text
}

// Scrub replaces an error whose text holds a secret: a server may repeat what it
// was sent.
func Scrub(err error, secrets []string) error {
	text := err.Error()
	found := false
	for _, secret := range secrets {
		if len(secret) > 3 && strings.Contains(text, secret) {
			text, found = strings.ReplaceAll(text, secret, Hidden), true
		}
	}
	if found {
		return errors.New(text)
	}
	return err
}
