package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
	"github.com/berthdev/berth/sources/web"
)

// maxRefusal is how many bytes of a refusal are read.
const maxRefusal = 64 << 10

// A Refusal is an answer of the forge that is no success.
type Refusal struct {
	Status  int
	Message string // what the forge says, fit to be shown; may be empty
}

// Error implements error.
func (r *Refusal) Error() string {
	text := fmt.Sprintf("the forge answers %d %s", r.Status, http.StatusText(r.Status))
	if r.Message != "" {
		text += ": " + r.Message
	}
	return text
}

// StatusOf returns the HTTP status with which the forge refused; 0: it did not.
func StatusOf(err error) int {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal.Status
	}
	return 0
}

func (c Call) fail(kind schema.ErrorKind, hint string, err error) *schema.Error {
	return &schema.Error{Op: c.Op, Resource: c.Resource, Kind: kind, Hint: hint, Err: err}
}

func (c Call) limited(until time.Time) *schema.Error {
	return c.fail(schema.Transient, "", &forge.Limited{Until: until})
}

// pass hands on why there is no token.
func (c Call) pass(err error) error {
	var known *schema.Error
	if errors.As(err, &known) {
		return c.fail(known.Kind, known.Hint, known.Err)
	}
	return c.fail(schema.Transient, "", err)
}

// refused makes an error of an answer that is no success.
func (c *Client) refused(call Call, res *http.Response) error {
	refusal := &Refusal{Status: res.StatusCode}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxRefusal))
	if err == nil {
		refusal.Message = web.Clean(message(data))
	}
	if until, ok := c.pause.refused(refusal, res.Header, time.Now()); ok {
		return call.limited(until)
	}
	kind, hint := c.judge(res.StatusCode)
	return call.fail(kind, hint, refusal)
}

// judge says what happens after a refusal.
func (c *Client) judge(status int) (kind schema.ErrorKind, hint string) {
	switch status {
	case http.StatusUnauthorized:
		return schema.Terminal, "check the token for " + c.base.Hostname() + ": it may be wrong or expired"
	case http.StatusForbidden:
		return schema.Terminal, "the token for " + c.base.Hostname() + " may not do this; give it more rights"
	case http.StatusNotFound, http.StatusGone:
		return schema.Terminal, "check the URL; the token for " + c.base.Hostname() + " must be allowed to see the repository"
	case http.StatusProxyAuthRequired:
		return schema.Terminal, "put user and password into the proxy setting"
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly:
		return schema.Transient, ""
	}
	if status >= http.StatusInternalServerError {
		return schema.Transient, ""
	}
	return schema.Terminal, ""
}

// message finds what a refusal says: a text under message or error, the texts for
// each field under message, or GitHub's list under errors.
func message(data []byte) string {
	var said struct {
		Message     any `json:"message"`
		Error       any `json:"error"`
		Description any `json:"error_description"`
		Errors      any `json:"errors"`
	}
	if json.Unmarshal(data, &said) != nil {
		return ""
	}
	var parts []string
	for _, v := range []any{said.Message, said.Error, said.Description, said.Errors} {
		if text := flat(v); text != "" && !slices.Contains(parts, text) {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, ": ")
}

// flat renders texts, and lists and mappings of texts, in a stable order.
func flat(v any) string {
	var parts []string
	switch v := v.(type) {
	case string:
		return v
	case []any:
		for _, item := range v {
			parts = append(parts, flat(item))
		}
	case map[string]any:
		if text, ok := v["message"].(string); ok && text != "" {
			return text
		}
		for key, item := range v {
			parts = append(parts, key+" "+flat(item))
		}
		slices.Sort(parts)
	}
	return strings.Join(parts, ", ")
}
