package git

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/go-git/go-git/v5/plumbing"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/web"
)

const (
	headName     = "HEAD"
	branchPrefix = "refs/heads/"
	tagPrefix    = "refs/tags/"
	peeledSuffix = "^{}"
)

// A refSpec is a configured ref, read once: what to look for among the refs
// that a repository has.
type refSpec struct {
	raw    string
	commit plumbing.Hash       // a full commit hash
	name   string              // a possible name of a branch or tag
	tags   *semver.Constraints // a range over tags
}

// parseRef reads a configured ref. A full commit hash is always a commit, even
// if there is a branch of that name: who pins a commit means that commit.
func parseRef(raw string) (refSpec, error) {
	spec := refSpec{raw: raw}
	if plumbing.IsHash(raw) {
		spec.commit = plumbing.NewHash(raw)
		return spec, nil
	}
	if raw == "" || raw == headName {
		spec.name = headName
		return spec, nil
	}
	err := checkRefName(raw)
	if err == nil {
		spec.name = raw
	}
	if len(raw) <= maxRefName && !strings.HasPrefix(raw, "-") {
		if tags, rangeErr := semver.NewConstraint(raw); rangeErr == nil {
			spec.tags = tags
		}
	}
	if spec.name == "" && spec.tags == nil {
		e := fail(schema.Invalid, "name a branch, a tag, a full commit hash or a SemVer range such as ^1.2", fmt.Errorf("ref %q: %w", web.Clean(raw), err))
		e.Op = "read ref"
		return refSpec{}, e
	}
	return spec, nil
}

// maxRefName bounds the length of a ref in bytes.
const maxRefName = 255

// checkRefName holds a name to the rules of git-check-ref-format.
func checkRefName(name string) error {
	switch {
	case name == "" || name == "@":
		return errors.New("is no name")
	case len(name) > maxRefName:
		return fmt.Errorf("is longer than %d bytes", maxRefName)
	case strings.HasPrefix(name, "-"):
		return errors.New("begins with a dash")
	case strings.Contains(name, ".."), strings.Contains(name, "@{"), strings.HasSuffix(name, "."):
		return errors.New("holds dots or braces where git allows none")
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c == 0x7f || strings.IndexByte(`~^:?*[\`, c) >= 0 {
			return errors.New("holds a character that git does not allow")
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return errors.New("holds a part that git does not allow")
		}
	}
	return nil
}

// A target is what a ref resolved to.
type target struct {
	name   string // full name of the ref; empty for a commit or a detached HEAD
	commit plumbing.Hash
}

// A resolver looks at the refs of a repository one by one, as they arrive, and
// keeps only what the ref at hand may mean.
type resolver struct {
	spec     refSpec
	head     plumbing.Hash
	headName string // what HEAD points to, when the server says
	exact    target // refs/... as written
	branch   target
	tag      target
	newest   target // of the tags in range
	version  *semver.Version
	tips     []plumbing.Hash // of branches and tags, kept only if wantTips
	wantTips bool
	some     []string   // a few branches, for the hint
	proposed *proposals // nil: nobody wants to know
	seen     int
}

const maxNamedBranches = 5

// add takes one ref. An annotated tag comes twice, the second time with ^{} and
// the commit.
func (r *resolver) add(hash plumbing.Hash, name []byte) {
	r.seen++
	if r.proposed != nil {
		r.proposed.add(hash, name)
	}
	base, peeled := bytes.CutSuffix(name, []byte(peeledSuffix))
	set := func(t *target) {
		if peeled && t.name == "" {
			return
		}
		if t.name == "" {
			t.name = string(base)
		}
		t.commit = hash
	}
	short, isBranch := bytes.CutPrefix(base, []byte(branchPrefix))
	tag, isTag := bytes.CutPrefix(base, []byte(tagPrefix))
	switch {
	case string(base) == headName:
		r.head = hash
	case isBranch && string(short) == r.spec.name:
		set(&r.branch)
	case isTag && string(tag) == r.spec.name:
		set(&r.tag)
	case string(base) == r.spec.name:
		set(&r.exact)
	}
	if isTag && r.spec.tags != nil {
		r.addVersion(hash, string(tag), peeled)
	}
	if isBranch && len(r.some) < maxNamedBranches {
		r.some = append(r.some, web.Clean(string(short)))
	}
	if r.wantTips && (isBranch || isTag) && !peeled {
		r.tips = append(r.tips, hash)
	}
}

// addVersion keeps the newest tag in range. A tag is a version only when all
// three numbers are there: v1, which people move, is none.
func (r *resolver) addVersion(hash plumbing.Hash, tag string, peeled bool) {
	name := tagPrefix + tag
	if peeled {
		if r.newest.name == name {
			r.newest.commit = hash
		}
		return
	}
	v, err := semver.StrictNewVersion(strings.TrimPrefix(tag, "v"))
	if err != nil || checkRefName(tag) != nil || !r.spec.tags.Check(v) {
		return
	}
	if r.version == nil || v.GreaterThan(r.version) || v.Equal(r.version) && name < r.newest.name {
		r.version, r.newest = v, target{name: name, commit: hash}
	}
}

// result is what the ref means: a commit, a ref as written, a branch, a tag, the
// newest tag in range, in this order.
func (r *resolver) result() (target, error) {
	if !r.spec.commit.IsZero() {
		return target{commit: r.spec.commit}, nil
	}
	if r.seen == 0 {
		return target{}, fail(schema.Waiting, "push a first commit", errEmptyRemote)
	}
	if r.spec.name == headName && !r.head.IsZero() {
		t := target{name: r.headName, commit: r.head}
		if checkRefName(t.name) != nil {
			t.name = ""
		}
		return t, nil
	}
	for _, t := range []target{r.exact, r.branch, r.tag, r.newest} {
		if !t.commit.IsZero() {
			return t, nil
		}
	}
	hint := "there is no branch yet"
	if len(r.some) > 0 {
		hint = "branches are: " + strings.Join(r.some, ", ")
		if len(r.some) == maxNamedBranches {
			hint += ", ..."
		}
	}
	if r.spec.name == headName {
		return target{}, fail(schema.Terminal, "set ref; "+hint, errors.New("the remote's HEAD points to no commit"))
	}
	return target{}, fail(schema.Terminal, hint, fmt.Errorf("no branch, tag or version matches ref %q", web.Clean(r.spec.raw)))
}
