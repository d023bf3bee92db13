package schema

// Container is how a pod's container is set up. A flavour gives it, and a
// deployment may override it: its env is merged by key, every other field that
// it sets replaces the flavour's.
type Container struct {
	Command         []string          `json:"command,omitempty" doc:"Replaces the image's entrypoint."`
	Args            []string          `json:"args,omitempty" doc:"Replaces the image's command."`
	Env             map[string]string `json:"env,omitempty" rule:"env" accept:"pairs" doc:"Environment variables, as a mapping or as a list of NAME=value." example:"LOG_LEVEL=info"`
	Ports           []Port            `json:"ports,omitempty" doc:"Ports to publish: CONTAINER, HOST:CONTAINER or IP:HOST:CONTAINER, with /udp where it is not tcp." example:"8080:80"`
	Volumes         []Volume          `json:"volumes,omitempty" doc:"Volumes to mount: NAME:PATH[:ro], /HOST/PATH:PATH[:ro], or a mapping."`
	Workdir         string            `json:"workdir,omitempty" rule:"path" doc:"The working directory."`
	Resources       *Resources        `json:"resources,omitempty" doc:"CPU, memory and GPUs of one pod."`
	Healthcheck     *Healthcheck      `json:"healthcheck,omitempty" doc:"How the engine tells that the app is well; replaces the image's own."`
	StopGracePeriod *Duration         `json:"stopGracePeriod,omitempty" doc:"How long the app may take to stop before it is killed." default:"10s"`
	Restart         RestartPolicy     `json:"restart,omitempty" doc:"When the engine starts a container again that ended." default:"unless-stopped"`
	Pull            PullPolicy        `json:"pull,omitempty" doc:"When the image is pulled." default:"missing"`
	Capabilities    *Capabilities     `json:"capabilities,omitempty" doc:"Linux capabilities to add to and drop from the default set."`
	Privileged      bool              `json:"privileged,omitempty" doc:"Run without isolation; only where the server's configuration allows it."`
	Network         string            `json:"network,omitempty" enum:"host,none" doc:"host, none, or not set for the instance's own network; host only where the server's configuration allows it."`
}

// Resources are what one pod gets of its backend.
type Resources struct {
	CPU    *CPU   `json:"cpu,omitempty" doc:"CPUs, as 2 or 500m." example:"2"`
	Memory *Bytes `json:"memory,omitempty" doc:"Memory, as 4GB or 512Mi." example:"4GB"`
	GPUs   *int   `json:"gpus,omitempty" range:"0,1000" doc:"GPUs, given exclusively; default 1 for a flavour that selects a GPU, else 0."`
}

// Healthcheck is a command that tells whether the app is well, as Docker's HEALTHCHECK.
type Healthcheck struct {
	Command     []string  `json:"command,omitempty" accept:"shell" doc:"The command and its arguments; run by the engine inside the container. Exit code 0 means healthy. Text alone is run by /bin/sh -c."`
	Interval    *Duration `json:"interval,omitempty" doc:"Time between two checks." default:"30s"`
	Timeout     *Duration `json:"timeout,omitempty" doc:"Time that one check may take." default:"30s"`
	Retries     *int      `json:"retries,omitempty" range:"1,1000" doc:"Failures in a row that make the app unhealthy." default:"3"`
	StartPeriod *Duration `json:"startPeriod,omitempty" doc:"Time after the start in which failures do not count."`
	Disable     bool      `json:"disable,omitempty" doc:"Ignore the image's own health check."`
}

// Capabilities change the default set of Linux capabilities, which is Docker's
// without NET_RAW and MKNOD. Names are without the CAP_ prefix.
type Capabilities struct {
	Add  []string `json:"add,omitempty" rule:"capability" doc:"Capabilities to add." example:"NET_RAW"`
	Drop []string `json:"drop,omitempty" rule:"capability" doc:"Capabilities to drop; ALL drops every one."`
}

// RestartPolicy says when the engine starts a container again that ended.
type RestartPolicy string

// The restart policies.
const (
	RestartUnlessStopped RestartPolicy = "unless-stopped"
	RestartAlways        RestartPolicy = "always"
	RestartOnFailure     RestartPolicy = "on-failure"
	RestartNo            RestartPolicy = "no"
)

// Values lists the policies.
func (RestartPolicy) Values() []string {
	return []string{string(RestartUnlessStopped), string(RestartAlways), string(RestartOnFailure), string(RestartNo)}
}

// PullPolicy says when an image is pulled.
type PullPolicy string

// The pull policies.
const (
	PullMissing PullPolicy = "missing"
	PullAlways  PullPolicy = "always"
	PullNever   PullPolicy = "never"
)

// Values lists the policies.
func (PullPolicy) Values() []string {
	return []string{string(PullMissing), string(PullAlways), string(PullNever)}
}

// A Port is a port that a pod publishes. In a document it is CONTAINER,
// HOST:CONTAINER or IP:HOST:CONTAINER, with an optional /tcp or /udp.
type Port struct {
	HostIP    string   `json:"hostIP,omitempty"` // empty: every address
	Host      uint16   `json:"host,omitempty"`   // 0: the engine chooses
	Container uint16   `json:"container"`
	Protocol  Protocol `json:"protocol"`
}

// Protocol is a transport protocol.
type Protocol string

// The protocols.
const (
	TCP Protocol = "tcp"
	UDP Protocol = "udp"
)

// A Volume is a folder mounted into a pod. In a document it is NAME:PATH[:ro],
// /HOST/PATH:PATH[:ro], or a mapping of these fields. Exactly one of Name, Host
// and Tmpfs is set.
type Volume struct {
	Name     string `json:"name,omitempty" rule:"volume" doc:"A named volume, kept when the deployment goes unless keep is false."`
	Host     string `json:"host,omitempty" rule:"path" doc:"A folder of the host; only where the server's configuration allows it."`
	Tmpfs    bool   `json:"tmpfs,omitempty" doc:"A folder in memory, gone with the pod."`
	Path     string `json:"path" rule:"path" required:"true" doc:"Where it is mounted in the container; absolute."`
	ReadOnly bool   `json:"readOnly,omitempty" doc:"The app may not write to it."`
	Size     *Bytes `json:"size,omitempty" doc:"The most that a tmpfs may hold."`
	Keep     *bool  `json:"keep,omitempty" doc:"Whether a named volume outlives its deployment." default:"true"`
}
