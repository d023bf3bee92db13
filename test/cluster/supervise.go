package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	superviseCommand = "supervise" // what up runs in the background
	daemonStart      = time.Minute
	daemonStop       = 10 * time.Second
)

// supervise is the cluster's one process from which all others descend: it
// starts the daemons, stops them in order when ctx ends, and ends with an error
// when one of them ends by itself. If it is killed the kernel kills the daemons.
func (c *cluster) supervise(ctx context.Context) error {
	lock, err := c.lockSupervisor()
	if err != nil {
		return err
	}
	defer lock.Close()
	// The shims of containers have no parent; here they get one that reaps them.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	family := newFamily(c.path("logs"))
	failed := c.startDaemons(ctx, family)
	if failed == nil {
		fmt.Println("all daemons run")
		select {
		case p := <-family.ended:
			failed = p.endedEarly()
		case <-ctx.Done():
		}
	}
	return errors.Join(failed, c.stopDaemons(family))
}

// lockSupervisor makes this process the supervisor; its file holds its number.
func (c *cluster) lockSupervisor() (*os.File, error) {
	f, err := os.OpenFile(c.path("supervisor"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another supervisor runs: %w", err)
	}
	if _, err := fmt.Fprintln(f, os.Getpid()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// startDaemons starts stage after stage, unless ctx ends.
func (c *cluster) startDaemons(ctx context.Context, family *family) error {
	for _, stage := range c.daemons() {
		for _, d := range stage {
			if err := family.start(d); err != nil {
				return err
			}
		}
		for _, d := range stage {
			if err := awaitAnswer(ctx, d, family); err != nil {
				return err
			}
		}
	}
	return nil
}

func awaitAnswer(ctx context.Context, d daemon, family *family) error {
	if d.answers == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, daemonStart)
	defer cancel()
	for {
		try, done := context.WithTimeout(ctx, time.Second)
		err := d.answers(try)
		done()
		if err == nil {
			return nil
		}
		select {
		case p := <-family.ended:
			return p.endedEarly()
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", d.name, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stopDaemons stops the last stage first. Between the kubelet's end and
// containerd's, the pods are removed.
func (c *cluster) stopDaemons(family *family) error {
	stages := c.daemons()
	slices.Reverse(stages)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var failed error
	for i, stage := range stages {
		if i == len(stages)-1 && c.runtimeAnswers(ctx) == nil {
			failed = c.removePods(ctx)
		}
		for _, d := range stage {
			family.signal(d.name, unix.SIGTERM)
		}
		for _, d := range stage {
			family.await(d.name, daemonStop)
		}
	}
	return failed
}
