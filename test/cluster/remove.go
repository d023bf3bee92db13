package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// remove stops the cluster and removes all that it made. It is the same after a
// clean life, after a crash and after a reboot.
func (c *cluster) remove(ctx context.Context) error {
	if _, err := os.Stat(c.state); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := c.stopSupervisor(ctx); err != nil {
		return err
	}
	if err := c.removeLeftPods(ctx); err != nil {
		return err
	}
	c.disconnect(ctx)
	if err := c.unmount(); err != nil {
		return err
	}
	removeCgroups()
	c.removeTraces()
	return errors.Join(removeVolumes(volumesDir, c.path("volumes")), os.RemoveAll(c.state))
}

// removeLeftPods removes the pods that outlived their cluster, which takes a
// containerd: only that knows all that belongs to them.
func (c *cluster) removeLeftPods(ctx context.Context) error {
	tasks, err := filepath.Glob(c.path("containerd", "state", "io.containerd.runtime.v2.task", containerdSpace, "*"))
	if err != nil || len(tasks) == 0 {
		return err
	}
	say("removing %d containers that a cluster left", len(tasks))
	family := newFamily(c.path("logs"))
	daemon := c.containerd()
	if err := family.start(daemon); err != nil {
		return err
	}
	err = awaitAnswer(ctx, daemon, family)
	if err == nil {
		err = c.removePods(ctx)
	}
	family.signal(daemon.name, unix.SIGTERM)
	family.await(daemon.name, daemonStop)
	family.wait()
	return err
}

// unmount unmounts all below the cluster's folder, the deepest first.
func (c *cluster) unmount() error {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var mounts []string
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], c.state+"/") {
			mounts = append(mounts, fields[4])
		}
	}
	for _, mount := range slices.Backward(mounts) { // the table is in the order of mounting
		if err := unix.Unmount(mount, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", mount, err)
		}
	}
	return nil
}

// removeCgroups removes the kubelet's groups in each hierarchy. A group that a
// process is in stays, so this can do no harm.
func removeCgroups() {
	roots, _ := filepath.Glob("/sys/fs/cgroup/*/kubepods") // the first generation
	for _, root := range append(roots, "/sys/fs/cgroup/kubepods") {
		var groups []string
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				groups = append(groups, path)
			}
			return nil
		})
		for _, group := range slices.Backward(groups) {
			_ = os.Remove(group)
		}
	}
}

// removeTraces removes what the kubelet and the plugins leave in folders of the
// machine, and those folders if they are empty then.
func (c *cluster) removeTraces() {
	links, _ := filepath.Glob(filepath.Join(containerLogs, "*.log"))
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, c.state+"/") {
			_ = os.Remove(link)
		}
	}
	_ = unix.Unmount(namespacesDir, 0) // it is busy as long as it names a namespace
	for _, path := range []string{
		deviceSockets + "/kubelet.sock", deviceSockets, filepath.Dir(deviceSockets),
		pluginResults, filepath.Dir(pluginResults), containerLogs, namespacesDir,
		runtimeDir, filepath.Dir(runtimeDir),
	} {
		_ = os.Remove(path)
	}
}
