package git

import (
	"context"
	"errors"
	"fmt"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/web"
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
		*err = fmt.Errorf("%w: unreadable git data: %s", errDamaged, web.Clean(fmt.Sprint(r)))
	}
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
		sealed.Err = web.Scrub(sealed.Err, secrets)
	}
	return &sealed
}
