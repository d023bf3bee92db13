package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

const (
	// pulse is how often a silent stream is checked by asking the engine for a
	// sign of life, and how long the engine may take for it.
	pulse        = 30 * time.Second
	pulseTimeout = 20 * time.Second
)

// watchedActions are the events that change a pod. Those of health checks and
// commands that run inside are many and change none.
var watchedActions = []events.Action{
	events.ActionCreate, events.ActionStart, events.ActionDie, events.ActionOOM, events.ActionPause, events.ActionUnPause,
	events.ActionRename, events.ActionUpdate, events.ActionDestroy, events.ActionHealthStatus, events.ActionDisconnect,
}

// Watch implements [backends.Backend].
func (b *Backend) Watch(ctx context.Context, notify func(backends.Event)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// The engine may have been replaced since the last stream broke.
	if err := b.reopen(ctx); err != nil {
		return err
	}
	info, err := b.ask(ctx)
	if err != nil {
		return err
	}
	args := filters.NewArgs(
		filters.Arg("type", string(events.ContainerEventType)), filters.Arg("type", string(events.NetworkEventType)))
	for _, a := range watchedActions {
		args.Add("event", string(a))
	}
	api := b.api()
	// The engine answers before it listens; "since" brings what falls in between.
	// It is the engine's clock, which need not be ours.
	messages, errs := api.Events(ctx, events.ListOptions{Since: info.SystemTime, Filters: args})
	select {
	case err := <-errs:
		return b.broken(ctx, err)
	default:
	}
	b.cache.watched(true)
	defer b.cache.watched(false)
	b.net.forget()
	notify(backends.Event{})

	done := make(chan struct{})
	defer func() { cancel(nil); <-done }()
	go func() {
		defer close(done)
		b.feel(ctx, api, cancel)
	}()
	for {
		select {
		case m := <-messages:
			if e, ok := b.event(m); ok {
				notify(e)
			}
		case err := <-errs:
			return b.broken(ctx, err)
		}
	}
}

// feel ends the stream when the engine gives no sign of life.
func (b *Backend) feel(ctx context.Context, api *session, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		call, stop := context.WithTimeout(ctx, pulseTimeout)
		_, err := api.Ping(call)
		stop()
		if err != nil && ctx.Err() == nil {
			cancel(fmt.Errorf("the engine gives no sign of life: %w", err))
			return
		}
	}
}

// broken says why the stream of events ended.
func (b *Backend) broken(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case cause != nil:
		err = cause
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the engine closed the connection")
	}
	e := classify("watch", "Docker Engine "+b.endpoint.name, err)
	var known *schema.Error
	if errors.As(e, &known) && known.Kind == schema.Invalid {
		known.Kind = schema.Transient // nothing is declared here that could be wrong
	}
	return e
}

// event makes a message of the engine into an event of a pod, if it is one.
func (b *Backend) event(m events.Message) (backends.Event, bool) {
	if m.Type == events.NetworkEventType {
		return b.networkEvent(m)
	}
	labels := m.Actor.Attributes // a container's labels are among them
	if labels[labelInstance] != b.instance {
		return backends.Event{}, false
	}
	b.cache.forget(m.Actor.ID)
	if code, err := strconv.Atoi(labels["exitCode"]); m.Action == events.ActionDie && err == nil {
		b.cache.ended(m.Actor.ID, code)
	}
	what, worse := describe(m)
	if what == "" {
		return backends.Event{}, false
	}
	if image := labels["image"]; image != "" && labels[labelImage] != "" && !sameImage(labels[labelImage], image) {
		return backends.Event{}, false // it is not ours, and has the labels of its image
	}
	name := labels["name"]
	return backends.Event{
		Deployment: labels[labelDeployment], Pod: name, What: what, Worse: worse,
		Ours: b.acts.ours(m.Actor.ID, name, m.Action),
	}, true
}

// networkEvent handles what happens to the instance's network.
func (b *Backend) networkEvent(m events.Message) (backends.Event, bool) {
	if m.Actor.Attributes["name"] != networkName(b.instance) {
		return backends.Event{}, false
	}
	switch m.Action {
	case events.ActionDestroy:
		b.net.forget()
	case events.ActionDisconnect:
		// Every container that stops is disconnected, too, after it died: then it is
		// not known to run.
		id := m.Actor.Attributes["container"]
		deployment, running := b.cache.running(id)
		b.cache.forget(id)
		if running {
			return backends.Event{Deployment: deployment, What: "container was disconnected from its network", Worse: true, Ours: b.acts.ours(id, "", m.Action)}, true
		}
	}
	return backends.Event{}, false
}

// describe says in words what happened to a container, and whether it is worse off;
// no words: nothing that matters.
func describe(m events.Message) (what string, worse bool) {
	if health, ok := strings.CutPrefix(string(m.Action), string(events.ActionHealthStatus)); ok {
		health = strings.TrimPrefix(health, ": ")
		if health != "healthy" && health != "unhealthy" {
			return "", false // free text, of a check that runs
		}
		return "container is " + health, health == "unhealthy"
	}
	switch m.Action {
	case events.ActionDie:
		return "container died with exit code " + m.Actor.Attributes["exitCode"], true
	case events.ActionCreate:
		return "container was made", false
	case events.ActionStart:
		return "container was started", false
	case events.ActionOOM:
		return "container ran out of memory", true
	case events.ActionPause:
		return "container was paused", true
	case events.ActionUnPause:
		return "container runs on", false
	case events.ActionRename:
		return "container was renamed", false
	case events.ActionUpdate:
		return "container's settings were changed", false
	case events.ActionDestroy:
		return "container was removed", true
	}
	return "", false
}
