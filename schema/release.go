package schema

import "time"

// VanillaFlavour is the flavour of a release that names none.
const VanillaFlavour = "vanilla"

// Form names the shape of a file that was read, as "berth validate" prints it.
type Form string

// The forms of files. The letters are those of the forms that Arkitekt's tools
// wrote over the years.
const (
	FormApp             Form = "app"              // Berth's own manifest, with flavours
	FormAppIdentity     Form = "app-identity"     // a manifest without any image
	FormDesired         Form = "desired"          // Deployment and Repo documents
	FormConfig          Form = "config"           // the server's configuration
	FormA               Form = "A"                // 2023-01
	FormB               Form = "B"                // 2023
	FormC               Form = "C"                // 2023-08
	FormD               Form = "D"                // 2024-01
	FormE               Form = "E"                // 2024-06
	FormE2              Form = "E2"               // 2024-07
	FormF1              Form = "F1"               // 2024-10
	FormF2              Form = "F2"               // 2025-05
	FormF3              Form = "F3"               // 2025-11
	FormDocumented      Form = "documented"       // the documentation's extended manifest, with flavours
	FormArkitektFlavour Form = "arkitekt-flavour" // flavours/<name>/config.yaml: how an image is built
	FormArkitektBuilds  Form = "arkitekt-builds"  // builds.yaml: local builds, no source of releases
	FormUnknown         Form = "unknown"          // nothing that Berth reads
)

// A Publication is what one file of an app repository publishes.
type Publication struct {
	Form Form
	// Releases are in the file's order. Entries of one release may stand apart,
	// and one flavour may stand twice; whoever collects them merges them.
	Releases []Release
	// Identities describe apps without any image; they are never releases.
	Identities []Release
	// Problems are the entries that could not be used, and notices.
	Problems Problems
}

// A Release is a version of an app, as one entry of a file publishes it.
type Release struct {
	Identifier  string    `json:"identifier"`
	Version     string    `json:"version"`
	Name        string    `json:"name,omitempty"`
	Description string    `json:"description,omitempty"`
	Author      string    `json:"author,omitempty"`
	Entrypoint  string    `json:"entrypoint,omitempty"`
	Logo        string    `json:"logo,omitempty"`
	Scopes      []string  `json:"scopes,omitempty"`   // access rights that it needs
	Channels    []string  `json:"channels,omitempty"` // channels that point to it
	CreatedAt   time.Time `json:"createdAt,omitzero"` // when its manifest was made
	Flavours    []Flavour `json:"flavours,omitempty"`
	Line        int       `json:"-"` // where its entry begins in the file
	Column      int       `json:"-"`
}

// A Flavour is one way to run a release: an image, what it needs of a machine,
// and how its container is set up.
type Flavour struct {
	Name         string        `json:"name"`
	Description  string        `json:"description,omitempty"`
	Image        string        `json:"image"`              // as written
	Priority     int           `json:"priority,omitempty"` // lower is preferred; 0 when not said
	Selectors    []Selector    `json:"selectors,omitempty"`
	Requirements []Requirement `json:"requirements,omitempty"`
	Definitions  []Definition  `json:"definitions,omitempty"`
	Size         Bytes         `json:"size,omitempty"` // of the image; 0 when not said
	PublishedAt  time.Time     `json:"publishedAt,omitzero"`
	User         string        `json:"user,omitempty"` // that the container runs as
	Container
}

// A Requirement is a service that an app talks to.
type Requirement struct {
	Key         string `json:"key" required:"true" doc:"What the app calls it; unique in the manifest." example:"db"`
	Service     string `json:"service,omitempty" doc:"The service, as backends offer it." example:"live.arkitekt.mikro"`
	Optional    bool   `json:"optional,omitempty" doc:"The app also runs without it."`
	Description string `json:"description,omitempty" doc:"What the app needs it for."`
}

// A Definition describes a function that an app offers.
type Definition struct {
	Name        string      `json:"name" required:"true" doc:"The function's name for people." example:"Segment nuclei"`
	Key         string      `json:"key,omitempty" doc:"The function's name for programs." example:"segment_nuclei"`
	Description string      `json:"description,omitempty" doc:"What it does."`
	Kind        string      `json:"kind,omitempty" doc:"FUNCTION gives one result, GENERATOR several." example:"FUNCTION"`
	Args        []Parameter `json:"args,omitempty" doc:"What it takes."`
	Returns     []Parameter `json:"returns,omitempty" doc:"What it gives."`
}

// A Parameter is an argument or a return value of a [Definition].
type Parameter struct {
	Key      string `json:"key" required:"true" doc:"The parameter's name." example:"image"`
	Kind     string `json:"kind,omitempty" doc:"Its type." example:"STRUCTURE"`
	Nullable bool   `json:"nullable,omitempty" doc:"It may be left out."`
}
