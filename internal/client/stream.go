package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/berthdev/berth/schema"
)

// Subscribe calls each with the data of every answer to a GraphQL subscription,
// until the server ends it, ctx ends or each fails. A connection that is lost is
// an error of kind transient; whoever wants to go on subscribes again.
func (c *Client) Subscribe(ctx context.Context, query string, variables map[string]any, each func(json.RawMessage) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	resp, err := c.post(ctx, query, variables, "text/event-stream")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	quiet := time.AfterFunc(c.quietTime, func() { cancel(errQuiet) })
	defer quiet.Stop()
	var e event
	err = eachLine(resp.Body, func(line []byte) error {
		quiet.Reset(c.quietTime)
		if err := e.take(line); err != nil || len(line) > 0 {
			return err
		}
		whole := e
		e = event{}
		switch whole.name {
		case "next":
			data, err := c.data(whole.data)
			if err != nil {
				return handed{err}
			}
			return hand(each(data))
		case "complete":
			return errComplete
		}
		return nil // a comment, or an event of a later version
	})
	return c.ended(ctx, err)
}

// LogQuery says whose log is asked for, and how much of it.
type LogQuery struct {
	Deployments []string // all their pods; with Follow those too that they get meanwhile
	Pods        []string
	Backend     string // that has them; empty: any
	Follow      bool
	Tail        int // negative: all
	Since       time.Time
}

// A LogLine is a line of a pod's log.
type LogLine struct {
	Pod     string    `json:"pod"`
	Backend string    `json:"backend"`
	Time    time.Time `json:"time"`
	Stderr  bool      `json:"stderr"`
	Text    string    `json:"text"`
}

// Logs calls each for every line, until all has been told, or, when it follows,
// until all pods have ended and all deployments are gone, or ctx ends. That a pod
// cannot be read does not end the others; the first such error is returned at the end.
func (c *Client) Logs(ctx context.Context, q LogQuery, each func(LogLine) error) error {
	address := c.base.JoinPath("logs")
	address.RawQuery = q.values().Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return c.failed(schema.Invalid, err, "")
	}
	resp, err := c.send(req, "application/x-ndjson")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var failed error
	err = eachLine(resp.Body, func(line []byte) error {
		if len(line) == 0 {
			return nil
		}
		var l struct {
			LogLine
			Error *answerError `json:"error"`
		}
		if err := json.Unmarshal(line, &l); err != nil {
			return handed{c.notBerth("a line of the log is no JSON")}
		}
		if l.Error != nil {
			if failed == nil {
				failed = c.refused(*l.Error)
			}
			return nil // the other pods go on
		}
		return hand(each(l.LogLine))
	})
	if errors.Is(err, io.EOF) {
		return failed // the end of a log is the end of the answer
	}
	return c.ended(ctx, err)
}

func (q LogQuery) values() url.Values {
	v := url.Values{}
	for _, deployment := range q.Deployments {
		v.Add("deployment", deployment)
	}
	for _, pod := range q.Pods {
		v.Add("pod", pod)
	}
	if q.Backend != "" {
		v.Set("backend", q.Backend)
	}
	if q.Follow {
		v.Set("follow", "1")
	}
	if q.Tail >= 0 {
		v.Set("tail", strconv.Itoa(q.Tail))
	}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	return v
}

var (
	errComplete = errors.New("complete")
	errQuiet    = errors.New("nothing came for a minute")
	errTooLong  = errors.New("it sent more at once than is taken")
)

// handed is an error that goes to the caller as it is.
type handed struct{ error }

func hand(err error) error {
	if err == nil {
		return nil
	}
	return handed{err}
}

// ended makes of why a stream ended what the caller is told.
func (c *Client) ended(ctx context.Context, err error) error {
	var h handed
	switch {
	case errors.As(err, &h):
		return h.error
	case errors.Is(err, errComplete):
		return nil
	case errors.Is(context.Cause(ctx), errQuiet):
		return c.lost(context.Background(), errQuiet)
	default:
		return c.lost(ctx, err)
	}
}

// An event is one server-sent event as its lines come in.
type event struct {
	name string
	data []byte
}

func (e *event) take(line []byte) error {
	field, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(field) {
	case "event":
		e.name = string(value)
	case "data":
		if len(e.data)+len(value) > maxLine {
			return errTooLong
		}
		if e.data != nil {
			e.data = append(e.data, '\n')
		}
		e.data = append(e.data, value...)
	}
	return nil
}

// eachLine calls fn for every whole line of r, without its end, until fn fails or
// r ends: then the error is [io.EOF]. The line is valid until fn returns.
func eachLine(r io.Reader, fn func(line []byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4<<10), maxLine)
	lines.Split(wholeLines)
	for lines.Scan() {
		if err := fn(lines.Bytes()); err != nil {
			return err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return errTooLong
	case err != nil:
		return err
	}
	return io.EOF
}

// wholeLines splits as [bufio.ScanLines], but drops a last line without end: the
// connection broke within it.
func wholeLines(data []byte, atEOF bool) (advance int, line []byte, err error) {
	advance, line, err = bufio.ScanLines(data, false)
	if advance == 0 && atEOF {
		advance = len(data)
	}
	return advance, line, err
}
