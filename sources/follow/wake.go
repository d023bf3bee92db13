package follow

import (
	"slices"

	"github.com/berthdev/berth/sources"
)

// Wake makes the sources be asked soon that a hint concerns, and returns how
// many they are. It never blocks: what is hinted at again before it was asked is
// asked once.
func (h *Hub) Wake(hint sources.Hint) int {
	woken := 0
	for _, f := range h.all() {
		if (hint.Source == "" || hint.Source == f.name) && f.concerned(hint.Ref) && h.same(f.spec.URL, hint.URLs) {
			f.wake()
			woken++
		}
	}
	return woken
}

// same tells whether one of the URLs names the repository.
func (h *Hub) same(repoURL string, urls []string) bool {
	return slices.ContainsFunc(urls, func(u string) bool { return h.options.Same(repoURL, u) })
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
