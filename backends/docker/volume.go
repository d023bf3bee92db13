package docker

import (
	"context"
	"fmt"
	"strconv"

	"github.com/docker/docker/api/types/volume"

	"github.com/berthdev/berth/schema"
)

// ensureVolumes makes the named volumes of a deployment that are missing. A
// volume belongs to one deployment of the instance, all its pods share it, and a
// deployment that is declared again finds it again.
func (b *Backend) ensureVolumes(ctx context.Context, deployment string, wanted []schema.Volume) error {
	for _, v := range wanted {
		if v.Name == "" {
			continue
		}
		keep := v.Keep == nil || *v.Keep
		name := volumeName(b.instance, deployment, v.Name)
		var got volume.Volume
		err := b.call(ctx, callTimeout, "make", "volume "+name, func(ctx context.Context) (err error) {
			got, err = b.api().VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: map[string]string{
				labelInstance: b.instance, labelDeployment: deployment, labelVolume: v.Name, labelKeep: strconv.FormatBool(keep),
			}})
			return err
		})
		if err != nil {
			return err
		}
		if got.Labels[labelInstance] != b.instance || got.Labels[labelDeployment] != deployment {
			return &schema.Error{
				Op: "use", Resource: "volume " + name, Kind: schema.Waiting, Err: fmt.Errorf("Berth did not make it"),
				Hint: "remove or rename the volume",
			}
		}
	}
	return nil
}
