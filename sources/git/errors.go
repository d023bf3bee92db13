package git

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/berthdev/berth/schema"
)

// Causes that the package tells apart.
var (
	errClosed      = errors.New("the source is closed")
	errMissing     = errors.New("object is missing")
	errTooLarge    = errors.New("too large")
	errDamaged     = errors.New("damaged")
	errEmptyRemote = errors.New("the repository is empty")
)

// fail builds the error that leaves the package. Resource is filled in by the
// source, see [follower].
func fail(kind schema.ErrorKind, hint string, err error) *schema.Error {
	return &schema.Error{Op: "fetch", Kind: kind, Hint: hint, Err: err}
}

// rescue turns a panic on hostile data into an error. Deferred.
func rescue(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: unreadable git data: %s", errDamaged, clean(fmt.Sprint(r)))
	}
}

// clean makes text of others fit for one line of a log: printable and short.
func clean(text string) string {
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

// seal makes err fit to leave a source: a [*schema.Error] that names the
// repository and holds none of the secrets.
func seal(err error, resource string, secrets []string) error {
	if err == nil {
		return nil
	}
	var known *schema.Error
	sealed := schema.Error{Op: "fetch", Resource: resource, Kind: schema.Transient, Err: err}
	if errors.As(err, &known) {
		sealed = *known
		sealed.Resource = resource
	} else if errors.Is(err, context.DeadlineExceeded) {
		sealed.Hint = "the repository is slow or away; it is asked again"
	} else if hopeless(err) {
		sealed.Kind = schema.Invalid
	}
	if sealed.Err != nil {
		sealed.Err = scrub(sealed.Err, secrets)
	}
	return &sealed
}

// scrub replaces an error whose text holds a secret: a server may repeat what
// it was sent.
func scrub(err error, secrets []string) error {
	text := err.Error()
	found := false
	for _, secret := range secrets {
		if len(secret) > 3 && strings.Contains(text, secret) {
			text, found = strings.ReplaceAll(text, secret, hidden), true
		}
	}
	if found {
		return errors.New(text)
	}
	return err
}
