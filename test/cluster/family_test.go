package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// lockedFamily is a family whose children live as long as the test.
func lockedFamily(t *testing.T) *family {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	return newFamily(t.TempDir())
}

func TestFamilyTellsOfTheOneThatEnds(t *testing.T) {
	f := lockedFamily(t)
	if err := f.start(daemon{name: "fails", command: "sh", args: []string{"-c", "echo no such disk; exit 3"}}); err != nil {
		t.Fatal(err)
	}
	err := (<-f.ended).endedEarly().Error()
	if !strings.Contains(err, "fails ended: exit status 3") || !strings.Contains(err, "no such disk") {
		t.Errorf("error %q", err)
	}
	f.wait()
}

func TestFamilyStopsItsMembers(t *testing.T) {
	f := lockedFamily(t)
	trap := filepath.Join(t.TempDir(), "trapped")
	for _, d := range []daemon{
		{name: "obeys", command: "sleep", args: []string{"600"}},
		{name: "ignores", command: "sh", args: []string{"-c", "trap '' TERM; touch " + trap + "; while :; do sleep 600; done"}},
	} {
		if err := f.start(d); err != nil {
			t.Fatal(err)
		}
	}
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(trap); err == nil {
			break
		} else if time.Since(start) > 10*time.Second {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"obeys", "ignores"} {
		f.signal(name, unix.SIGTERM)
		f.await(name, 50*time.Millisecond)
		if f.get(name) != nil {
			t.Errorf("%s lives", name)
		}
	}
	select {
	case p := <-f.ended:
		t.Errorf("%s was told to end, and is taken for failed", p.name)
	default:
	}
}

func TestFamilyNamesWhatIsMissing(t *testing.T) {
	if err := newFamily(t.TempDir()).start(daemon{name: "etcd", command: "/nowhere/etcd"}); err == nil || !strings.Contains(err.Error(), "/nowhere/etcd") {
		t.Errorf("error %v", err)
	}
}
