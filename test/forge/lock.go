package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	runnerStop = giteaStop + 5*time.Second
	glance     = 20 * time.Millisecond // the time between two looks at what should change
)

// takeLock makes this process the one that runs the forge; the lock's file holds
// its number.
func (f *forge) takeLock() (*os.File, error) {
	if err := os.MkdirAll(f.state, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(f.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("another process runs the forge of %s: %w", f.state, err)
	}
	if err := lock.Truncate(0); err != nil {
		lock.Close()
		return nil, err
	}
	if _, err := fmt.Fprintln(lock, os.Getpid()); err != nil {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

// runner returns the number of the process that runs the forge, 0 if there is
// none. It is alive as long as it holds the lock, so a number that was given to
// another process since then is never taken for it.
func (f *forge) runner() int {
	lock, err := os.Open(f.path("lock"))
	if err != nil {
		return 0
	}
	defer lock.Close()
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return 0
	}
	data, err := os.ReadFile(lock.Name())
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0 // it is about to write it
	}
	return pid
}

// stop stops the forge, if it runs.
func (f *forge) stop(ctx context.Context) error {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		pid := f.runner()
		if pid == 0 {
			return nil
		}
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop the forge: %w", err)
		}
		for deadline := time.Now().Add(runnerStop); f.runner() == pid && time.Now().Before(deadline); {
			if err := pause(ctx); err != nil {
				return err
			}
		}
	}
	if pid := f.runner(); pid != 0 {
		return fmt.Errorf("the process that runs the forge, %d, cannot be killed", pid)
	}
	return nil
}

// lockUser makes others who start or stop the forge of this user wait. The lock
// is on the folder around the state: it leaves no file.
func (f *forge) lockUser(ctx context.Context) (*os.File, error) {
	around := filepath.Dir(f.state)
	if err := os.MkdirAll(around, 0o755); err != nil {
		return nil, err
	}
	lock, err := os.Open(around)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return lock, nil
		}
		if pause(ctx) != nil {
			lock.Close()
			return nil, fmt.Errorf("another one starts or stops the forge: %w", err)
		}
	}
}

// pause waits a moment, unless ctx ends.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(glance):
		return nil
	}
}
