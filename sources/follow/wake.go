package follow

// Wake makes the sources be asked soon that follow this ref of this repository,
// and returns how many they are. An empty ref means any. It never blocks.
func (h *Hub) Wake(repoURL, ref string) int {
	woken := 0
	for _, f := range h.all() {
		if h.options.Same(f.spec.URL, repoURL) && f.concerned(ref) {
			f.wake()
			woken++
		}
	}
	return woken
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
