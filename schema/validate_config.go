package schema

import (
	"fmt"
	"math"
	"net"
	"net/url"
	"slices"
	"strings"
)

const maxWorkers = 1000

var (
	// fileRule is for paths of this machine, relative or not.
	fileRule = rule{maxLine, isLine, "is no path", "use printable characters"}
	// statusRule leaves room for the name of a deployment: GitLab takes 255 letters
	// in all.
	statusRule = rule{100, isContext, "is no name of a status", "use printable characters, and none that is blank or / at either end, as in berth"}
)

func isContext(s string) bool { return isLine(s) && strings.Trim(s, " /") == s }

// validate checks the values of the server's configuration.
func (c *Config) validate(r *report) {
	r.check(labelRule, "instance", c.Instance)
	r.listen("listen", c.Listen)
	r.check(fileRule, "dataDir", c.DataDir)
	c.Desired.validate(r)
	c.validateCredentials(r)
	c.Webhooks.validate(r)
	r.check(statusRule, "status.context", c.Status.Context)
	r.webURL("status.url", c.Status.URL)
	c.Access.validate(r)
	r.certificate("tls", c.TLS.CertFile, c.TLS.KeyFile)
	c.LeaderElection.validate(r)
	names := distinct{}
	for i := range c.Backends {
		at := fmt.Sprintf("backends[%d]", i)
		names.add(r, at+".name", c.Backends[i].Name)
		c.Backends[i].validate(r, at)
	}
}

func (d *Desired) validate(r *report) {
	r.repoURL("desired.url", d.URL)
	r.check(refRule, "desired.ref", d.Ref)
	r.check(rule{maxLine, isInside, "is no folder of the repository", "write it without / before it and without .."}, "desired.path", d.Path)
	r.duration("desired.interval", d.Interval, minInterval)
}

// isInside tells whether s is a path that stays in the folder that it begins in.
func isInside(s string) bool { return isLine(s) && !strings.HasPrefix(s, "/") && !hasDotDot(s) }

func (c *Config) validateCredentials(r *report) {
	hosts := distinct{}
	for i, k := range c.Credentials {
		at := fmt.Sprintf("credentials[%d]", i)
		r.hostPort(at+".host", k.Host)
		hosts.add(r, at+".host", strings.ToLower(k.Host))
		r.check(ownerRule, at+".username", k.Username)
		r.secret(at, "token", k.TokenEnv, k.TokenFile)
		for _, f := range []struct{ key, file string }{
			{"sshKeyFile", k.SSHKeyFile}, {"knownHostsFile", k.KnownHostsFile}, {"caFile", k.CAFile},
		} {
			r.check(fileRule, at+"."+f.key, f.file)
		}
		k.validateApp(r, at)
	}
}

// validateApp checks a GitHub App. Its tokens stand where others have theirs.
func (k *Credential) validateApp(r *report, at string) {
	app := k.GitHubApp
	if app == nil {
		return
	}
	at += ".githubApp"
	if k.TokenEnv != "" || k.TokenFile != "" || k.Username != "" {
		r.error(at, "stands beside a token or user name", "keep one of the two; an App gets tokens by itself")
	}
	if k.Forge != "" && k.Forge != ForgeGitHub {
		r.error(at, "stands with forge: "+string(k.Forge), "only GitHub has Apps; remove it, or change the forge")
	}
	r.check(rule{maxLabel, flavourPattern.MatchString, "is no ID of an App", "write the App ID or the client ID, as in 123456"}, at+".id", app.ID)
	r.between(at+".installation", app.Installation, 0, math.MaxInt32)
	r.check(fileRule, at+".keyFile", app.KeyFile)
}

func (w *Webhooks) validate(r *report) {
	r.secret("webhooks", "secret", w.SecretEnv, w.SecretFile)
	repos := distinct{}
	for i, k := range w.Repos {
		at := fmt.Sprintf("webhooks.repos[%d]", i)
		r.check(labelRule, at+".repo", k.Repo)
		repos.add(r, at+".repo", k.Repo)
		r.secret(at, "secret", k.SecretEnv, k.SecretFile)
		if k.SecretEnv == "" && k.SecretFile == "" {
			r.error(at, "has no secret", "name it with secretEnv or secretFile")
		}
	}
}

// secret checks where a secret stands: in a variable or in a file. The name of
// the variable is not told, for people put the secret itself there.
func (r *report) secret(path, key, env, file string) {
	if env != "" && file != "" {
		r.error(path+"."+key+"File", "stands beside "+key+"Env", "keep one of the two")
	}
	if env != "" && (len(env) > maxName || !envPattern.MatchString(env)) {
		r.error(path+"."+key+"Env", "is no name of an environment variable", "write the variable's name, not the secret itself")
	}
	r.check(fileRule, path+"."+key+"File", file)
}

// certificate checks the files of a certificate and its key.
func (r *report) certificate(at, certFile, keyFile string) {
	if (certFile == "") != (keyFile == "") {
		r.error(at, "certFile and keyFile belong together", "give both, or none")
	}
	r.check(fileRule, at+".certFile", certFile)
	r.check(fileRule, at+".keyFile", keyFile)
}

func (a *Access) validate(r *report) {
	names, hashes := distinct{}, map[string]string{}
	for i, t := range a.Tokens {
		at := fmt.Sprintf("access.tokens[%d]", i)
		r.check(labelRule, at+".name", t.Name)
		names.add(r, at+".name", t.Name)
		first, twice := hashes[t.Hash]
		switch {
		case t.Hash == "": // where it is missing, decoding has told
		case !hashPattern.MatchString(t.Hash):
			// It is not quoted, for people put the token itself there.
			r.error(at+".hash", "is no hash of a token", "make one with 'berth token NAME'; the token itself does not belong here")
		case twice:
			r.error(at+".hash", "stands twice", first+" is the same; make a token for each name")
		default:
			hashes[t.Hash] = at + ".hash"
		}
	}
}

// listen checks an address to serve on.
func (r *report) listen(path, text string) {
	if text == "" {
		return
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || host != "" && !isHost(host) || port != "0" && (port == "" || !isPort(port)) {
		r.error(path, quote(text)+" is no address to serve on", "write it as 127.0.0.1:8484, or :8484 for every address")
	}
}

// hostPort checks a host, or host:port.
func (r *report) hostPort(path, text string) {
	host, port := text, ""
	if h, p, err := net.SplitHostPort(text); err == nil {
		host, port = h, p
	}
	switch {
	case text == "":
	case strings.Contains(text, "@"):
		r.error(path, "is no host", "write the user name as username") // quotes nothing: it may hold a password
	case !isHost(host) || !isPort(port) || strings.HasSuffix(text, ":"):
		r.error(path, quote(text)+" is no host", "write it as git.example.org or git.example.org:8443, without https://")
	}
}

// webURL checks a URL that people open.
func (r *report) webURL(path, text string) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	if err != nil || len(text) > maxURL || !isLine(text) || u.Scheme != "http" && u.Scheme != "https" || !isHost(u.Hostname()) || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		r.error(path, "is no URL of a web page", "write it as https://berth.example.org")
	}
}

func (b *BackendConfig) validate(r *report, at string) {
	r.check(labelRule, at+".name", b.Name)
	r.onlyFor(at, b)
	r.engineHost(at+".host", b.Host)
	if t := b.TLS; t != nil {
		r.check(fileRule, at+".tls.caFile", t.CAFile)
		r.certificate(at+".tls", t.CertFile, t.KeyFile)
	}
	if b.Address != "" && !isHost(b.Address) {
		r.error(at+".address", quote(b.Address)+" is no host", "write a host name or an IP address, without a port")
	}
	r.between(at+".workers", b.Workers, 0, maxWorkers)
	r.duration(at+".pullTimeout", b.PullTimeout, 0)
	r.between(at+".priority", b.Priority, -1_000_000, 1_000_000)
	r.list(pathRule, at+".allow.hostPaths", b.Allow.HostPaths)
	r.capabilities(at+".allow.capabilities", b.Allow.Capabilities)
	b.Capacity.validate(r, at+".capacity")
	b.validateKubernetes(r, at)
}

// onlyFor tells of fields that another type of backend has.
func (r *report) onlyFor(at string, b *BackendConfig) {
	fields := map[BackendType][]struct {
		key string
		set bool
	}{
		BackendKubernetes: {{"host", b.Host != ""}, {"tls", b.TLS != nil}},
		BackendDocker: {
			{"kubeconfig", b.Kubeconfig != ""}, {"context", b.Context != ""}, {"allowExec", b.AllowExec},
			{"namespace", b.Namespace != ""}, {"namespaces", b.Namespaces != nil},
			{"serviceAccount", b.ServiceAccount != ""}, {"imagePullSecrets", b.ImagePullSecrets != nil}, {"tolerations", b.Tolerations != nil},
			{"storageClass", b.StorageClass != ""}, {"storageSize", b.StorageSize != nil}, {"storageAccess", b.StorageAccess != ""},
		},
	}
	for _, f := range fields[b.Type] {
		if f.set {
			r.error(at+"."+f.key, "does not belong to a backend of type "+string(b.Type), "remove it, or change the type")
		}
	}
}

// engineHost checks where a Docker Engine is.
func (r *report) engineHost(path, text string) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	ok := err == nil && isLine(text) && len(text) <= maxURL
	if ok {
		withPassword := hasPassword(u)
		switch u.Scheme {
		case "unix":
			ok = u.Host == "" && isCleanAbs(u.Path)
		case "tcp":
			ok = isHost(u.Hostname()) && u.Port() != "" && isPort(u.Port()) && u.User == nil
		case "ssh":
			ok = isHost(u.Hostname()) && isPort(u.Port()) && !withPassword && (u.User == nil || runAsPattern.MatchString(u.User.Username()))
		default:
			ok = false
		}
	}
	if !ok {
		r.error(path, "is no address of a Docker Engine", "write it as unix:///var/run/docker.sock, tcp://HOST:2376 or ssh://USER@HOST")
	}
}

func (o *Offer) validate(r *report, at string) {
	if o.CPU != nil && *o.CPU <= 0 {
		r.error(at+".cpu", "must be more than 0", "for example cpu: 8")
	}
	if o.Memory != nil && *o.Memory < minMemory {
		r.error(at+".memory", fmt.Sprintf("%s is too little", o.Memory), "for example memory: 64GB")
	}
	for i, g := range o.GPUs {
		g.validate(r, fmt.Sprintf("%s.gpus[%d]", at, i))
	}
	r.list(lineRule, at+".services", o.Services)
}

func (g *GPU) validate(r *report, at string) {
	r.between(at+".count", g.Count, 0, maxGPUs)
	if g.Count != 0 && len(g.IDs) != 0 && g.Count != len(g.IDs) {
		r.error(at+".count", fmt.Sprintf("says %d, but ids names %d", g.Count, len(g.IDs)), "remove count")
	}
	r.list(rule{maxName, isGPUID, "is no name of a GPU", "write an index, a UUID or a device path"}, at+".ids", g.IDs)
	r.numbers(at+".version", g.Version)
	r.numbers(at+".capability", g.Capability)
	r.check(lineRule, at+".architecture", g.Architecture)
	r.between(at+".cores", g.Cores, 0, 1<<30)
	r.between(at+".frequency", g.Frequency, 0, 1<<30)
	if g.Memory != nil && *g.Memory <= 0 {
		r.error(at+".memory", "must be more than nothing", "for example memory: 24GB")
	}
}

// numbers checks a version of numbers and dots.
func (r *report) numbers(path string, version Version) {
	r.check(rule{maxLabel, isNumbers, "is no version", "write numbers with dots, for example 12.4"}, path, string(version))
}

func isNumbers(s string) bool {
	parts := strings.Split(s, ".")
	return !slices.ContainsFunc(parts, func(p string) bool { return p == "" || strings.Trim(p, "0123456789") != "" })
}

// isGPUID tells whether s can name a GPU to an engine, which takes lists of
// names with commas between them.
func isGPUID(s string) bool { return scopePattern.MatchString(s) && !strings.ContainsAny(s, `,"`) }
