package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/berthdev/berth/schema"
)

// How long to wait before a server that went away is asked again: longer each time.
const (
	firstAgain = 100 * time.Millisecond
	lastAgain  = 5 * time.Second
)

// persistence is how a command that follows something outlives the server.
type persistence struct {
	ask   querier
	err   io.Writer
	pause time.Duration
}

const pingQuery = `query { instance { name } }`

// again waits, after a failure for want of a server, until one answers, and tells
// both. Any other error, and the end of ctx, it returns: there is no use.
func (p *persistence) again(ctx context.Context, err error) error {
	if schema.KindOf(err) != schema.Transient || ctx.Err() != nil {
		return err
	}
	fmt.Fprintf(p.err, "the server went away (%s); asking again until it is back\n", bareError(err))
	for err != nil {
		if err := p.rest(ctx); err != nil {
			return err
		}
		if err = p.ask.Query(ctx, pingQuery, nil, nil); err != nil && schema.KindOf(err) != schema.Transient {
			return err
		}
	}
	fmt.Fprintln(p.err, "the server is back")
	return nil
}

// rest waits, longer each time until [persistence.progress] is called.
func (p *persistence) rest(ctx context.Context) error {
	p.pause = min(max(2*p.pause, firstAgain), lastAgain)
	return sleep(ctx, p.pause)
}

// progress says that something came: the next wait is short.
func (p *persistence) progress() { p.pause = 0 }

// sleep waits, or returns the error of ctx when that ends before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
