package planner

import (
	"testing"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

func TestMatch(t *testing.T) {
	known := backends.GPU{Vendor: schema.NVIDIA, Version: "12.4", Capability: "8.6", Architecture: "ampere", Cores: 10496, Frequency: 1700, Memory: 24e9}
	silent := backends.GPU{Vendor: schema.NVIDIA}
	gpus := func(of ...backends.GPU) backends.Capacity { return backends.Capacity{GPUs: of} }
	cuda := func(s schema.Selector) schema.Selector { s.Kind = schema.SelectCUDA; return s }
	gpuResource := func(value string) schema.Selector {
		return schema.Selector{Kind: schema.SelectResource, Name: "gpu", Value: value}
	}
	machine := backends.Capacity{
		CPU: 4000, Memory: 16e9, Arch: "amd64", OS: "linux", Labels: map[string]string{"disk": "ssd", "zone": ""},
		Services: []string{"minio"}, Resources: map[string]string{"licence": "fiji", "scratch": "100GB"},
	}
	for _, c := range []struct {
		name     string
		selector schema.Selector
		capacity backends.Capacity
		want     Match
	}{
		{"no GPU", cuda(schema.Selector{}), gpus(), NotMatched},
		{"a GPU", cuda(schema.Selector{}), gpus(silent), Matched},
		{"a GPU of another vendor", schema.Selector{Kind: schema.SelectROCm}, gpus(known), NotMatched},
		{"a GPU of any vendor", schema.Selector{Kind: schema.SelectGPU}, gpus(known), Matched},
		{"an Intel GPU", schema.Selector{Kind: schema.SelectOneAPI}, gpus(backends.GPU{Vendor: schema.Intel}), Matched},
		{"a version, older than there is", cuda(schema.Selector{Version: "11.2"}), gpus(known), Matched},
		{"numbers are compared, not text", cuda(schema.Selector{Version: "9.10"}), gpus(known), Matched},
		{"an equal version", cuda(schema.Selector{Version: "12.4.0"}), gpus(known), Matched},
		{"a newer version", cuda(schema.Selector{Version: "12.10"}), gpus(known), NotMatched},
		{"a version that nobody told", cuda(schema.Selector{Version: "11.2"}), gpus(silent), Unverified},
		{"a version that is none", cuda(schema.Selector{Version: "new"}), gpus(known), NotMatched},
		{"capability", cuda(schema.Selector{Capability: "9.0"}), gpus(known), NotMatched},
		{"architecture", cuda(schema.Selector{Architecture: "Ampere"}), gpus(known), Matched},
		{"cores", cuda(schema.Selector{Cores: 20000}), gpus(known), NotMatched},
		{"frequency", cuda(schema.Selector{Frequency: 1000}), gpus(known), Matched},
		{"memory", cuda(schema.Selector{Memory: 32e9}), gpus(known), NotMatched},
		{"memory that nobody told", cuda(schema.Selector{Memory: 32e9}), gpus(silent), Unverified},
		{"one suitable GPU is enough", cuda(schema.Selector{Memory: 20e9}), gpus(backends.GPU{Vendor: schema.NVIDIA, Memory: 8e9}, known), Matched},
		{"several GPUs", schema.Selector{Kind: schema.SelectGPU, Count: 2}, gpus(known), NotMatched},
		{"several GPUs, one unverified", schema.Selector{Kind: schema.SelectGPU, Count: 2, Memory: 8e9}, gpus(known, silent), Unverified},
		{"the documented resource gpu", gpuResource("cuda-11"), gpus(known), Matched},
		{"the documented resource gpu, too new", gpuResource("cuda-13"), gpus(known), NotMatched},
		{"the documented resource gpu of another vendor", gpuResource("rocm-5"), gpus(known), NotMatched},
		{"the documented resource gpu of any kind", gpuResource(""), gpus(known), Matched},

		{"CPUs", schema.Selector{Kind: schema.SelectCPU, Count: 4}, machine, Matched},
		{"more CPUs", schema.Selector{Kind: schema.SelectCPU, Count: 5}, machine, NotMatched},
		{"CPUs that nobody told", schema.Selector{Kind: schema.SelectCPU, Count: 5}, backends.Capacity{}, Unverified},
		{"CPU frequency is not told", schema.Selector{Kind: schema.SelectCPU, Count: 1, Frequency: 3000}, machine, Unverified},
		{"CPU memory", schema.Selector{Kind: schema.SelectCPU, Memory: 32e9}, machine, NotMatched},
		{"CPU architecture", schema.Selector{Kind: schema.SelectCPU, Architecture: "x86_64"}, machine, Matched},
		{"RAM", schema.Selector{Kind: schema.SelectRAM, Memory: 16e9}, machine, Matched},
		{"more RAM", schema.Selector{Kind: schema.SelectRAM, Memory: 17e9}, machine, NotMatched},
		{"a label", schema.Selector{Kind: schema.SelectLabel, Key: "disk", Value: "ssd"}, machine, Matched},
		{"a label of any value", schema.Selector{Kind: schema.SelectLabel, Key: "zone"}, machine, Matched},
		{"another value", schema.Selector{Kind: schema.SelectLabel, Key: "disk", Value: "hdd"}, machine, NotMatched},
		{"a label that is not there", schema.Selector{Kind: schema.SelectLabel, Key: "rack"}, machine, NotMatched},
		{"the architecture as a label", schema.Selector{Kind: schema.SelectLabel, Key: "arch", Value: "aarch64"}, machine, NotMatched},
		{"an architecture that nobody told", schema.Selector{Kind: schema.SelectLabel, Key: "kubernetes.io/arch", Value: "arm64"}, backends.Capacity{}, Unverified},
		{"the system as a label", schema.Selector{Kind: schema.SelectLabel, Key: "kubernetes.io/os", Value: "linux"}, machine, Matched},
		{"a service", schema.Selector{Kind: schema.SelectService, Name: "minio"}, machine, Matched},
		{"another service", schema.Selector{Kind: schema.SelectService, Name: "rekuest"}, machine, NotMatched},
		{"services that nobody told", schema.Selector{Kind: schema.SelectService, Name: "minio"}, backends.Capacity{}, Unverified},
		{"a resource", schema.Selector{Kind: schema.SelectResource, Name: "licence", Value: "fiji"}, machine, Matched},
		{"a resource of another value", schema.Selector{Kind: schema.SelectResource, Name: "licence", Value: "napari"}, machine, NotMatched},
		{"an amount of a resource", schema.Selector{Kind: schema.SelectResource, Name: "scratch", Value: "50GB"}, machine, Matched},
		{"too much of a resource", schema.Selector{Kind: schema.SelectResource, Name: "scratch", Value: "200GB"}, machine, NotMatched},
		{"a resource that is not there", schema.Selector{Kind: schema.SelectResource, Name: "fpga"}, machine, NotMatched},
		{"resources that nobody told", schema.Selector{Kind: schema.SelectResource, Name: "fpga"}, backends.Capacity{}, Unverified},
		{"a kind that does not exist", schema.Selector{Kind: "quantum"}, machine, NotMatched},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := match(c.selector, &c.capacity); got != c.want {
				t.Errorf("%s: %s, want %s", Describe(c.selector), got, c.want)
			}
		})
	}
}
