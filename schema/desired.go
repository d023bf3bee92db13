package schema

import "reflect"

// Position is where a document stands.
type Position struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// Deployment declares that a release of an app shall run. It stands in the
// desired-state repository. What it sets of [Container] overrides the flavour.
type Deployment struct {
	Name      string   `json:"name" rule:"label" required:"true" doc:"The deployment's name, unique in the desired state; a DNS label." example:"stardist-john"`
	App       string   `json:"app" rule:"identifier" required:"true" doc:"The identifier of the app." example:"org.stardist"`
	Version   string   `json:"version,omitempty" doc:"An exact version, a channel or a SemVer range; tried in this order. Default: the newest release that is no prerelease." example:"^0.4"`
	Flavour   string   `json:"flavour,omitempty" rule:"flavour" doc:"The flavour to run. Default: the best that fits."`
	Backend   string   `json:"backend,omitempty" rule:"label" doc:"The backend to run on. Default: the best that fits."`
	User      string   `json:"user,omitempty" doc:"On whose behalf it runs."`
	Scopes    []string `json:"scopes,omitempty" rule:"scope" doc:"Access rights that are granted. A release that needs more is refused."`
	Replicas  *int     `json:"replicas,omitempty" range:"0,1000" doc:"How many pods run." default:"1"`
	DependsOn []string `json:"dependsOn,omitempty" rule:"label" doc:"Deployments that must be ready first."`
	Rollout   Rollout  `json:"rollout,omitzero" doc:"How pods are replaced."`
	Suspend   bool     `json:"suspend,omitempty" doc:"Leave everything as it is: pods run on, nothing is changed."`
	RunAs     string   `json:"runAs,omitempty" rule:"runAs" doc:"The user (and group) that the container runs as; replaces the flavour's user."`
	Container
	Position Position `json:"-"`
}

// ReplicaCount returns how many pods shall run.
func (d *Deployment) ReplicaCount() int {
	if d.Replicas == nil {
		return 1
	}
	return *d.Replicas
}

// Rollout says how pods are replaced.
type Rollout struct {
	Strategy Strategy  `json:"strategy,omitempty" doc:"rolling: the new pod is ready before the old one stops. recreate: the old one stops first." default:"rolling, or recreate where a fixed port, a GPU, a named volume that is written to or the backend does not allow two at once"`
	Timeout  *Duration `json:"timeout,omitempty" doc:"How long a new pod may take from its start to ready; pulling its image does not count." default:"2m"`
	MinReady *Duration `json:"minReady,omitempty" doc:"How long a pod must run, and be healthy if it has a health check, before it counts as ready. Each restart by the engine doubles it, up to a minute." default:"0 with a health check, 3s without"`
	Rollback *bool     `json:"rollback,omitempty" doc:"Whether a rollout that fails goes back to what ran before." default:"true"`
}

// Strategy is a way to replace pods.
type Strategy string

// The strategies.
const (
	Rolling  Strategy = "rolling"
	Recreate Strategy = "recreate"
)

// Values lists the strategies.
func (Strategy) Values() []string { return []string{string(Rolling), string(Recreate)} }

// Repo is an app repository to follow. It stands in the desired-state repository.
type Repo struct {
	Name     string    `json:"name" rule:"label" required:"true" doc:"The repo's name, unique in the desired state; a DNS label. Not desired-state: that is the name of the desired-state repository itself." example:"arkitekt-apps"`
	URL      string    `json:"url" required:"true" doc:"Where it is: https, ssh (also as git@host:path) or, where the desired state is local itself, file:// or a path." example:"https://github.com/example/apps.git"`
	Ref      string    `json:"ref,omitempty" doc:"A branch, tag, commit or SemVer range over tags. Default: the remote's HEAD." example:"main"`
	Interval *Duration `json:"interval,omitempty" doc:"How often it is asked for news when no webhook tells." default:"1m"`
	Paths    []string  `json:"paths,omitempty" doc:"Globs of the files to read. Default: every known manifest path."`
	Apps     []string  `json:"apps,omitempty" rule:"pattern" doc:"Identifiers that this repo may publish, with * for any text. Default: any." example:"org.example.*"`
	Priority int       `json:"priority,omitempty" range:"-1000000,1000000" doc:"Which repo owns an identifier that several publish: the highest."`
	Position Position  `json:"-"`
}

// DefaultManifestPaths are the globs of app manifests in an app repository.
func DefaultManifestPaths() []string {
	return []string{
		"{manifest,*.manifest}.{yaml,yml}",
		"**/{manifest,*.manifest}.{yaml,yml}",
		"**/.arkitekt{,_next}/{deployments,kabinet,manifest}.{yaml,yml}",
	}
}

// A DesiredFile is what one file of the desired-state repository declares.
type DesiredFile struct {
	Deployments []*Deployment
	Repos       []*Repo
	// Broken are the names of documents that could be told apart but not used,
	// as far as their kind and name could be read.
	Broken []Ref
	// Problems are errors and notices (a document without kind).
	Problems Problems
}

// A Ref names a document of the desired state.
type Ref struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Same tells whether two documents declare the same, wherever they stand.
func (d *Deployment) Same(other *Deployment) bool {
	if d == other || d == nil || other == nil {
		return d == other
	}
	a, b := *d, *other
	a.Position, b.Position = Position{}, Position{}
	return reflect.DeepEqual(a, b)
}

// Same tells whether two documents declare the same, wherever they stand.
func (p *Repo) Same(other *Repo) bool {
	if p == other || p == nil || other == nil {
		return p == other
	}
	a, b := *p, *other
	a.Position, b.Position = Position{}, Position{}
	return reflect.DeepEqual(a, b)
}
