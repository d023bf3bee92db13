package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	clusterStart   = 2 * time.Minute
	recovery       = 20 * time.Second // what a cluster that is busy gets before it is given up
	supervisorStop = 90 * time.Second
)

// up starts the cluster, unless it is ready; what a cluster that is not left
// behind is removed first.
func (c *cluster) up(ctx context.Context, images []string) error {
	lock, err := lockMachine(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	if c.supervisor() != 0 {
		patient, cancel := context.WithTimeout(ctx, recovery)
		err := c.await(patient, c.ready)
		cancel()
		if err == nil {
			say("the cluster is ready")
			return c.importImages(ctx, images)
		}
		say("starting anew: %v", err)
	}
	if err := c.remove(ctx); err != nil {
		return err
	}
	began := time.Now()
	if err := c.start(ctx, images); err != nil {
		return errors.Join(err, c.remove(context.WithoutCancel(ctx)))
	}
	say("the cluster is ready after %.1f s; logs: %s", time.Since(began).Seconds(), c.path("logs"))
	return nil
}

func (c *cluster) down(ctx context.Context) error {
	lock, err := lockMachine(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := os.Stat(c.state); errors.Is(err, os.ErrNotExist) {
		say("no cluster was started on this machine")
		return nil
	}
	if err := c.remove(ctx); err != nil {
		return err
	}
	say("the cluster is stopped and removed")
	return nil
}

// start starts the cluster where nothing is, and returns when pods can run.
func (c *cluster) start(ctx context.Context, images []string) error {
	ctx, cancel := context.WithTimeout(ctx, clusterStart)
	defer cancel()
	if err := os.MkdirAll(c.path("logs"), 0o700); err != nil {
		return err
	}
	if err := noteVolumes(volumesDir, c.path("volumes")); err != nil {
		return err
	}
	if err := c.configure(); err != nil {
		return err
	}
	if err := c.connect(ctx); err != nil {
		return err
	}
	if err := c.startSupervisor(); err != nil {
		return err
	}
	if err := c.await(ctx, c.runtimeAnswers); err != nil {
		return err
	}
	if err := c.importImages(ctx, images); err != nil {
		return err
	}
	if err := c.await(ctx, c.ready); err != nil {
		return err
	}
	return c.addStorage(ctx)
}

// startSupervisor starts the process that owns the daemons, apart from this
// one's terminal.
func (c *cluster) startSupervisor() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	bin, err := filepath.Abs(c.bin)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(c.path("logs", "supervisor.log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(self, superviseCommand, "--bin", bin)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	// It takes its lock before all else; from then on it can be told to stop.
	for deadline := time.Now().Add(5 * time.Second); c.supervisor() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("the supervisor did not start:\n%s", tail(log.Name(), 20))
		}
	}
	return cmd.Process.Release()
}

// await asks until the cluster answers as it should or its supervisor is gone.
func (c *cluster) await(ctx context.Context, answers func(context.Context) error) error {
	for {
		try, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := answers(try)
		cancel()
		if err == nil {
			return nil
		}
		if c.supervisor() == 0 {
			return fmt.Errorf("the cluster ended:\n%s", tail(c.path("logs", "supervisor.log"), 20))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the cluster is not ready: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// supervisor returns the number of the process that owns the daemons, 0 if there
// is none. It is alive as long as it holds the lock on its file, so a number that
// was given to another process since then is never taken for it.
func (c *cluster) supervisor() int {
	f, err := os.Open(c.path("supervisor"))
	if err != nil {
		return 0
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return 0
	}
	data, err := os.ReadFile(f.Name())
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0 // it is about to write it
	}
	return pid
}

// stopSupervisor stops the cluster's processes, if they run.
func (c *cluster) stopSupervisor(ctx context.Context) error {
	for _, signal := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		pid := c.supervisor()
		if pid == 0 {
			return nil
		}
		if err := unix.Kill(pid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("stop the supervisor: %w", err)
		}
		for deadline := time.Now().Add(supervisorStop); c.supervisor() == pid && time.Now().Before(deadline); {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	if pid := c.supervisor(); pid != 0 {
		return fmt.Errorf("the supervisor, process %d, cannot be killed", pid)
	}
	return nil
}

// lockMachine makes others who start or stop the cluster of this machine wait.
func lockMachine(ctx context.Context) (*os.File, error) {
	f, err := os.OpenFile(lockFile, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("another one starts or stops the cluster: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func say(format string, args ...any) { fmt.Printf("cluster: "+format+"\n", args...) }
