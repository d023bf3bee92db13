package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/schema/publication"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/desired"
)

// checkedFile is what "berth validate -o json" prints of one file.
type checkedFile struct {
	File        string           `json:"file"`
	Form        schema.Form      `json:"form"`
	Releases    []checkedRelease `json:"releases"`
	Deployments []string         `json:"deployments"`
	Errors      []checkedProblem `json:"errors"`
	Notices     []checkedProblem `json:"notices,omitempty"` // what is passed over

	repos   []string
	desired schema.DesiredFile
}

type checkedRelease struct {
	Identifier string `json:"identifier"`
	Version    string `json:"version"`
	Flavour    string `json:"flavour"`
	Image      string `json:"image"`
}

type checkedProblem struct {
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func newValidate(c console) *cobra.Command {
	var output string
	var quiet bool
	cmd := &cobra.Command{
		Use:   "validate PATH...",
		Short: "Check manifests, desired-state documents and configurations",
		Long: `Check files: app manifests (Berth's own and every form of Arkitekt's),
desired-state documents and server configurations. What a file is, its content
tells. A folder stands for all .yaml and .yml files below it; "-" for standard
input. All errors of all files are told, each with its line and column. What a
deployment depends on must be among the files.

The exit code is 1 if a file has an error.`,
		Example: `  berth validate manifest.yaml
  berth validate desired/ -o json
  git show HEAD:deployments/db.yaml | berth validate -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := checkPaths(args, c.in)
			if err != nil {
				return err
			}
			if output == "json" {
				err = writeJSON(c.out, files)
			} else {
				tellChecked(c, files, quiet)
			}
			if err == nil && slices.ContainsFunc(files, func(f *checkedFile) bool { return len(f.Errors) > 0 }) {
				err = exitError(exitFailed)
			}
			return err
		},
	}
	outputFlag(cmd, &output, "text", "json")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print errors only")
	return cmd
}

// checkPaths reads every file that the paths stand for, in order and each once.
func checkPaths(paths []string, stdin io.Reader) ([]*checkedFile, error) {
	files := []*checkedFile{}
	seen := map[string]bool{}
	add := func(name string, data []byte) {
		files = append(files, check(name, data))
	}
	for _, path := range paths {
		if path == "-" {
			data, err := io.ReadAll(io.LimitReader(stdin, sources.MaxFileSize+1))
			if err != nil {
				return nil, err
			}
			add("<stdin>", data)
			continue
		}
		names, err := documentFiles(path)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if seen[name] {
				continue
			}
			seen[name] = true
			data, err := readBounded(name)
			if err != nil {
				return nil, err
			}
			add(name, data)
		}
	}
	checkTogether(files)
	return files, nil
}

// documentFiles lists the files that a path stands for.
func documentFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &schema.Error{Op: "read", Resource: path, Kind: schema.Terminal, Err: bareCause(err)}
	}
	if !info.IsDir() {
		return []string{filepath.Clean(path)}, nil
	}
	var names []string
	err = filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return &schema.Error{Op: "read", Resource: name, Kind: schema.Terminal, Err: bareCause(err)}
		case entry.IsDir() && entry.Name() == ".git":
			return filepath.SkipDir
		case entry.Type().IsRegular() && isYAML(name):
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

func isYAML(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return ext == ".yaml" || ext == ".yml"
}

// readBounded reads a file, one byte more than it may have at most: decoding tells.
func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, &schema.Error{Op: "read", Resource: name, Kind: schema.Terminal, Err: bareCause(err)}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, sources.MaxFileSize+1))
	if err != nil {
		return nil, &schema.Error{Op: "read", Resource: name, Kind: schema.Terminal, Err: bareCause(err)}
	}
	return data, nil
}

// bareCause leaves out what an error of the file system repeats.
func bareCause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// check decodes one file by what it is.
func check(name string, data []byte) *checkedFile {
	f := &checkedFile{File: name, Releases: []checkedRelease{}, Deployments: []string{}, Errors: []checkedProblem{}}
	var problems schema.Problems
	nodes, _ := schema.ParseYAML(name, data) // whoever decodes it tells its problems
	f.Form = publication.Detect(nodes)
	switch f.Form {
	case schema.FormDesired:
		f.desired = schema.DecodeDesired(name, data)
		problems = f.desired.Problems
		for _, d := range f.desired.Deployments {
			f.Deployments = append(f.Deployments, d.Name)
		}
		for _, r := range f.desired.Repos {
			f.repos = append(f.repos, r.Name)
		}
	case schema.FormConfig:
		_, problems = schema.DecodeConfig(name, data)
	default:
		published := publication.Read(name, data)
		f.Form, problems = published.Form, published.Problems
		for _, r := range published.Releases {
			for _, flavour := range r.Flavours {
				f.Releases = append(f.Releases, checkedRelease{r.Identifier, r.Version, flavour.Name, flavour.Image})
			}
		}
	}
	f.take(problems)
	return f
}

func (f *checkedFile) take(problems schema.Problems) {
	problems.Sort()
	for _, p := range problems {
		checked := checkedProblem{p.Line, p.Column, p.Path, p.Message, p.Hint}
		if p.Notice {
			f.Notices = append(f.Notices, checked)
		} else {
			f.Errors = append(f.Errors, checked)
		}
	}
}

// problem returns the problem again, with the name of the file.
func (p checkedProblem) problem(file string) schema.Problem {
	return schema.Problem{File: file, Line: p.Line, Column: p.Column, Path: p.Path, Message: p.Message, Hint: p.Hint}
}

// checkTogether adds what only shows when all desired-state files are looked at
// together: names that stand twice, dependencies that lead nowhere.
func checkTogether(files []*checkedFile) {
	var changes []desired.FileChange
	byName := map[string]*checkedFile{}
	for _, f := range files {
		if f.Form == schema.FormDesired {
			byName[f.File] = f
			changes = append(changes, desired.FileChange{Path: f.File, Parsed: f.desired})
		}
	}
	if len(changes) == 0 {
		return
	}
	state, _ := desired.New("").With("", changes...)
	for _, f := range byName {
		f.Errors, f.Notices = []checkedProblem{}, nil
	}
	byFile := map[string]schema.Problems{}
	for _, p := range state.Problems() {
		byFile[p.File] = append(byFile[p.File], p)
	}
	for name, problems := range byFile {
		if f := byName[name]; f != nil {
			f.take(problems)
		}
	}
}

// tellChecked prints what a person wants to know.
func tellChecked(c console, files []*checkedFile, quiet bool) {
	var errorCount, releases, deployments, repos int
	for _, f := range files {
		for _, p := range f.Errors {
			fmt.Fprintln(c.out, p.problem(f.File).Error())
		}
		errorCount += len(f.Errors)
		releases += len(f.Releases)
		deployments += len(f.Deployments)
		repos += len(f.repos)
		if quiet {
			continue
		}
		for _, p := range f.Notices {
			fmt.Fprintln(c.err, "notice:", p.problem(f.File).Error())
		}
	}
	if !quiet {
		fmt.Fprintf(c.err, "%d %s read: %d %s, %d %s, %d %s, %d %s\n",
			len(files), plural(len(files), "file", "files"),
			releases, plural(releases, "flavour of a release", "flavours of releases"),
			deployments, plural(deployments, "deployment", "deployments"),
			repos, plural(repos, "repo", "repos"),
			errorCount, plural(errorCount, "error", "errors"))
	}
}
