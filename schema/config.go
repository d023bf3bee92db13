package schema

// Config configures the server. Everything has a default: a desired-state URL
// and a Docker Engine on this machine are enough.
type Config struct {
	Instance    string          `json:"instance,omitempty" rule:"label" doc:"The name of this Berth; every object it makes carries it, and what carries it is taken for its own: each that uses the same engine needs another. Default: the last element of the desired-state URL, without .git." example:"lab"`
	Listen      string          `json:"listen,omitempty" doc:"The address that it serves on." default:"127.0.0.1:8484"`
	DataDir     string          `json:"dataDir,omitempty" doc:"Where mirrors of repositories are kept; all of it can be fetched again." default:"/var/lib/berth, or ~/.local/share/berth for a user"`
	Desired     Desired         `json:"desired,omitzero" doc:"Where the desired state is."`
	Credentials []Credential    `json:"credentials,omitempty" doc:"How to log in, by host."`
	Webhooks    Webhooks        `json:"webhooks,omitzero" doc:"How webhooks are verified."`
	Status      StatusConfig    `json:"status,omitzero" doc:"What commit statuses say."`
	Backends    []BackendConfig `json:"backends,omitempty" doc:"Where pods run. Default: the Docker Engine of this machine."`
	Log         LogConfig       `json:"log,omitzero" doc:"What is logged, and how."`
	Access      Access          `json:"access,omitzero" doc:"Who may ask the API."`
	TLS         ServerTLS       `json:"tls,omitzero" doc:"The server's certificate. Default: none, it speaks http."`

	LeaderElection LeaderElection `json:"leaderElection,omitzero" doc:"How several replicas of this Berth agree which of them works."`
}

// LeaderElection has several replicas of one Berth agree which of them works, by
// a Lease of Kubernetes: of the cluster that they run in, or, outside of one, of
// the first backend that is a cluster.
type LeaderElection struct {
	Enabled   bool   `json:"enabled,omitempty" doc:"Whether there may be several replicas. One leads, the others look on and take over when it goes."`
	Namespace string `json:"namespace,omitempty" rule:"label" doc:"The namespace of the Lease. Default: that of Berth's service account, or of the kubeconfig's context."`
	Lease     string `json:"lease,omitempty" rule:"object" doc:"The name of the Lease. Default: berth- and the name of the instance."`
}

// Access says who may ask the API: this machine without a token, unless that is
// switched off, and others with one.
type Access struct {
	Local  LocalAccess `json:"local,omitempty" doc:"What a request from this machine may do without a token. Say none where a proxy on this machine speaks for others, or where its users are not to be trusted." default:"admin"`
	Tokens []Token     `json:"tokens,omitempty" doc:"The tokens that are taken; 'berth token NAME' makes one."`
}

// Token is who a bearer token stands for. Of the token itself only its hash is
// known here, so that whoever reads the configuration cannot use it.
type Token struct {
	Name string `json:"name" rule:"label" required:"true" doc:"Whose it is; what is asked for with it is recorded under this name. A DNS label." example:"ci"`
	Role Role   `json:"role" required:"true" doc:"viewer may look; admin may also ask for work."`
	Hash string `json:"hash" rule:"hash" required:"true" doc:"sha256: and the SHA-256 of the token in hex, as 'berth token' prints it."`
}

// LocalAccess is what a request from this machine may do without a token.
type LocalAccess string

// LocalNone gives nothing to a request without a token, wherever it comes from.
// The other values are those of [Role].
const LocalNone LocalAccess = "none"

// Values lists what may be given.
func (LocalAccess) Values() []string {
	return []string{string(RoleAdmin), string(RoleViewer), string(LocalNone)}
}

// Role is what somebody may do.
type Role string

// The roles; each may do what those before it may.
const (
	RoleViewer Role = "viewer"
	RoleAdmin  Role = "admin"
)

// Values lists the roles.
func (Role) Values() []string { return []string{string(RoleViewer), string(RoleAdmin)} }

// ServerTLS names the server's certificate files. They are read again when they change.
type ServerTLS struct {
	CertFile string `json:"certFile,omitempty" doc:"The certificate, followed by those between it and its authority, in PEM form."`
	KeyFile  string `json:"keyFile,omitempty" doc:"Its private key, in PEM form."`
}

// Desired says where the desired state is.
type Desired struct {
	URL      string    `json:"url,omitempty" doc:"The repository: https, ssh, file:// or a path." example:"https://git.example.org/lab/desired.git"`
	Ref      string    `json:"ref,omitempty" doc:"A branch, tag, commit or SemVer range over tags. Default: the remote's HEAD."`
	Path     string    `json:"path,omitempty" doc:"The folder in it that holds the documents." default:"."`
	Interval *Duration `json:"interval,omitempty" doc:"How often it is asked for news when no webhook tells." default:"30s"`
}

// Credential says how to log in to one host. A secret stands in an environment
// variable or a file, never in the configuration.
type Credential struct {
	Host           string `json:"host" required:"true" doc:"The host, or host:port." example:"git.example.org"`
	Forge          Forge  `json:"forge,omitempty" doc:"What runs there. Default: told by the host."`
	Username       string `json:"username,omitempty" doc:"The user name; a token alone needs none."`
	TokenEnv       string `json:"tokenEnv,omitempty" rule:"env" doc:"The environment variable that holds the token or password."`
	TokenFile      string `json:"tokenFile,omitempty" doc:"The file that holds the token or password."`
	SSHKeyFile     string `json:"sshKeyFile,omitempty" doc:"The private key for ssh."`
	KnownHostsFile string `json:"knownHostsFile,omitempty" doc:"The host keys that are trusted." default:"~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts"`
	CAFile         string `json:"caFile,omitempty" doc:"Certificate authorities to trust besides the system's."`

	GitHubApp *GitHubApp `json:"githubApp,omitempty" doc:"The GitHub App that Berth is there, in place of a token."`
}

// GitHubApp is an App of GitHub: it is installed in repositories, and gets tokens
// that are good for an hour.
type GitHubApp struct {
	ID           string `json:"id" required:"true" doc:"The App's ID or client ID." example:"123456"`
	Installation int    `json:"installation,omitempty" doc:"The installation's ID. Default: that of each repository, asked of GitHub."`
	KeyFile      string `json:"keyFile" required:"true" doc:"The file that holds the App's private key, in PEM form."`
}

// Forge is the software behind a git host.
type Forge string

// The forges.
const (
	ForgeGitHub Forge = "github"
	ForgeGitea  Forge = "gitea"
	ForgeGitLab Forge = "gitlab"
	ForgeNone   Forge = "none"
)

// Values lists the forges.
func (Forge) Values() []string {
	return []string{string(ForgeGitHub), string(ForgeGitea), string(ForgeGitLab), string(ForgeNone)}
}

// Webhooks says how webhooks are verified. Without a secret none is accepted.
type Webhooks struct {
	SecretEnv  string `json:"secretEnv,omitempty" rule:"env" doc:"The environment variable that holds the secret."`
	SecretFile string `json:"secretFile,omitempty" doc:"The file that holds the secret."`
	// Repos have a secret of their own beside the one above, which wakes them too.
	Repos []WebhookRepo `json:"repos,omitempty" doc:"Repos with a secret of their own: it signs deliveries to /webhooks/FORGE/REPO, and wakes only that repo."`
}

// WebhookRepo is the secret of one repository.
type WebhookRepo struct {
	Repo       string `json:"repo" rule:"label" required:"true" doc:"The name of its Repo document, or desired-state for the desired-state repository." example:"apps"`
	SecretEnv  string `json:"secretEnv,omitempty" rule:"env" doc:"The environment variable that holds the secret."`
	SecretFile string `json:"secretFile,omitempty" doc:"The file that holds the secret."`
}

// StatusConfig says what commit statuses say.
type StatusConfig struct {
	Context string `json:"context,omitempty" doc:"The name under which statuses are written." default:"berth"`
	URL     string `json:"url,omitempty" doc:"Where people reach this server; statuses link to it."`
}

// LogConfig says what is logged, and how.
type LogConfig struct {
	Level  LogLevel  `json:"level,omitempty" doc:"The least important lines that are written." default:"info"`
	Format LogFormat `json:"format,omitempty" doc:"text for people, json for programs." default:"text"`
}

// LogLevel is how important a line is.
type LogLevel string

// Values lists the levels.
func (LogLevel) Values() []string { return []string{"debug", "info", "warn", "error"} }

// LogFormat is how a line is written.
type LogFormat string

// Values lists the formats.
func (LogFormat) Values() []string { return []string{"text", "json"} }

// BackendType is a kind of container engine.
type BackendType string

// The backend types.
const (
	BackendDocker     BackendType = "docker"
	BackendKubernetes BackendType = "kubernetes"
)

// Values lists the types.
func (BackendType) Values() []string {
	return []string{string(BackendDocker), string(BackendKubernetes)}
}

// BackendConfig is one backend.
type BackendConfig struct {
	Name        string      `json:"name" rule:"label" required:"true" doc:"The backend's name; a DNS label." example:"lab"`
	Type        BackendType `json:"type" required:"true" doc:"The kind of engine."`
	Host        string      `json:"host,omitempty" doc:"Docker: where the engine is, as unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST. Default: DOCKER_HOST, or the local socket."`
	TLS         *TLSConfig  `json:"tls,omitempty" doc:"Docker over tcp: certificates."`
	Address     string      `json:"address,omitempty" doc:"Where published ports are reached. Default: the engine's host, or 127.0.0.1."`
	Workers     int         `json:"workers,omitempty" range:"0,1000" doc:"How many deployments are worked on at once. One that waits for long, for an image or for a pod to end, gives way to another; ten times as many may wait." default:"8"`
	PullTimeout *Duration   `json:"pullTimeout,omitempty" doc:"How long the pull of one image may take." default:"30m"`
	PruneImages bool        `json:"pruneImages,omitempty" doc:"Remove images that Berth pulled and that no pod or release needs any more."`
	Priority    int         `json:"priority,omitempty" range:"-1000000,1000000" doc:"Which backend is preferred when several fit: the highest."`
	Allow       Allow       `json:"allow,omitzero" doc:"What deployments may do that reaches out of their container."`
	Capacity    Offer       `json:"capacity,omitzero" doc:"What the backend offers, where the engine cannot tell or tells too much."`
	Kubeconfig  string      `json:"kubeconfig,omitempty" doc:"Kubernetes: the kubeconfig file. Default: the service account of the pod that Berth runs in; else KUBECONFIG, or ~/.kube/config."`
	Context     string      `json:"context,omitempty" doc:"Kubernetes: the context in it. Default: its current one."`
	Namespace   string      `json:"namespace,omitempty" rule:"label" doc:"Kubernetes: the namespace in which objects are made. Default: that of the context, or of the service account."`
	Namespaces  *Namespaces `json:"namespaces,omitempty" doc:"Kubernetes: a namespace for each user or group."`
	AllowExec   bool        `json:"allowExec,omitempty" doc:"Kubernetes: whether the kubeconfig may name a program that is run to log in."`

	ServiceAccount   string   `json:"serviceAccount,omitempty" rule:"object" doc:"Kubernetes: the service account of pods; its token is not given to them. Default: the namespace's own."`
	ImagePullSecrets []string `json:"imagePullSecrets,omitempty" rule:"object" doc:"Kubernetes: the secrets with which images are pulled; each namespace must have them." example:"registry"`
	Tolerations      []string `json:"tolerations,omitempty" doc:"Kubernetes: the keys of node taints that pods put up with; nodes with other ones are left out." example:"example.org/lab"`

	StorageClass  string        `json:"storageClass,omitempty" rule:"object" doc:"Kubernetes: the class of named volumes. Default: the cluster's."`
	StorageSize   *Bytes        `json:"storageSize,omitempty" doc:"Kubernetes: how much a named volume asks for." default:"10Gi"`
	StorageAccess StorageAccess `json:"storageAccess,omitempty" doc:"Kubernetes: who may mount a named volume at once. With ReadWriteOnce, the pods of one node: then an old pod goes before a new one comes." default:"ReadWriteOnce"`
}

// Namespaces gives each user or group a namespace of a Kubernetes cluster.
type Namespaces struct {
	Template string           `json:"template" required:"true" doc:"The name of a deployment's namespace, with {user} or {group} in it; it must begin with text of its own. A deployment without a user, or with one of no group, goes to namespace." example:"berth-{user}"`
	Groups   []NamespaceGroup `json:"groups,omitempty" doc:"The groups, for {group}."`
	Create   bool             `json:"create,omitempty" doc:"Whether Berth makes namespaces that are missing. Default: no, it waits for them."`
}

// NamespaceGroup is a group of users whose deployments share a namespace.
type NamespaceGroup struct {
	Name  string   `json:"name" required:"true" doc:"The group's name; a DNS label." example:"imaging"`
	Users []string `json:"users" required:"true" doc:"The users in it; each is in one group at most." example:"john"`
}

// StorageAccess says which pods may mount a named volume at once.
type StorageAccess string

// The kinds of access.
const (
	ReadWriteOnce StorageAccess = "ReadWriteOnce" // the pods of one node
	ReadWriteMany StorageAccess = "ReadWriteMany" // those of any node
)

// Values lists the kinds of access.
func (StorageAccess) Values() []string {
	return []string{string(ReadWriteOnce), string(ReadWriteMany)}
}

// TLSConfig names certificate files.
type TLSConfig struct {
	CAFile   string `json:"caFile,omitempty" doc:"The authority that signed the engine's certificate."`
	CertFile string `json:"certFile,omitempty" doc:"The client's certificate."`
	KeyFile  string `json:"keyFile,omitempty" doc:"The client's key."`
}

// Allow says what deployments may do that reaches out of their container.
// Nothing of it is allowed by default.
type Allow struct {
	HostPaths    []string `json:"hostPaths,omitempty" rule:"path" doc:"Folders of the host that may be mounted, with all below them." example:"/srv/data"`
	Privileged   bool     `json:"privileged,omitempty" doc:"Whether pods may be privileged."`
	HostNetwork  bool     `json:"hostNetwork,omitempty" doc:"Whether pods may use the host's network."`
	Capabilities []string `json:"capabilities,omitempty" rule:"capability" doc:"Linux capabilities that may be added beyond Docker's default; ALL allows any." example:"SYS_PTRACE"`
}

// Offer is what a backend offers. A field that is not set is taken from the engine.
type Offer struct {
	CPU       *CPU              `json:"cpu,omitempty" doc:"CPUs for pods."`
	Memory    *Bytes            `json:"memory,omitempty" doc:"Memory for pods."`
	GPUs      []GPU             `json:"gpus,omitempty" doc:"GPUs, which engines tell little of."`
	Labels    map[string]string `json:"labels,omitempty" doc:"Labels, for label selectors."`
	Services  []string          `json:"services,omitempty" doc:"Services that pods reach there, for service selectors."`
	Resources map[string]string `json:"resources,omitempty" doc:"Named resources, for resource selectors."`
}

// GPU is one GPU, or several of one kind, of a backend. What is not set is not
// known: a selector that asks for it matches, unverified.
type GPU struct {
	Vendor       GPUVendor `json:"vendor" required:"true" doc:"Who made it: nvidia for cuda, amd for rocm, intel for oneapi."`
	IDs          []string  `json:"ids,omitempty" doc:"The engine's names of the GPUs: indexes, UUIDs or device paths. Default: 0 to count-1."`
	Count        int       `json:"count,omitempty" doc:"How many there are." default:"1, or as many as ids"`
	Version      Version   `json:"version,omitempty" doc:"The CUDA, ROCm or oneAPI version that the driver offers." example:"12.4"`
	Capability   Version   `json:"capability,omitempty" doc:"The CUDA compute capability." example:"8.6"`
	Architecture string    `json:"architecture,omitempty" doc:"The architecture." example:"ampere"`
	Cores        int       `json:"cores,omitempty" doc:"CUDA cores."`
	Frequency    int       `json:"frequency,omitempty" doc:"Clock in MHz."`
	Memory       *Bytes    `json:"memory,omitempty" doc:"Memory of one GPU."`
}

// GPUVendor is who made a GPU.
type GPUVendor string

// The vendors.
const (
	NVIDIA GPUVendor = "nvidia"
	AMD    GPUVendor = "amd"
	Intel  GPUVendor = "intel"
)

// Values lists the vendors.
func (GPUVendor) Values() []string { return []string{string(NVIDIA), string(AMD), string(Intel)} }
