// Package client asks a running Berth over its API. The command line is its first user.
package client

import (
	"context"
	"encoding/json"
	"time"
)

// DefaultServer is where "berth serve" listens unless it is told otherwise.
const DefaultServer = "http://127.0.0.1:8484"

// Options say which server is asked, and as whom.
type Options struct {
	Server string // http://HOST:PORT or https://…; empty: DefaultServer
	Token  string // empty: none, which is enough on the server's own machine
	CAFile string // certificate authorities to trust besides the system's
}

// Client is safe for concurrent use.
type Client struct{}

// New returns a client; it asks nothing yet.
func New(o Options) (*Client, error) { return &Client{}, nil }

// Server is the address that is asked.
func (c *Client) Server() string { return "" }

// Query asks one GraphQL query or mutation and decodes its data into into. The
// error is a [schema.Error]: one of kind transient when no server is there.
func (c *Client) Query(ctx context.Context, query string, variables map[string]any, into any) error {
	return nil
}

// Subscribe calls each with the data of every answer to a GraphQL subscription,
// until the server ends it, ctx ends or each fails. A connection that is lost is
// an error; whoever wants to go on subscribes again.
func (c *Client) Subscribe(ctx context.Context, query string, variables map[string]any, each func(json.RawMessage) error) error {
	return nil
}

// LogQuery says whose log is asked for, and how much of it.
type LogQuery struct {
	Deployment string // all its pods
	Pods       []string
	Backend    string // that has them; empty: any
	Follow     bool
	Tail       int // negative: all
	Since      time.Time
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
// until all pods have ended or ctx ends.
func (c *Client) Logs(ctx context.Context, q LogQuery, each func(LogLine) error) error { return nil }
