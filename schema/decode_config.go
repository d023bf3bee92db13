package schema

import (
	"slices"
	"strings"
	"time"
)

// DecodeConfig reads the server's configuration, strictly. Nothing is filled
// in; an empty file is an empty configuration. The configuration is nil if
// anything is wrong.
func DecodeConfig(file string, data []byte) (*Config, Problems) {
	docs, problems := ParseDocuments(file, data)
	c := &Config{}
	for i, doc := range docs {
		switch {
		case i > 0:
			problems = append(problems, Problem{
				File: file, Line: doc.line + 1, Column: 1,
				Message: "the configuration is one document", Hint: "put all above the line ---",
			})
		case doc.Root == nil:
			problems = append(problems, doc.Problems...)
		default:
			problems = append(problems, decodeDocument(file, doc, "", c, c.validate)...)
		}
	}
	problems = tidy(problems)
	if len(problems.Errors()) > 0 {
		return nil, problems
	}
	return c, problems
}

// Validate checks the configuration as it stands after flags and environment
// were applied.
func (c *Config) Validate() Problems {
	var r report
	c.validate(&r)
	return r.problems
}

// The defaults of what is not configured.
const (
	DefaultListen   = "127.0.0.1:8484"
	DefaultInstance = "berth"
)

// Default fills in what is not set: the instance from the desired-state URL,
// the Docker Engine of this machine as the backend, and dataDir, which depends
// on the user.
func (c *Config) Default(dataDir string) {
	setDefault(&c.Instance, InstanceName(c.Desired.URL))
	setDefault(&c.Listen, DefaultListen)
	setDefault(&c.DataDir, dataDir)
	setDefault(&c.Desired.Path, ".")
	setDefault(&c.Status.Context, "berth")
	setDefault(&c.Log.Level, "info")
	setDefault(&c.Log.Format, "text")
	setDefault(&c.Desired.Interval, durationPtr(30*time.Second))
	if len(c.Backends) == 0 {
		c.Backends = []BackendConfig{{Name: "docker", Type: BackendDocker}}
	}
	c.Backends = slices.Clone(c.Backends)
	for i := range c.Backends {
		setDefault(&c.Backends[i].Workers, 8)
		setDefault(&c.Backends[i].PullTimeout, durationPtr(30*time.Minute))
	}
}

func durationPtr(d time.Duration) *Duration {
	v := Duration(d)
	return &v
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// InstanceName derives the name of an instance from a desired-state URL: its
// last element without .git, made a DNS label.
func InstanceName(url string) string {
	name := strings.TrimRight(url, "/")
	name = strings.TrimSuffix(name, "/.git")
	name = name[strings.LastIndexAny(name, "/:\\")+1:]
	name = strings.ToLower(strings.TrimSuffix(name, ".git"))
	var b strings.Builder
	for _, r := range name {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else if s := b.String(); s != "" && !strings.HasSuffix(s, "-") {
			b.WriteByte('-')
		}
	}
	name = b.String()
	name = strings.Trim(name[:min(len(name), maxLabel)], "-")
	if name == "" {
		return DefaultInstance
	}
	return name
}
