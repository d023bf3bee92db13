package kubernetes

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berthdev/berth/backends"
)

// Bounds on what is kept of the logs of pods that a rollout gave up: Kubernetes
// drops a log with its pod, and the pod goes when the rollout goes back.
const (
	keptLines = 100
	keptBytes = 16 << 10         // of one log
	keptLogs  = 100              // of that many deployments
	keepLimit = 10 * time.Second // to read one: it must not hold up what serves
)

// A keptLog is the end of the log of a pod that failed and is gone. It is held in
// memory alone: what an app writes may hold secrets, and no object of the cluster
// is a place for them.
type keptLog struct {
	deployment string
	pod        string // its name
	uid        types.UID
	lines      []backends.LogLine
	size       int // of their texts
}

// keepLog reads the end of the log of a pod, named by podRef, before the pod goes.
// That it cannot be read stops nothing: the pod goes all the same.
func (a *writer) keepLog(ctx context.Context, o observation, failed string) {
	at := slices.IndexFunc(o.Pods, func(p *corev1.Pod) bool { return podRef(p.Name, string(p.UID)) == failed })
	if at < 0 {
		return // none was made
	}
	pod := o.Pods[at]
	ctx, cancel := context.WithTimeout(ctx, keepLimit)
	defer cancel()
	k := keptLog{deployment: a.deployment, pod: pod.Name, uid: pod.UID}
	l := &logReader{b: a.Backend, s: a.s, pod: pod, each: k.add}
	if err := l.past(ctx, keptLines); err != nil {
		a.log.Debug("the log of a pod that failed could not be read", "deployment", a.deployment, "pod", pod.Name, "error", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept = slices.DeleteFunc(a.kept, func(old keptLog) bool { return old.deployment == a.deployment })
	if a.kept = append(a.kept, k); len(a.kept) > keptLogs {
		a.kept = slices.Delete(a.kept, 0, 1)
	}
}

// add takes a line in, and drops the first ones where they are too much.
func (k *keptLog) add(line backends.LogLine) error {
	line.Text = strings.ToValidUTF8(line.Text[:min(len(line.Text), keptBytes)], "")
	k.lines, k.size = append(k.lines, line), k.size+len(line.Text)
	for k.size > keptBytes || len(k.lines) > keptLines {
		k.size -= len(k.lines[0].Text)
		k.lines = k.lines[1:]
	}
	return nil
}

// keptLog returns what is kept of the log of a pod, as long as its failure is
// remembered; nil: nothing is.
func (b *Backend) keptLog(s *session, pod string) *keptLog {
	b.mu.Lock()
	at := slices.IndexFunc(b.kept, func(k keptLog) bool { return k.pod == pod })
	var k keptLog
	if at >= 0 {
		k = b.kept[at]
	}
	b.mu.Unlock()
	if at < 0 {
		return nil
	}
	for _, v := range s.views(k.deployment) {
		if f := v.failure(); f != nil && f.pod == podRef(k.pod, string(k.uid)) {
			return &k
		}
	}
	return nil
}

// tell calls each for the lines that are asked for.
func (k *keptLog) tell(o backends.LogOptions, each func(backends.LogLine) error) error {
	lines := slices.Clone(k.lines)
	lines = slices.DeleteFunc(lines, func(l backends.LogLine) bool { return l.Time.Before(o.Since) })
	if o.Tail >= 0 {
		lines = lines[max(0, len(lines)-o.Tail):]
	}
	for _, l := range lines {
		if err := each(l); err != nil {
			return err
		}
	}
	return nil
}
