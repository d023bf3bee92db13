package kubernetes

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// Logs implements [backends.Backend]. Kubernetes keeps the log of a pod's container
// and of the one that it was before it was started again: both are told. It does
// not tell standard error from standard output. Of a pod that is gone because its
// rollout was given up, the last lines are told that were read before.
func (b *Backend) Logs(ctx context.Context, pod string, o backends.LogOptions, each func(backends.LogLine) error) error {
	s, err := b.session(ctx)
	if err != nil {
		return err
	}
	found := s.pod(pod)
	if kept := b.keptLog(s, pod); found == nil && kept != nil {
		return kept.tell(o, each)
	}
	if found == nil {
		return &schema.Error{
			Op: "read log", Resource: "pod " + strconv.Quote(clip(pod, maxName)), Kind: schema.Invalid, Err: errors.New("there is no such pod"),
			Hint: "list the pods: they get another name with each release, and what one wrote that was given up is known until Berth is started again",
		}
	}
	l := &logReader{b: b, s: s, pod: found, each: each, since: o.Since}
	if err := l.past(ctx, o.Tail); err != nil || !o.Follow || l.over() {
		return err
	}
	return l.follow(ctx)
}

// pod returns the instance's pod of a name; nil: there is none.
func (s *session) pod(name string) *corev1.Pod {
	var found []*corev1.Pod
	for _, o := range s.caches[podKind].GetStore().List() {
		if pod, ok := o.(*corev1.Pod); ok && pod.Name == name && s.ours(pod) {
			found = append(found, pod)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return slices.MinFunc(found, func(x, y *corev1.Pod) int { return cmp.Compare(x.Namespace, y.Namespace) })
}

// A logReader reads one pod's log, over all its containers one after the other.
type logReader struct {
	b     *Backend
	s     *session
	pod   *corev1.Pod // as it was found
	each  func(backends.LogLine) error
	since time.Time // nothing before this is told; advances with what is told
	after bool      // nor is anything of this very time: it was told
}

// past tells the last lines of what was written up to now; all if tail is negative.
func (l *logReader) past(ctx context.Context, tail int) error {
	if tail < 0 {
		if err := l.read(ctx, corev1.PodLogOptions{Previous: true}, l.tell); err != nil {
			return err
		}
		return l.read(ctx, corev1.PodLogOptions{}, l.tell)
	}
	// One line more, from whose time on it is followed, also if none is to be told.
	lines, err := l.last(ctx, corev1.PodLogOptions{}, max(tail, 1))
	if err != nil {
		return err
	}
	if len(lines) < tail {
		before, err := l.last(ctx, corev1.PodLogOptions{Previous: true}, tail-len(lines))
		if err != nil {
			return err
		}
		if len(lines) > 0 { // what waits to be started again is its own former one
			before = slices.DeleteFunc(before, func(o backends.LogLine) bool { return !o.Time.Before(lines[0].Time) })
		}
		lines = slices.Concat(before, lines)
	}
	for i, line := range lines {
		if i >= len(lines)-tail {
			err = l.tell(line)
		} else {
			l.told(line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// last returns the last lines of a container's log, no more than so many.
func (l *logReader) last(ctx context.Context, o corev1.PodLogOptions, most int) ([]backends.LogLine, error) {
	var lines []backends.LogLine
	n := int64(most)
	o.TailLines = &n
	err := l.read(ctx, o, func(line backends.LogLine) error {
		lines = append(lines, line)
		if len(lines) > most { // a long line is told as several
			lines = lines[1:]
		}
		return nil
	})
	return lines, err
}

func (l *logReader) told(line backends.LogLine) {
	if !line.Time.Before(l.since) {
		l.since, l.after = line.Time, true
	}
}

func (l *logReader) tell(line backends.LogLine) error {
	l.told(line)
	return l.each(line)
}

// now returns the pod as it is, and whether it is still there.
func (l *logReader) now() (*corev1.Pod, bool) {
	found, _, err := l.s.caches[podKind].GetIndexer().GetByKey(l.pod.Namespace + "/" + l.pod.Name)
	pod, ok := found.(*corev1.Pod)
	return pod, err == nil && ok && pod.UID == l.pod.UID
}

// over tells whether nothing more is to be expected of the pod: it is gone, it
// ended and goes, or its rollout was given up.
func (l *logReader) over() bool {
	pod, there := l.now()
	if !there || pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
		return true
	}
	if c := appStatus(pod); pod.DeletionTimestamp != nil && (c == nil || c.State.Running == nil) {
		return true
	}
	for _, v := range l.s.views(pod.Labels[labelDeployment]) {
		for _, p := range l.b.observed(v.observation) {
			if p.ID == string(pod.UID) {
				return p.State == backends.PodFailed
			}
		}
	}
	return false
}

// follow goes on with what is written from now on. A stream ends with its
// container; then the next one is waited for.
func (l *logReader) follow(ctx context.Context) error {
	for {
		starts := l.starts()
		running := l.running()
		if err := l.read(ctx, corev1.PodLogOptions{Follow: running}, l.tell); err != nil {
			return err
		}
		if l.over() {
			return nil
		}
		// The stream may have ended before the caches know that the container did.
		changed := func() bool { return l.over() || l.starts() != starts || running != l.running() }
		if err := l.s.until(ctx, lookAgain, changed); err != nil && (ctx.Err() != nil || l.s.ctx.Err() != nil) {
			return err
		}
		if missed := l.starts() - starts; missed > 1 {
			if err := l.read(ctx, corev1.PodLogOptions{Previous: true}, l.tell); err != nil {
				return err
			}
		}
	}
}

// lookAgain is when a stream is begun anew that ended for another reason than its
// container's end.
const lookAgain = 5 * time.Second

func (l *logReader) starts() int {
	pod, there := l.now()
	if !there || appStatus(pod) == nil {
		return 0
	}
	return int(appStatus(pod).RestartCount)
}

func (l *logReader) running() bool {
	pod, there := l.now()
	return there && appStatus(pod) != nil && appStatus(pod).State.Running != nil
}

// read reads one stream of the API to its end. That there is nothing to read, or
// nobody to ask, is no error.
func (l *logReader) read(ctx context.Context, o corev1.PodLogOptions, each func(backends.LogLine) error) error {
	o.Container, o.Timestamps = containerName, true
	if !l.since.IsZero() {
		since := metav1.NewTime(l.since.Truncate(time.Second)) // the API knows no parts of seconds
		o.SinceTime = &since
	}
	stream, err := l.b.api.core.Get().Namespace(l.pod.Namespace).Resource("pods").Name(l.pod.Name).SubResource("log").
		VersionedParams(&o, l.b.api.params).Stream(ctx)
	switch {
	case apierrors.IsNotFound(err), apierrors.IsBadRequest(err):
		return nil // it was removed, or there is no such container yet, or none any more
	case err != nil:
		return l.fail(ctx, err)
	}
	defer stream.Close()
	refused, err := l.lines(stream, each)
	if refused || err == nil {
		return err
	}
	if o.Follow && ctx.Err() == nil {
		return nil // it broke off; the next one brings the rest
	}
	return l.fail(ctx, err)
}

func (l *logReader) fail(ctx context.Context, err error) error {
	return classify("read log", "pod "+l.pod.Name, cmp.Or(ctx.Err(), err))
}

// lines reads lines that begin with their time. refused tells that the error is
// that of each.
func (l *logReader) lines(stream io.Reader, each func(backends.LogLine) error) (refused bool, err error) {
	var failed error
	since, after := l.since, l.after
	cutter := &backends.LineCutter{Each: func(line backends.LogLine) error {
		if line.Time.Before(since) || after && line.Time.Equal(since) {
			return nil
		}
		failed = each(line)
		return failed
	}}
	var at time.Time
	input := bufio.NewReaderSize(stream, 32<<10)
	for begins := true; ; {
		piece, err := input.ReadSlice('\n')
		if begins && len(piece) > 0 {
			at, piece = stamped(piece)
		}
		if told := cutter.Write(at, piece); told != nil {
			return failed != nil, told
		}
		begins = err == nil
		switch {
		case err == nil, errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			told := cutter.End()
			return failed != nil, told
		default:
			return false, err
		}
	}
}

// stamped takes the time from the beginning of a line. A line without one, with
// which the kubelet says that it cannot read on, has the zero time.
func stamped(line []byte) (time.Time, []byte) {
	stamp, rest, ok := bytes.Cut(line, []byte{' '})
	at, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(stamp)))
	if !ok || err != nil {
		return time.Time{}, line
	}
	return at, rest
}
