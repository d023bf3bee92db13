package kubernetes

import (
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/berthdev/berth/schema"
)

// Docker's defaults of a health check.
const (
	defaultInterval = 30 * time.Second
	defaultTimeout  = 30 * time.Second
	defaultRetries  = 3
)

// probes derives probes from a health check. What Docker tells of a container,
// Kubernetes acts on:
//
//   - starting: the startup probe asks every second, so that the pod serves as soon
//     as it can. Where Docker says unhealthy (after the start period and so many
//     failures in a row), it has the container started again.
//   - healthy, unhealthy: the readiness probe says so, and an unhealthy pod is sent
//     no requests. As on Docker, it is not killed: what hangs because of another
//     would take that with it. So there is no liveness probe.
//
// A health check of the image is not known here: Kubernetes ignores it.
func probes(h *schema.Healthcheck) (startup, readiness *corev1.Probe) {
	if h == nil || h.Disable || len(h.Command) == 0 {
		return nil, nil
	}
	interval := wholeSeconds(h.Interval, defaultInterval)
	timeout := wholeSeconds(h.Timeout, defaultTimeout)
	retries := int32(defaultRetries)
	if h.Retries != nil && *h.Retries > 0 {
		retries = int32(*h.Retries)
	}
	check := corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: h.Command}}
	patience := min(int64(wholeSeconds(h.StartPeriod, 0))+int64(retries)*int64(interval), math.MaxInt32)
	return &corev1.Probe{ProbeHandler: check, PeriodSeconds: 1, TimeoutSeconds: timeout, FailureThreshold: int32(patience)},
		&corev1.Probe{ProbeHandler: check, PeriodSeconds: interval, TimeoutSeconds: timeout, FailureThreshold: retries}
}

// wholeSeconds rounds up to whole seconds, of which a probe knows no part.
func wholeSeconds(d *schema.Duration, otherwise time.Duration) int32 {
	if d == nil || *d <= 0 {
		return seconds(otherwise)
	}
	return seconds(time.Duration(*d))
}
