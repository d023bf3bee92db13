package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	runCommand = "run"
	giteaStart = time.Minute
	giteaStop  = 10 * time.Second
)

// run runs Gitea until ctx ends, and prints how it is reached as soon as it
// answers. If Gitea ends by itself, that is an error.
func (f *forge) run(ctx context.Context) error {
	owner, err := giteaUser()
	if err != nil {
		return err
	}
	lock, err := f.takeLock()
	if err != nil {
		return err
	}
	defer lock.Close()
	address, err := f.address()
	isNew := errors.Is(err, fs.ErrNotExist)
	if isNew {
		address, err = f.configure(owner)
	}
	if err != nil {
		return err
	}

	if err := listenable(address.Host); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	ended, err := f.start(ctx, owner)
	if err != nil {
		stop()
		return err
	}
	defer func() {
		stop()
		<-ended
	}()
	if err := f.await(ctx, address, ended); err != nil {
		return err
	}
	if isNew {
		if err := f.addAdmin(ctx, owner, address); err != nil {
			return err
		}
	}
	printAddress(address)
	<-ended
	if ctx.Err() == nil {
		return f.endedEarly()
	}
	return nil
}

// runAttached runs Gitea until ctx ends or there is no more to read; in that case
// the state is removed.
func (f *forge) runAttached(ctx context.Context, in io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer cancel()
		defer close(ended)
		_, _ = io.Copy(io.Discard, in)
	}()
	err := f.run(ctx)
	select {
	case <-ended:
		return errors.Join(err, os.RemoveAll(f.state))
	default:
		return err
	}
}

// listenable is the error of an address that another process listens at. A Gitea
// that cannot listen would neither answer nor end.
func listenable(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// start starts Gitea, which is told to end when ctx ends. The channel is closed
// when it is gone.
func (f *forge) start(ctx context.Context, owner account) (ended chan struct{}, err error) {
	log, err := os.OpenFile(f.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	web := f.gitea(ctx, owner, "web")
	web.Stdout, web.Stderr = log, log
	if err := web.Start(); err != nil {
		return nil, err
	}
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		_ = web.Wait() // how it ended is in its log
	}()
	return ended, nil
}

// gitea is a command of the Gitea binary. The kernel kills it when the thread
// that starts it ends, so that must be the main thread.
func (f *forge) gitea(ctx context.Context, owner account, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, f.path("bin", "gitea"), append(args, "--config", f.config())...)
	cmd.Dir = f.state
	// Nothing of who started it, such as a proxy or git's variables.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + f.state, "USER=" + owner.name}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: owner.credential}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = giteaStop
	return cmd
}

// addAdmin adds the administrator that the address names, and notes the address.
func (f *forge) addAdmin(ctx context.Context, owner account, address *url.URL) error {
	password, _ := address.User.Password()
	out, err := f.gitea(ctx, owner, "admin", "user", "create", "--admin", "--must-change-password=false",
		"--username", address.User.Username(), "--password", password, "--email", admin+"@forge.invalid").CombinedOutput()
	if err != nil {
		return fmt.Errorf("add the administrator: %w: %s", err, out)
	}
	return f.setAddress(address)
}

// await asks until Gitea answers or is gone.
func (f *forge) await(ctx context.Context, address *url.URL, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, giteaStart)
	defer cancel()
	for {
		err := answers(ctx, address)
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return f.endedEarly()
		case <-ctx.Done():
			return fmt.Errorf("Gitea does not answer: %w", err)
		case <-time.After(glance):
		}
	}
}

// answers tells whether Gitea and its database work.
func answers(ctx context.Context, address *url.URL) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address.Host+"/api/healthz", nil)
	if err != nil {
		return err
	}
	request.Close = true
	response, err := (&http.Client{Transport: &http.Transport{}}).Do(request) // through no proxy
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// endedEarly is the error of a Gitea that ended by itself, with its last words.
func (f *forge) endedEarly() error {
	return fmt.Errorf("Gitea ended; the end of %s:\n%s", f.log(), tail(f.log(), 10))
}
