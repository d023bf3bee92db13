package docker

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// The labels that Berth writes. A container's labels are fixed once it is made:
// they are what the pod remembers.
const (
	labelPrefix     = "berth.dev/"
	labelInstance   = labelPrefix + "instance"
	labelDeployment = labelPrefix + "deployment"
	labelOrdinal    = labelPrefix + "ordinal"
	labelApp        = labelPrefix + "app"
	labelRelease    = labelPrefix + "release"
	labelFlavour    = labelPrefix + "flavour"
	labelUser       = labelPrefix + "user"
	labelSource     = labelPrefix + "source"
	labelCommit     = labelPrefix + "commit"
	labelSpecHash   = labelPrefix + "spec-hash"
	labelInputHash  = labelPrefix + "input-hash"
	labelMinReady   = labelPrefix + "min-ready"
	labelRestart    = labelPrefix + "restart"
	labelImage      = labelPrefix + "image"  // as written
	labelDigest     = labelPrefix + "digest" // what it resolved to
	labelCPU        = labelPrefix + "cpu"    // in thousandths
	labelMemory     = labelPrefix + "memory" // in bytes
	labelGPUs       = labelPrefix + "gpus"   // the IDs of the GPUs that it holds, joined by commas
	labelVolume     = labelPrefix + "volume" // on a volume: its name in the documents
	labelKeep       = labelPrefix + "keep"   // on a volume: whether it outlives its deployment
	labelNotKept    = labelPrefix + "volumes-not-kept"
)

// failedSuffix marks the name of a pod that was given up. A name can be changed
// in one call, which labels cannot. Of a pod that ran when it was given up, or was
// about to be started again, the engine tells only how Berth's stop ended it: its
// name goes on with a dot and the exit code of the last time that it ended by
// itself, or 0.
const failedSuffix = ".failed"

// podLabels returns what a pod remembers. Every label is written, also when its
// value is empty: a container inherits the labels of its image, which are not to
// be believed.
func podLabels(instance string, w backends.Workload, ordinal int, digest string, gpus []string) map[string]string {
	labels := map[string]string{
		labelInstance:   instance,
		labelDeployment: w.Deployment,
		labelOrdinal:    strconv.Itoa(ordinal),
		labelApp:        w.App,
		labelRelease:    w.Release,
		labelFlavour:    w.Flavour,
		labelUser:       w.User,
		labelSource:     w.Source,
		labelCommit:     w.Commit,
		labelSpecHash:   w.SpecHash(),
		labelInputHash:  w.InputHash(),
		labelRestart:    string(w.Pod.Restart),
		labelImage:      w.Pod.Image,
		labelDigest:     digest,
		labelGPUs:       strings.Join(gpus, ","),
		labelNotKept:    strings.Join(notKept(w.Pod.Volumes), ","),
		labelMinReady:   "",
		labelCPU:        "",
		labelMemory:     "",
	}
	if w.Rollout.MinReady > 0 {
		labels[labelMinReady] = w.Rollout.MinReady.String()
	}
	if w.Pod.CPU > 0 {
		labels[labelCPU] = strconv.FormatInt(int64(w.Pod.CPU), 10)
	}
	if w.Pod.Memory > 0 {
		labels[labelMemory] = strconv.FormatInt(int64(w.Pod.Memory), 10)
	}
	return labels
}

// notKept returns the names of the volumes that go with their deployment.
func notKept(volumes []schema.Volume) []string {
	var names []string
	for _, v := range volumes {
		if v.Name != "" && v.Keep != nil && !*v.Keep {
			names = append(names, v.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// remembered returns the pod that the labels tell of. What cannot be read is
// left at its zero value: the labels may be anybody's.
func remembered(labels map[string]string) backends.Pod {
	p := backends.Pod{
		Deployment: labels[labelDeployment],
		App:        labels[labelApp],
		Release:    labels[labelRelease],
		Flavour:    labels[labelFlavour],
		Source:     labels[labelSource],
		Commit:     labels[labelCommit],
		SpecHash:   labels[labelSpecHash],
		InputHash:  labels[labelInputHash],
		Restart:    schema.RestartPolicy(labels[labelRestart]),
		Image:      labels[labelImage],
		Digest:     labels[labelDigest],
		GPUs:       split(labels[labelGPUs]),
	}
	if n, err := strconv.Atoi(labels[labelOrdinal]); err == nil {
		p.Ordinal = n
	}
	if d, err := time.ParseDuration(labels[labelMinReady]); err == nil {
		p.MinReady = d
	}
	if n, err := strconv.ParseInt(labels[labelCPU], 10, 64); err == nil {
		p.CPU = schema.CPU(n)
	}
	if n, err := strconv.ParseInt(labels[labelMemory], 10, 64); err == nil {
		p.Memory = schema.Bytes(n)
	}
	return p
}

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// podName returns the name of the container for a replica. The same instance,
// deployment, replica and specification always have the same name, so that a
// name that is taken tells that the pod is made already. The names within it are
// clipped; the hash over all of it keeps it unique.
func podName(instance, deployment string, ordinal int, specHash string) string {
	const most = 40
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%s", instance, deployment, ordinal, specHash))
	return fmt.Sprintf("%s-%s-%d-%s", networkName(clipName(instance, most)), clipName(deployment, most), ordinal, hex.EncodeToString(sum[:4]))
}

// networkName returns the name of the instance's network.
func networkName(instance string) string { return "berth-" + instance }

// volumeName returns the engine's name of a deployment's volume. Names of
// instances and deployments hold no dot, so no two volumes share a name.
func volumeName(instance, deployment, name string) string {
	return fmt.Sprintf("berth-%s.%s.%s", instance, deployment, name)
}

func clipName(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:most]
}

// byOrdinal orders pods for people and tests: by deployment, ordinal and age.
func byOrdinal(a, b backends.Pod) int {
	return cmp.Or(
		cmp.Compare(a.Deployment, b.Deployment),
		cmp.Compare(a.Ordinal, b.Ordinal),
		a.CreatedAt.Compare(b.CreatedAt),
		cmp.Compare(a.ID, b.ID),
	)
}
