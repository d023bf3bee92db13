package kubernetes

import (
	"path"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// defaultStorage is how much a named volume asks for.
const defaultStorage = schema.Bytes(10 << 30)

// access says who may mount a named volume at once.
func (s settings) access() corev1.PersistentVolumeAccessMode {
	if s.cfg.StorageAccess == schema.ReadWriteMany {
		return corev1.ReadWriteMany
	}
	return corev1.ReadWriteOnce
}

// claims returns the PersistentVolumeClaims of the named volumes. A volume
// belongs to one deployment, all its pods share it, and a deployment that is
// declared again finds it again: so nothing owns it.
func (s settings) claims(w backends.Workload) []*corev1.PersistentVolumeClaim {
	var out []*corev1.PersistentVolumeClaim
	seen := map[string]bool{}
	for _, v := range w.Pod.Volumes {
		if v.Name == "" || seen[v.Name] {
			continue
		}
		seen[v.Name] = true
		labels := objectLabels(s.instance, w)
		delete(labels, labelVersion) // it is the same for all releases
		size := defaultStorage
		if s.cfg.StorageSize != nil {
			size = *s.cfg.StorageSize
		}
		claim := &corev1.PersistentVolumeClaim{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
			ObjectMeta: metav1.ObjectMeta{
				Namespace: s.namespaceOf(w.User), Name: claimName(w.Deployment, v.Name), Labels: labels,
				Annotations: map[string]string{annotationVolume: v.Name, annotationKeep: strconv.FormatBool(kept(v))},
			},
			Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{s.access()},
				Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: amount(size)}},
			},
		}
		if class := s.cfg.StorageClass; class != "" {
			claim.Spec.StorageClassName = &class
		}
		out = append(out, claim)
	}
	return out
}

// adoptClaim returns a wanted claim with what a live one cannot change, or must
// not because the configuration has: what was claimed.
func adoptClaim(wanted, live *corev1.PersistentVolumeClaim) *corev1.PersistentVolumeClaim {
	c := wanted.DeepCopy()
	c.Spec.AccessModes = slices.Clone(live.Spec.AccessModes)
	c.Spec.StorageClassName = live.Spec.StorageClassName
	c.Spec.Resources = *live.Spec.Resources.DeepCopy()
	return c
}

// claimName returns the name of a deployment's volume. Names of deployments hold
// no dot, so no two volumes share a name.
func claimName(deployment, volume string) string { return deployment + "." + dnsName(volume, maxName) }

// mountsOf returns a pod's volumes and where they are mounted.
func mountsOf(w backends.Workload) (volumes []corev1.Volume, mounts []corev1.VolumeMount) {
	seen := map[string]bool{}
	for _, v := range w.Pod.Volumes {
		volume := podVolume(w.Deployment, v)
		if !seen[volume.Name] {
			seen[volume.Name] = true
			volumes = append(volumes, volume)
		}
		mounts = append(mounts, corev1.VolumeMount{Name: volume.Name, MountPath: v.Path, ReadOnly: v.ReadOnly})
	}
	return volumes, mounts
}

func podVolume(deployment string, v schema.Volume) corev1.Volume {
	switch {
	case v.Tmpfs:
		memory := &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}
		if v.Size != nil {
			size := amount(*v.Size)
			memory.SizeLimit = &size
		}
		return corev1.Volume{Name: pathName("tmpfs", v.Path), VolumeSource: corev1.VolumeSource{EmptyDir: memory}}
	case v.Host != "":
		folder := corev1.HostPathDirectory
		host := path.Clean(v.Host)
		return corev1.Volume{Name: pathName("host", host), VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: host, Type: &folder}}}
	default:
		claim := &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claimName(deployment, v.Name)}
		return corev1.Volume{Name: "claim-" + dnsName(v.Name, maxName-len("claim-")), VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: claim}}
	}
}

// pathName names a volume by its kind and a path: /run/app is tmpfs-run-app.
func pathName(kind, folder string) string {
	folder = path.Clean(folder)
	name := strings.ReplaceAll(strings.Trim(folder, "/"), "/", "-")
	if strings.Contains(strings.Trim(folder, "/"), "-") || name == "" { // /a-b and /a/b differ
		name = folder
	}
	return dnsName(kind+"-"+name, maxName)
}
