package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// up starts the forge in the background, unless it answers; what a forge that
// does not left behind is removed first.
func (f *forge) up(ctx context.Context) error {
	lock, err := f.lockUser(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	if f.runner() != 0 {
		address, err := f.address()
		if err == nil {
			err = answers(ctx, address)
		}
		if err == nil {
			say("Gitea answers; log: %s", f.log())
			printAddress(address)
			return nil
		}
		say("starting anew: %v", err)
	}
	if err := f.remove(ctx); err != nil {
		return err
	}
	began := time.Now()
	address, err := f.startRunner(ctx)
	if err != nil {
		return errors.Join(err, f.remove(context.WithoutCancel(ctx)))
	}
	say("Gitea answers after %.1f s; log: %s", time.Since(began).Seconds(), f.log())
	printAddress(address)
	return nil
}

func (f *forge) down(ctx context.Context) error {
	lock, err := f.lockUser(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := os.Stat(f.state); errors.Is(err, fs.ErrNotExist) {
		say("no forge was started")
		return nil
	}
	if err := f.remove(ctx); err != nil {
		return err
	}
	say("Gitea is stopped and removed")
	return nil
}

// remove stops the forge and removes all that it made.
func (f *forge) remove(ctx context.Context) error {
	if err := f.stop(ctx); err != nil {
		return err
	}
	return os.RemoveAll(f.state)
}

// startRunner starts the process that runs the forge, apart from this one's
// terminal, and returns when Gitea answers.
func (f *forge) startRunner(ctx context.Context) (*url.URL, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(f.state, 0o700); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(f.path("run.log"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(self, runCommand, "--from", f.from, "--state", f.state, "--port", strconv.Itoa(f.port))
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			return nil, fmt.Errorf("the forge ended: %w\n%s", err, tail(log.Name(), 20))
		case <-ctx.Done():
			_ = cmd.Process.Signal(syscall.SIGTERM)
			<-ended
			return nil, ctx.Err()
		case <-time.After(glance):
		}
		if address, err := f.address(); !errors.Is(err, fs.ErrNotExist) {
			return address, err
		}
	}
}
