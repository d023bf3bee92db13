package rest

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

// A Reader reads the body of an answer as it comes.
type Reader func(*json.Decoder) error

// Each reads an array, and hands on one element after the other: of a long list
// that strangers wrote, no more is held than what do keeps.
func Each[T any](do func(T)) Reader {
	return func(dec *json.Decoder) error {
		if t, err := dec.Token(); err != nil {
			return err
		} else if t != json.Delim('[') {
			return errNoList
		}
		for dec.More() {
			var element T
			if err := dec.Decode(&element); err != nil {
				return err
			}
			do(element)
		}
		_, err := dec.Token()
		return err
	}
}

// HasNext tells whether the header of a list says that it goes on after this page.
func HasNext(header http.Header) bool {
	return slices.ContainsFunc(header.Values("Link"), func(value string) bool {
		return strings.Contains(value, `rel="next"`)
	})
}

// ErrTooLong is the error for an answer of which no more is read.
var ErrTooLong = errors.New("the answer is too long")

var errNoList = errors.New("the answer is no list")

// read reads what a call has asked for.
func (c *Client) read(call Call, body io.Reader, into any) error {
	if into == nil {
		return nil
	}
	dec := json.NewDecoder(&bounded{body, cmp.Or(call.Limit, forge.MaxResponse)})
	read, ok := into.(Reader)
	if !ok {
		read = func(dec *json.Decoder) error { return dec.Decode(into) }
	}
	err := read(dec)
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return call.fail(schema.Transient, "", errors.New("the answer breaks off"))
	case errors.Is(err, errNoList), errors.As(err, &kind), errors.As(err, &syntax):
		return call.fail(schema.Transient, "check that "+c.Host()+" is the forge that it is taken for", errors.New("the answer is not the JSON of a forge"))
	}
	return err
}

// bounded reads so many bytes, and fails when there may be more.
type bounded struct {
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, ErrTooLong
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
