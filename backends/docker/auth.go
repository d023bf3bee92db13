package docker

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/registry"

	"github.com/berthdev/berth/schema"
)

const (
	// dockerHub is the name under which the docker command keeps the credentials
	// for docker.io.
	dockerHub = "https://index.docker.io/v1/"
	// helperTimeout is how long a credential helper may take.
	helperTimeout = 30 * time.Second
	// mostConfig bounds the configuration and what a helper answers.
	mostConfig = 4 << 20
)

// dockerConfig is what matters here of Docker's config.json. Its format is that
// of the docker command.
type dockerConfig struct {
	Auths       map[string]dockerAuth `json:"auths"`
	CredsStore  string                `json:"credsStore"`
	CredHelpers map[string]string     `json:"credHelpers"`
}

type dockerAuth struct {
	Auth          string `json:"auth"` // base64 of user:password
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// credentials returns what the Docker configuration knows for the image's
// registry, as the engine wants it; empty if it knows nothing. The configuration
// is read anew each time, for "docker login" changes it.
func (b *Backend) credentials(ctx context.Context, ref string) (string, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return "", pullError(ref, err)
	}
	key := reference.Domain(named)
	if key == "docker.io" {
		key = dockerHub
	}
	auth, err := lookupAuth(ctx, b.opts.DockerConfig, key)
	if err != nil {
		return "", &schema.Error{
			Op: "find credentials for", Resource: "image " + ref, Kind: schema.Waiting, Err: err,
			Hint: "correct the Docker configuration of the user that Berth runs as",
		}
	}
	if auth == (registry.AuthConfig{}) {
		return "", nil
	}
	return registry.EncodeAuthConfig(auth)
}

// lookupAuth reads the configuration in dir, or where the docker command has it.
func lookupAuth(ctx context.Context, dir, key string) (registry.AuthConfig, error) {
	if dir == "" {
		dir = os.Getenv("DOCKER_CONFIG")
	}
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return registry.AuthConfig{}, nil // without a home there is none
		}
		dir = filepath.Join(home, ".docker")
	}
	name := filepath.Join(dir, "config.json")
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return registry.AuthConfig{}, nil
	}
	if err != nil {
		return registry.AuthConfig{}, err
	}
	defer f.Close()
	var c dockerConfig
	if err := json.NewDecoder(io.LimitReader(f, mostConfig)).Decode(&c); err != nil {
		return registry.AuthConfig{}, errors.New(name + " is no JSON that can be read") // the error would quote it
	}
	if helper := c.CredHelpers[key]; helper != "" {
		return askHelper(ctx, helper, key)
	}
	if c.CredsStore != "" {
		return askHelper(ctx, c.CredsStore, key)
	}
	return c.find(key)
}

// find returns the credentials that stand in the file. Keys may be written as
// URLs.
func (c dockerConfig) find(key string) (registry.AuthConfig, error) {
	found, ok := c.Auths[key]
	for _, k := range slices.Sorted(maps.Keys(c.Auths)) {
		if !ok && hostOf(k) == hostOf(key) {
			found, ok = c.Auths[k], true
		}
	}
	auth := registry.AuthConfig{
		Username: found.Username, Password: found.Password, IdentityToken: found.IdentityToken, RegistryToken: found.RegistryToken,
	}
	if found.Auth != "" {
		data, err := base64.StdEncoding.DecodeString(found.Auth)
		user, password, both := strings.Cut(string(data), ":")
		if err != nil || !both {
			return registry.AuthConfig{}, errors.New("the credentials for " + key + " are not written as base64 of USER:PASSWORD")
		}
		auth.Username, auth.Password = user, strings.Trim(password, "\x00")
	}
	if auth != (registry.AuthConfig{}) {
		auth.ServerAddress = key
	}
	return auth, nil
}

func hostOf(key string) string {
	if _, rest, ok := strings.Cut(key, "://"); ok {
		key = rest
	}
	host, _, _ := strings.Cut(key, "/")
	return host
}

// helperName matches names of credential helpers: they are run from the PATH.
var helperName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// askHelper asks a credential helper, a program that is told the registry and
// prints what it knows. What it prints may be secret and is in no error.
func askHelper(ctx context.Context, helper, key string) (registry.AuthConfig, error) {
	if !helperName.MatchString(helper) {
		return registry.AuthConfig{}, errors.New("the credential helper has an unusable name")
	}
	ctx, cancel := context.WithTimeout(ctx, helperTimeout)
	defer cancel()
	program := "docker-credential-" + helper
	cmd := exec.CommandContext(ctx, program, "get")
	cmd.WaitDelay = time.Second
	cmd.Stdin = strings.NewReader(key)
	out, err := cmd.Output()
	if err != nil {
		if bytes.Contains(out, []byte("credentials not found")) {
			return registry.AuthConfig{}, nil
		}
		if errors.Is(err, exec.ErrNotFound) {
			return registry.AuthConfig{}, errors.New(program + " is not installed")
		}
		return registry.AuthConfig{}, errors.New(program + " failed")
	}
	var answer struct{ Username, Secret string }
	if len(out) > mostConfig || json.Unmarshal(out, &answer) != nil {
		return registry.AuthConfig{}, errors.New(program + " answers what is no JSON")
	}
	auth := registry.AuthConfig{Username: answer.Username, Password: answer.Secret, ServerAddress: key}
	if answer.Username == "<token>" {
		auth.Username, auth.Password, auth.IdentityToken = "", "", answer.Secret
	}
	return auth, nil
}
