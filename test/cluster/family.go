package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// family is a process's children: those it started, and the orphans that it got
// because it is their subreaper. One goroutine waits for them all.
type family struct {
	logs  string
	ended chan *process // what ended by itself; only the first is kept

	mu      sync.Mutex
	members map[string]*process
	reaping bool
	reaper  sync.WaitGroup
}

// process is a daemon that was started.
type process struct {
	name    string
	pid     int
	log     string
	stopped bool // it was told to end
	gone    chan struct{}
	status  syscall.WaitStatus // once it is gone
}

func newFamily(logs string) *family {
	return &family{logs: logs, ended: make(chan *process, 1), members: map[string]*process{}}
}

// start starts the daemon with a log file of its own. The kernel kills it when
// the thread that calls this ends, so that must be the main thread.
func (f *family) start(d daemon) error {
	command, err := exec.LookPath(d.command)
	if err != nil {
		return err
	}
	p := &process{name: d.name, log: filepath.Join(f.logs, d.name+".log"), gone: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()

	f.mu.Lock() // the reaper must not meet a child that it cannot know yet
	defer f.mu.Unlock()
	child, err := os.StartProcess(command, append([]string{command}, d.args...), &os.ProcAttr{
		Dir: "/", Files: []*os.File{nil, log, log},
		// Nothing of who started it, such as a proxy, which the node is not behind.
		Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")},
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", d.name, err)
	}
	p.pid = child.Pid
	f.members[d.name] = p
	if !f.reaping {
		f.reaping = true
		f.reaper.Go(f.reap)
	}
	return child.Release()
}

// reap waits for children as long as there are any.
func (f *family) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		f.mu.Lock()
		if err != nil { // no child is left
			f.reaping = false
			f.mu.Unlock()
			return
		}
		for _, p := range f.members {
			if p.pid == pid {
				f.bury(p, status)
			}
		}
		f.mu.Unlock()
	}
}

// bury notes that p is gone; f.mu is held.
func (f *family) bury(p *process, status syscall.WaitStatus) {
	p.status = status
	close(p.gone)
	delete(f.members, p.name)
	if p.stopped {
		return
	}
	select {
	case f.ended <- p:
	default:
	}
}

// wait returns when no child is left. As long as there are any, this process may
// wait for no others: the reaper would take them.
func (f *family) wait() { f.reaper.Wait() }

func (f *family) get(name string) *process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.members[name]
}

// signal tells the daemon to end, if it runs.
func (f *family) signal(name string, signal syscall.Signal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.members[name]; p != nil {
		p.stopped = true
		_ = syscall.Kill(p.pid, signal) // it was not reaped yet, so it is there
	}
}

// await waits until the daemon is gone, and kills it after the patience is over.
func (f *family) await(name string, patience time.Duration) {
	p := f.get(name)
	if p == nil {
		return
	}
	select {
	case <-p.gone:
	case <-time.After(patience):
		f.signal(name, syscall.SIGKILL)
		<-p.gone
	}
}

// endedEarly is the error of a daemon that ended by itself, with its last words.
func (p *process) endedEarly() error {
	how := fmt.Sprintf("exit status %d", p.status.ExitStatus())
	if p.status.Signaled() {
		how = p.status.Signal().String()
	}
	return fmt.Errorf("%s ended: %s; the end of %s:\n%s", p.name, how, p.log, tail(p.log, 10))
}

// tail returns the last lines of a file.
func tail(file string, lines int) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
