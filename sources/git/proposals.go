package git

import (
	"bytes"
	"fmt"
	"hash/maphash"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/berthdev/berth/sources"
)

// proposals sums up the heads of pull and merge requests among the refs of a
// repository, as they arrive: a repository has tens of thousands of them, for
// forges keep those of closed ones, so none is kept.
//
// The order of refs does not matter. The seed is secret, so nobody can choose
// commits that cancel out in the sum.
type proposals struct {
	hash  maphash.Hash
	sum   uint64
	count int
}

func newProposals(seed maphash.Seed) *proposals {
	p := &proposals{}
	p.hash.SetSeed(seed)
	return p
}

// add takes one ref, if it is such a head.
func (p *proposals) add(commit plumbing.Hash, name []byte) {
	if !isProposal(name) {
		return
	}
	p.hash.Reset()
	p.hash.Write(commit[:])
	p.hash.Write(name)
	p.sum += p.hash.Sum64()
	p.count++
}

// fingerprint is equal for the same heads, as long as the seed is the same.
func (p *proposals) fingerprint() string { return fmt.Sprintf("%d-%016x", p.count, p.sum) }

// headSuffix is how the name of a head ends. What else there is of a proposal,
// as its merge commit, also moves with the branch that it is proposed to.
const headSuffix = "/head"

func isProposal(name []byte) bool {
	return (bytes.HasPrefix(name, []byte(sources.PullPrefix)) || bytes.HasPrefix(name, []byte(sources.MergeRequestPrefix))) &&
		bytes.HasSuffix(name, []byte(headSuffix))
}
