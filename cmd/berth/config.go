package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berthdev/berth/schema"
)

// configFlags are the flags that every command with a configuration has: --config,
// and one for each setting that is a plain value.
type configFlags struct {
	file   string
	values map[string]*string // by the setting's key
	flags  map[string]string  // the flag's name, by the setting's key
}

// sections name the parts of the configuration that settings stand in.
var sections = map[string]string{
	"access": "access", "tls": "TLS", "leaderElection": "leader election", "desired": "desired state", "log": "log",
	"status": "commit statuses", "webhooks": "webhooks",
}

func addConfigFlags(cmd *cobra.Command) *configFlags {
	f := &configFlags{values: map[string]*string{}, flags: map[string]string{}}
	cmd.Flags().StringVarP(&f.file, "config", "c", os.Getenv("BERTH_CONFIG"), "the configuration file")
	note(cmd, "config", noteGroup, groupConfiguration)
	note(cmd, "config", noteEnv, "BERTH_CONFIG")
	for _, s := range schema.Settings() {
		usage := strings.ToLower(s.Doc[:1]) + strings.TrimSuffix(s.Doc[1:], ".")
		if s.Default != "" && !strings.Contains(s.Doc, "Default") {
			usage += " (default " + s.Default + ")"
		}
		if section, _, nested := strings.Cut(s.Key, "."); nested {
			usage = sections[section] + ": " + usage
		}
		f.values[s.Key] = cmd.Flags().String(s.Flag, "", usage)
		f.flags[s.Key] = s.Flag
		note(cmd, s.Flag, noteGroup, groupConfiguration)
		note(cmd, s.Flag, noteEnv, s.Env)
		note(cmd, s.Flag, noteDefault, s.Default)
		if len(s.Values) > 0 {
			completeFixed(cmd, s.Flag, s.Values)
		}
	}
	return f
}

// named tells whether a desired state is named, by the configuration, a flag, the
// environment or an argument.
func (f *configFlags) named(cmd *cobra.Command, args []string) bool {
	if f.file != "" || len(args) > 0 || os.Getenv("BERTH_DESIRED_URL") != "" {
		return true
	}
	for _, flag := range f.flags {
		if cmd.Flags().Changed(flag) {
			return true
		}
	}
	return false
}

// load reads the whole configuration of a command that needs a desired state.
func (f *configFlags) load(cmd *cobra.Command, args []string) (*schema.Config, error) {
	cfg, err := f.read(cmd, args)
	if err != nil {
		return nil, err
	}
	if cfg.Desired.URL == "" {
		return nil, usageError{errors.New("a desired-state repository is missing: name its URL or path, as in 'berth " + cmd.Name() + " https://git.example.org/lab/desired.git'")}
	}
	return cfg, f.complete(cmd, cfg)
}

// complete fills in the defaults and checks the whole. What stands on the command
// line or in the environment is told by the name that it has there.
func (f *configFlags) complete(cmd *cobra.Command, cfg *schema.Config) error {
	err := complete(cfg)
	var problems schema.Problems
	if !errors.As(err, &problems) {
		return err
	}
	for _, s := range schema.Settings() {
		for _, p := range problems {
			if p.Path != s.Key {
				continue
			}
			if cmd.Flags().Changed(f.flags[s.Key]) {
				p.Path = "--" + s.Flag
				return usageError{p}
			}
			if _, ok := os.LookupEnv(s.Env); ok {
				p.Path = s.Env
				return usageError{p}
			}
		}
	}
	return err
}

// read reads the configuration: the file, over it the environment, over it the
// flags, over it the desired-state URL that stands as an argument.
func (f *configFlags) read(cmd *cobra.Command, args []string) (*schema.Config, error) {
	cfg := &schema.Config{}
	if f.file != "" {
		data, err := readBounded(f.file)
		if err != nil {
			return nil, err
		}
		read, problems := schema.DecodeConfig(f.file, data)
		if problems := problems.Errors(); len(problems) > 0 {
			return nil, problems
		}
		cfg = read
	}
	for _, s := range schema.Settings() {
		if value, ok := os.LookupEnv(s.Env); ok {
			if err := cfg.Set(s.Env, value); err != nil {
				return nil, usageError{err}
			}
		}
	}
	for _, s := range schema.Settings() {
		if cmd.Flags().Changed(f.flags[s.Key]) {
			if err := cfg.Set("--"+s.Flag, *f.values[s.Key]); err != nil {
				return nil, usageError{err}
			}
		}
	}
	if len(args) > 0 {
		if err := cfg.Set("desired.url", args[0]); err != nil {
			return nil, usageError{err}
		}
	}
	if isPath(cfg.Desired.URL) {
		// A folder may be named in any way that the shell knows, and its name, not
		// "." or "..", names the instance.
		var err error
		if cfg.Desired.URL, err = filepath.Abs(cfg.Desired.URL); err != nil {
			return nil, err
		}
	}
	return cfg, nil
}

// isPath tells whether a URL is a path below the current folder or beside it: it
// says so itself, or there is such a folder.
func isPath(url string) bool {
	info, err := os.Stat(url)
	return err == nil && info.IsDir() || strings.HasPrefix(url, "./") || strings.HasPrefix(url, "../")
}

// complete fills in the defaults and checks the whole.
func complete(cfg *schema.Config) error {
	cfg.Default(defaultDataDir())
	if problems := cfg.Validate().Errors(); len(problems) > 0 {
		return problems
	}
	return nil
}

// defaultDataDir is the system's folder for root, and the user's own otherwise.
func defaultDataDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/berth"
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "berth")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "berth")
	}
	return filepath.Join(os.TempDir(), "berth")
}

// secret reads a secret from where the configuration says it is; empty when it
// names neither. The value is read at each use, so that it may be rotated.
func secret(env, file string) (string, error) {
	switch {
	case file != "":
		data, err := readBounded(expandHome(file))
		if err != nil {
			return "", err
		}
		return string(bytes.TrimSpace(data)), nil
	case env != "":
		value, ok := os.LookupEnv(env)
		if !ok {
			return "", &schema.Error{Op: "read secret", Resource: "$" + env, Kind: schema.Terminal,
				Err: errors.New("the environment variable is not set")}
		}
		return value, nil
	default:
		return "", nil
	}
}

// expandHome replaces ~/ by the user's home folder.
func expandHome(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return path
}
