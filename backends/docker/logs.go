package docker

import (
	"cmp"
	"context"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/berthdev/berth/backends"
)

// How often it is seen whether a pod that ended was started again: soon at first,
// for the engine's own pause doubles with each crash. It is only seen while a log
// is followed.
const (
	firstLook = 100 * time.Millisecond
	lastLook  = 2 * time.Second
)

// Logs implements [backends.Backend]. An engine ends its stream when the container
// ends, also if it starts it again: then another stream goes on after the newest
// line that was told.
func (b *Backend) Logs(ctx context.Context, pod string, o backends.LogOptions, each func(backends.LogLine) error) error {
	const op = "read log"
	id, err := b.lookUp(ctx, op, pod)
	if err != nil || o.Tail == 0 && !o.Follow {
		return err
	}
	if o.Tail == 0 {
		if o, err = b.fromNow(ctx, o); err != nil {
			return err
		}
	}
	l := newLogReader(o.Since, each)
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		c, err := b.examine(ctx, id)
		if err != nil {
			return unlessNotFound(err) // it was removed
		}
		// What had ended before it is read has written all that there is.
		o.Follow = o.Follow && mayWrite(c)
		newest := l.since
		if err := b.readLog(ctx, pod, c, o, l); err != nil || !o.Follow {
			return err
		}
		o.Tail = -1 // there was nothing else, or it was told
		if l.since.After(newest) {
			pause = firstLook
		}
		if err := sleep(ctx, pause); err != nil {
			return classify(op, "pod "+pod, err)
		}
	}
}

// allowedName is what the engine allows, and a bound on what it is asked for.
var allowedName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$`)

// lookUp returns the ID of the instance's container of that name. The engine would
// also find one by a part of its ID, and those of others.
func (b *Backend) lookUp(ctx context.Context, op, pod string) (id string, err error) {
	if allowedName.MatchString(pod) {
		args := b.owned()
		args.Add("name", "^/?"+regexp.QuoteMeta(pod)+"$")
		rows, err := b.rows(ctx, args)
		if err != nil {
			return "", err
		}
		for _, row := range rows {
			if nameOf(row) == pod {
				return row.ID, nil
			}
		}
	}
	return "", invalid(op, "pod "+strconv.Quote(clipName(pod, 255)), "list the pods: they get another name with each release", "there is no such pod")
}

// fromNow returns the options for what is written from now on, by the engine's
// clock: a tail of nothing would be all that is there for the next stream.
func (b *Backend) fromNow(ctx context.Context, o backends.LogOptions) (backends.LogOptions, error) {
	info, err := b.ask(ctx)
	if err != nil {
		return o, err
	}
	if now := moment(info.SystemTime); now.After(o.Since) {
		o.Since = now
	}
	o.Tail = -1
	return o, nil
}

// mayWrite tells whether a container runs, or will without being given another try.
func mayWrite(c container.InspectResponse) bool {
	switch c.State.Status {
	case container.StateRunning, container.StateRestarting, container.StatePaused:
		return true
	case container.StateCreated:
		return !strings.Contains(c.Name, failedSuffix) // no name of a deployment has a dot
	}
	return false
}

// readLog reads one stream of the engine to its end. If it breaks off and is
// followed, the next one brings the rest.
func (b *Backend) readLog(ctx context.Context, pod string, c container.InspectResponse, o backends.LogOptions, l *logReader) error {
	fail := func(err error) error { return classify("read log", "pod "+pod, cmp.Or(ctx.Err(), err)) }
	options := container.LogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: o.Follow, Tail: "all"}
	if o.Tail >= 0 {
		options.Tail = strconv.Itoa(o.Tail)
	}
	if !l.since.IsZero() {
		options.Since = l.since.Format(time.RFC3339Nano)
	}
	stream, err := b.api().ContainerLogs(ctx, c.ID, options)
	switch {
	case cerrdefs.IsNotFound(err), cerrdefs.IsConflict(err):
		return nil // it is being removed
	case err != nil:
		return fail(err)
	}
	defer stream.Close()
	err = l.read(stream, c.Config.Tty)
	switch {
	case l.stopped != nil:
		return l.stopped
	case o.Follow && errors.Is(err, io.ErrUnexpectedEOF) && ctx.Err() == nil:
		return nil // if the engine has gone, the next call tells
	case err != nil:
		return fail(err)
	}
	return nil
}

// unlessNotFound drops the error that there is no such container.
func unlessNotFound(err error) error {
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// sleep waits, or returns why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
