package follow

import (
	"slices"
	"strings"

	"github.com/berthdev/berth/sources"
)

// Wake makes the sources be asked soon that a hint concerns, and returns how
// many they are. It never blocks: what is hinted at again before it was asked is
// asked once.
func (h *Hub) Wake(hint sources.Hint) int {
	keys := make([]string, len(hint.URLs))
	for i, u := range hint.URLs {
		keys[i] = h.options.Key(u)
	}
	woken := 0
	for _, f := range h.all() {
		if hint.Source != "" && hint.Source != f.name || !slices.Contains(keys, f.key) {
			continue
		}
		same := func(u string) bool { return h.options.Same(f.spec.URL, u) }
		if !slices.ContainsFunc(hint.URLs, same) {
			continue
		}
		switch {
		case isProposal(hint.Ref):
			if h.options.Proposed != nil {
				h.options.Proposed(f.name)
				woken++
			}
		case f.concerned(hint.Ref):
			f.wake()
			woken++
		}
	}
	return woken
}

// isProposal tells whether a ref is one under which a forge keeps what is proposed.
func isProposal(ref string) bool {
	return strings.HasPrefix(ref, sources.PullPrefix) || strings.HasPrefix(ref, sources.MergeRequestPrefix)
}

// WakeAll makes all sources be asked soon.
func (h *Hub) WakeAll() {
	for _, f := range h.all() {
		f.wake()
	}
}

// WakeSource makes the source of this name, [DesiredName] or a repo's, be asked
// soon; false when none is followed under it. It never blocks.
func (h *Hub) WakeSource(name string) bool {
	for _, f := range h.all() {
		if f.name == name {
			f.wake()
			return true
		}
	}
	return false
}
