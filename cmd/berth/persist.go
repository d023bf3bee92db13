package main

import (
	"context"
	"errors"
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

// unknownTime is how long a server that planned is waited for when it knows of no
// backend what runs there: one may stay away for ever, and the server then tells so.
const unknownTime = 15 * time.Second

// persistence is how a command that follows something outlives the server.
type persistence struct {
	ask     querier
	err     io.Writer
	planned bool // what is followed is known only to a server that planned

	pause   time.Duration
	unknown time.Time // since when the server is seen to know of no backend what runs; zero: it knows
}

const pingQuery = `query { instance { ready waitsFor commit { hash } } }`

// readiness is how much a server knows.
type readiness struct {
	Ready    bool
	WaitsFor string
	Commit   *struct{ Hash string } // that it planned; nil: nothing was planned
}

func readinessOf(ctx context.Context, ask querier) (readiness, error) {
	var answer struct{ Instance readiness }
	err := ask.Query(ctx, pingQuery, nil, &answer)
	return answer.Instance, err
}

// unplannedError says that a server cannot know what there is, if so.
func unplannedError(ctx context.Context, ask querier) error {
	i, err := readinessOf(ctx, ask)
	if err != nil || i.Ready || i.Commit != nil {
		return err
	}
	return i.anew()
}

func (r *readiness) anew() error {
	return &schema.Error{Op: "ask", Resource: "the server", Kind: schema.Transient, Err: fmt.Errorf("%w: %s", errAnew, oneLine(r.WaitsFor)),
		Hint: "ask again in a moment; 'berth get sources' says what could not be read"}
}

var errAnew = errors.New("it is not ready")

// again waits, after a failure for want of a server, until one answers that knows
// what there is, and tells both. Any other error, and the end of ctx, it returns:
// there is no use.
func (p *persistence) again(ctx context.Context, err error) error {
	if schema.KindOf(err) != schema.Transient || ctx.Err() != nil {
		return err
	}
	told, what := errors.Is(err, errAnew), "went away"
	if told {
		what = "began anew"
	}
	fmt.Fprintf(p.err, "the server %s (%s); asking again until it is back\n", what, bareError(err))
	for err != nil {
		if err := p.rest(ctx); err != nil {
			return err
		}
		if err = p.ping(ctx); err != nil && schema.KindOf(err) != schema.Transient {
			return err
		}
		if errors.Is(err, errAnew) && !told {
			told = true
			fmt.Fprintln(p.err, "the server answers, but "+bareError(err))
		}
	}
	fmt.Fprintln(p.err, "the server is back")
	return nil
}

// check waits, if need be, as [persistence.again] does: whoever lost no connection
// may yet speak to a server that began anew.
func (p *persistence) check(ctx context.Context) error {
	if err := p.ping(ctx); err != nil {
		return p.again(ctx, err)
	}
	return nil
}

// ping asks whether the server is there, and knows what there is. One that just
// began has read no desired state, or asked no backend: what it does not show then
// is not gone.
func (p *persistence) ping(ctx context.Context) error {
	i, err := readinessOf(ctx, p.ask)
	if err != nil {
		return err
	}
	switch {
	case i.Ready || !p.planned:
		p.unknown = time.Time{}
		return nil
	case i.Commit == nil: // nothing was planned: it knows nothing at all
	case p.unknown.IsZero():
		p.unknown = time.Now()
	case time.Since(p.unknown) >= unknownTime:
		return nil
	}
	return i.anew()
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
