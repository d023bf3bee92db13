package docker

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/system"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// allGPUs is the ID of a GPU of which only its runtime is known: whoever gets it
// gets all that there are.
const allGPUs = "all"

// configuredGPUs returns the GPUs that the configuration names.
func configuredGPUs(offers []schema.GPU) []backends.GPU {
	var gpus []backends.GPU
	seen := map[string]bool{}
	for _, o := range offers {
		ids := slices.Clone(o.IDs)
		for i := 0; len(o.IDs) == 0 && i < max(o.Count, 1); i++ {
			ids = append(ids, strconv.Itoa(i))
		}
		for _, id := range ids {
			if seen[id] { // two vendors count from 0
				id = string(o.Vendor) + ":" + id
			}
			seen[id] = true
			g := backends.GPU{
				ID: id, Vendor: o.Vendor, Version: string(o.Version), Capability: string(o.Capability),
				Architecture: o.Architecture, Cores: o.Cores, Frequency: o.Frequency,
			}
			if o.Memory != nil {
				g.Memory = *o.Memory
			}
			gpus = append(gpus, g)
		}
	}
	return gpus
}

// cdiDevice matches the name of one numbered GPU, as the Container Device
// Interface writes it.
var cdiDevice = regexp.MustCompile(`^(nvidia|amd|intel)\.com/gpu=\d+$`)

// engineGPUs returns the GPUs that the engine tells of: as CDI devices, as
// generic resources or, if it only has NVIDIA's runtime, as one GPU of which
// nothing is known.
func engineGPUs(info *system.Info) []backends.GPU {
	var gpus []backends.GPU
	for _, d := range info.DiscoveredDevices {
		if m := cdiDevice.FindStringSubmatch(d.ID); m != nil {
			gpus = append(gpus, backends.GPU{ID: d.ID, Vendor: schema.GPUVendor(m[1])})
		}
	}
	if len(gpus) > 0 {
		return gpus
	}
	for _, r := range info.GenericResources {
		if n := r.NamedResourceSpec; n != nil && strings.Contains(strings.ToUpper(n.Kind), "GPU") && !strings.Contains(n.Value, ",") {
			gpus = append(gpus, backends.GPU{ID: n.Value, Vendor: schema.NVIDIA})
		}
	}
	if _, ok := info.Runtimes["nvidia"]; ok && len(gpus) == 0 {
		gpus = append(gpus, backends.GPU{ID: allGPUs, Vendor: schema.NVIDIA})
	}
	return gpus
}

// chooseGPUs returns the first GPUs that fit the workload and that nothing holds.
// The caller holds b.gpus until a container carries them.
func (b *Backend) chooseGPUs(ctx context.Context, w backends.Workload) ([]backends.GPU, error) {
	if w.Pod.GPUs == 0 {
		return nil, nil
	}
	info, err := b.info(ctx)
	if err != nil {
		return nil, err
	}
	held, err := b.heldGPUs(ctx, w)
	if err != nil {
		return nil, err
	}
	var free []backends.GPU
	fitting := 0
	for _, g := range capacity(info, "", b.cfg).GPUs {
		if w.Pod.GPUVendor != "" && g.Vendor != w.Pod.GPUVendor {
			continue
		}
		fitting++
		if !held[g.ID] && (len(free) == 0 || free[0].Vendor == g.Vendor) {
			free = append(free, g)
		}
	}
	if len(free) >= w.Pod.GPUs {
		return free[:w.Pod.GPUs], nil
	}
	return nil, &schema.Error{
		Op: "give GPUs to", Resource: w.Deployment, Kind: schema.Waiting,
		Err:  fmt.Errorf("%d wanted, %d of %d free", w.Pod.GPUs, len(free), fitting),
		Hint: "it gets them as soon as another pod gives them back; with rollout.strategy recreate a deployment takes over its own",
	}
}

// heldGPUs returns the IDs of the GPUs that are taken, by whichever instance: a
// GPU is given to one pod at a time.
func (b *Backend) heldGPUs(ctx context.Context, w backends.Workload) (map[string]bool, error) {
	var rows []container.Summary
	err := b.call(ctx, callTimeout, "list", "containers with GPUs", func(ctx context.Context) (err error) {
		rows, err = b.api().ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", labelGPUs))})
		return err
	})
	if err != nil {
		return nil, err
	}
	held := map[string]bool{}
	for _, row := range rows {
		if row.Labels[labelInstance] == b.instance && b.givesBack(row, w) {
			continue
		}
		if isFailed(row) {
			continue
		}
		for _, id := range split(row.Labels[labelGPUs]) {
			held[id] = true
		}
	}
	return held, nil
}

// givesBack tells whether a container of the workload's own deployment gives
// back its GPUs before a new one uses them.
func (b *Backend) givesBack(row container.Summary, w backends.Workload) bool {
	if row.Labels[labelDeployment] != w.Deployment || row.Labels[labelSpecHash] == w.SpecHash() {
		return false
	}
	return w.Rollout.Strategy == schema.Recreate || row.State == container.StateExited
}

// giveGPUs gives the GPUs to a container.
func giveGPUs(host *container.HostConfig, gpus []backends.GPU) {
	var nvidia, cdi []string
	for _, g := range gpus {
		id := strings.TrimPrefix(g.ID, string(g.Vendor)+":")
		switch {
		case strings.HasPrefix(id, "/"):
			host.Devices = append(host.Devices, device(id))
		case strings.Contains(id, "="):
			cdi = append(cdi, id)
		case g.Vendor == schema.NVIDIA:
			nvidia = append(nvidia, id)
		default:
			host.Devices = append(host.Devices, device(renderNode(id)))
		}
		if kfd := device("/dev/kfd"); g.Vendor == schema.AMD && !strings.Contains(id, "=") && !slices.Contains(host.Devices, kfd) {
			host.Devices = append(host.Devices, kfd) // AMD's compute interface, shared by all its GPUs
		}
	}
	if slices.Contains(nvidia, allGPUs) {
		host.DeviceRequests = append(host.DeviceRequests, container.DeviceRequest{Driver: "nvidia", Count: -1, Capabilities: [][]string{{"gpu"}}})
	} else if len(nvidia) > 0 {
		host.DeviceRequests = append(host.DeviceRequests, container.DeviceRequest{Driver: "nvidia", DeviceIDs: nvidia, Capabilities: [][]string{{"gpu"}}})
	}
	if len(cdi) > 0 {
		host.DeviceRequests = append(host.DeviceRequests, container.DeviceRequest{Driver: "cdi", DeviceIDs: cdi})
	}
}

func device(path string) container.DeviceMapping {
	return container.DeviceMapping{PathOnHost: path, PathInContainer: path, CgroupPermissions: "rwm"}
}

// renderNode returns the device of a GPU by its index: Linux numbers render
// nodes from 128.
func renderNode(index string) string {
	const first = 128
	n, err := strconv.Atoi(index)
	if err != nil {
		return "/dev/dri/" + index
	}
	return fmt.Sprintf("/dev/dri/renderD%d", first+n)
}
